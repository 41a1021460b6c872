package submission

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"coalmine/lab/guardrail"
)

// Limits of an archive. A submission is a handful of manifests.
const (
	maxArchive  = 32 << 20 // bytes of the file
	maxUnpacked = 64 << 20 // bytes that a compressed tar may unpack to
	maxEntries  = guardrail.MaxEntries
	maxPath     = 240 // bytes of an entry's path
)

// junkFolder is what macOS adds to archives.
const junkFolder = "__MACOSX"

// suffixes are those of archives that are read; foreign of those that are not.
var (
	suffixes = []string{".zip", ".tar", ".tar.gz", ".tgz"}
	foreign  = []string{".7z", ".rar", ".xz", ".txz", ".bz2", ".tbz", ".zst", ".gz", ".lz", ".lzma", ".cab", ".jar"}
)

// withoutArchiveSuffix returns the name without the suffix of an archive, also of a kind that is
// not read: that is refused with a reason.
func withoutArchiveSuffix(name string) string {
	lower := strings.ToLower(name)
	for _, suffix := range slices.Concat([]string{".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst"}, suffixes, foreign) {
		if strings.HasSuffix(lower, suffix) && len(name) > len(suffix) {
			return name[:len(name)-len(suffix)]
		}
	}
	return name
}

// readArchive reads the manifests in an archive, whose kind its first bytes tell.
func readArchive(ctx context.Context, name string) (map[string][]byte, error) {
	base := filepath.Base(name)
	info, err := os.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, refuse("%s is not a regular file", base)
	case info.Size() > maxArchive:
		return nil, refuse("%s is larger than %d MiB", base, maxArchive>>20)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	u := &unpacker{ctx: ctx, files: map[string][]byte{}, seen: map[string]bool{}}
	switch head = head[:n]; {
	case bytes.HasPrefix(head, []byte("PK")):
		err = u.zip(f, info.Size())
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		err = u.gzip(f)
	case len(head) == 512 && bytes.HasPrefix(head[257:], []byte("ustar")):
		err = u.tar(f)
	default:
		err = refuse("%s is neither a zip nor a tar.gz archive", base)
	}
	return u.files, err
}

// unpacker collects the manifests of an archive.
type unpacker struct {
	ctx     context.Context
	files   map[string][]byte
	seen    map[string]bool // names in lower case, for file systems that do not tell them apart
	entries int
	total   int
}

func (u *unpacker) zip(f io.ReaderAt, size int64) error {
	r, err := zip.NewReader(f, size)
	if err != nil {
		return refuse("the zip archive is broken: %v", err)
	}
	for _, e := range r.File {
		const encrypted = 1
		if e.Flags&encrypted != 0 {
			return refuse("the archive is encrypted")
		}
		name, wanted, err := u.entry(e.Name, e.Mode())
		if err != nil {
			return err
		}
		if !wanted {
			continue
		}
		content, err := e.Open()
		if err != nil {
			return refuse("%s in the archive cannot be read: %v", name, err)
		}
		if err := errors.Join(u.read(name, content), content.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) gzip(f io.Reader) error {
	z, err := gzip.NewReader(f)
	if err != nil {
		return refuse("the gzip archive is broken: %v", err)
	}
	return u.tar(z)
}

func (u *unpacker) tar(f io.Reader) error {
	limited := &io.LimitedReader{R: f, N: maxUnpacked}
	for r := tar.NewReader(limited); ; {
		h, err := r.Next()
		switch {
		case errors.Is(err, io.EOF) && limited.N > 0:
			return nil
		case limited.N <= 0:
			return refuse("the archive unpacks to more than %d MiB", maxUnpacked>>20)
		case err != nil:
			return refuse("the tar archive is broken: %v", err)
		case h.Typeflag == tar.TypeXGlobalHeader:
			continue // git archive writes its commit there
		case h.Typeflag == tar.TypeLink:
			return refuse("the archive has a link, %q: put the file itself there", clip(h.Name))
		}
		name, wanted, err := u.entry(h.Name, h.FileInfo().Mode())
		if err != nil {
			return err
		}
		if !wanted {
			continue
		}
		if err := u.read(name, r); err != nil {
			return err
		}
	}
}

// entry checks an entry and reports whether its content is wanted.
func (u *unpacker) entry(name string, mode fs.FileMode) (clean string, wanted bool, err error) {
	if err := u.ctx.Err(); err != nil {
		return "", false, err
	}
	if u.entries++; u.entries > maxEntries {
		return "", false, refuse("the archive has more than %d entries", maxEntries)
	}
	if clean, err = checkName(name); err != nil {
		return "", false, err
	}
	switch {
	case mode&fs.ModeSymlink != 0:
		return "", false, refuse("the archive has a link, %q: put the file itself there", clip(name))
	case mode.IsDir():
		return clean, false, nil
	case !mode.IsRegular():
		return "", false, refuse("the archive has %q, which is not a regular file", clip(name))
	case u.seen[strings.ToLower(clean)]:
		return "", false, refuse("the archive has %q twice", clip(clean))
	}
	u.seen[strings.ToLower(clean)] = true
	if junk(clean) {
		return clean, false, nil
	}
	if withoutArchiveSuffix(path.Base(clean)) != path.Base(clean) {
		return "", false, refuse("the archive has another archive in it, %q: hand in the manifests", clip(clean))
	}
	if !guardrail.IsManifest(clean) {
		return clean, false, nil
	}
	if len(u.files) == guardrail.MaxFiles {
		return "", false, refuse("the archive has more than %d manifests", guardrail.MaxFiles)
	}
	return clean, true, nil
}

// junk reports whether an entry is none of the learner's files.
func junk(name string) bool {
	for _, part := range strings.Split(name, "/") {
		if strings.HasPrefix(part, ".") || part == junkFolder {
			return true
		}
	}
	return false
}

// checkName returns the path of an entry, or an error if nobody would write it in good faith.
func checkName(name string) (string, error) {
	switch {
	case !utf8.ValidString(name):
		return "", refuse("the archive has a name that is not UTF-8, %q: rename it", clip(name))
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }):
		return "", refuse("the archive has a name with characters that cannot be shown, %q", clip(name))
	case strings.Contains(name, `\`):
		return "", refuse(`the archive has a name with a backslash, %q: pack it with another program`, clip(name))
	case len(name) > maxPath:
		return "", refuse("the archive has a path of %d bytes, %q", len(name), clip(name))
	case path.IsAbs(name) || len(name) > 1 && name[1] == ':':
		return "", refuse("the archive has an absolute path, %q", clip(name))
	case slices.Contains(strings.Split(name, "/"), ".."):
		return "", refuse("the archive has a path that leads out of it, %q", clip(name))
	case strings.Count(strings.Trim(name, "/"), "/") > guardrail.MaxFolderDepth:
		return "", refuse("the archive has folders deeper than %d levels, %q", guardrail.MaxFolderDepth, clip(name))
	}
	clean := path.Clean(name)
	if clean == "." && !strings.HasSuffix(name, "/") && name != "." {
		return "", refuse("the archive has an entry without a name")
	}
	return clean, nil
}

// read keeps one manifest.
func (u *unpacker) read(name string, from io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(from, guardrail.MaxFileSize+1))
	switch {
	case err != nil:
		return refuse("%s in the archive cannot be read: %v", name, err)
	case len(data) > guardrail.MaxFileSize:
		return refuse("%s is larger than %d bytes", name, guardrail.MaxFileSize)
	}
	if u.total += len(data); u.total > guardrail.MaxTotalSize {
		return refuse("the manifests are larger than %d bytes in total", guardrail.MaxTotalSize)
	}
	u.files[name] = data
	return nil
}

// maxClip is how many bytes of a name a reason quotes.
const maxClip = 80

func clip(s string) string {
	if len(s) > maxClip {
		return fmt.Sprintf("%s…", strings.ToValidUTF8(s[:maxClip], ""))
	}
	return s
}
