package bundle

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"coalmine/lab/input"
)

// The first two entries of a bundle.
const (
	manifestName = "manifest.json"
	// sumName has the SHA-256 of the manifest, in the format of sha256sum.
	sumName = "manifest.sha256"
)

// hintBroken is the advice for a damaged bundle.
const hintBroken = "copy the bundle again, or create a new one with `coalmine bundle create`"

// Bundle is an open bundle, and a [Source]. It is safe for concurrent readers.
type Bundle struct {
	// Manifest lists the contents.
	Manifest Manifest
	name     string
	digest   string
	file     io.ReaderAt
	closer   io.Closer
	config   []byte
	// offsets maps each file to its position in the bundle.
	offsets map[string]int64
}

// Open reads the manifest and the kind configuration, and checks that the bundle has exactly the
// files that the manifest lists. Their contents are checked when they are read, or by
// [Bundle.Verify].
func Open(ctx context.Context, path string) (*Bundle, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|input.NonBlocking, 0)
	if err != nil {
		return nil, fmt.Errorf("open the bundle: %w", err)
	}
	b, err := openFile(ctx, f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b.name, b.closer = filepath.Base(path), f
	return b, nil
}

func openFile(ctx context.Context, f *os.File) (*Bundle, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, inputError("give the file that `coalmine bundle create` wrote", "not a regular file")
	}
	return read(ctx, f, info.Size())
}

// read reads the manifest of a bundle of the given size in bytes, and finds its files.
func read(ctx context.Context, r io.ReaderAt, size int64) (*Bundle, error) {
	x := &tarIndex{section: io.NewSectionReader(r, 0, size), size: size}
	x.tar = tar.NewReader(x.section)
	data, err := x.readFile(manifestName, maxManifest)
	if err != nil {
		return nil, &InputError{fmt.Errorf("not a bundle: %w", err), "create one with `coalmine bundle create`"}
	}
	sum, err := x.readFile(sumName, 200)
	if err != nil {
		return nil, &InputError{err, hintBroken}
	}
	digest := fmt.Sprintf("%x", sha256.Sum256(data))
	if string(sum) != digest+"  "+manifestName+"\n" {
		return nil, inputError(hintBroken, "%s does not match its checksum", manifestName)
	}
	m, err := decode(data)
	if err != nil {
		return nil, asInputError(err)
	}
	at, err := x.files(m.Files())
	if err != nil {
		return nil, &InputError{err, hintBroken}
	}
	b := &Bundle{Manifest: *m, digest: digest, file: r, offsets: at}
	if n := m.Node; n != nil && n.Config != nil {
		b.config, err = b.readSmall(ctx, *n.Config)
	}
	return b, err
}

// tarIndex reads the headers of a tar.
type tarIndex struct {
	section *io.SectionReader
	tar     *tar.Reader
	size    int64
}

// next expects a regular file of the given name and returns its size and offset. Extensions of tar
// are rejected: with them, size and position of a file can differ from its header.
func (x *tarIndex) next(name string) (size, at int64, err error) {
	h, err := x.tar.Next()
	switch {
	case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		return 0, 0, fmt.Errorf("%s: the bundle ends before it", name)
	case err != nil:
		return 0, 0, fmt.Errorf("%s: %w", name, err)
	case h.Name != name:
		return 0, 0, fmt.Errorf("found %.100q where %s should be", h.Name, name)
	case h.Typeflag != tar.TypeReg || h.Format != tar.FormatUSTAR:
		return 0, 0, fmt.Errorf("%s is not a regular file", name)
	}
	if at, err = x.section.Seek(0, io.SeekCurrent); err != nil {
		return 0, 0, err
	}
	if h.Size > x.size-at {
		return 0, 0, fmt.Errorf("%s: the bundle is %d bytes too short", name, h.Size-(x.size-at))
	}
	return h.Size, at, nil
}

// readFile reads a file of at most limit bytes.
func (x *tarIndex) readFile(name string, limit int64) ([]byte, error) {
	size, _, err := x.next(name)
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("%s: %d bytes exceed the limit of %d", name, size, limit)
	}
	return io.ReadAll(x.tar)
}

// files finds the files of the manifest, in its order, and rejects any others.
func (x *tarIndex) files(files []File) (map[string]int64, error) {
	found := map[string]int64{}
	for _, f := range files {
		size, at, err := x.next(f.Path)
		if err != nil {
			return nil, err
		}
		if size != f.Size {
			return nil, fmt.Errorf("%s: has %d bytes, want %d", f.Path, size, f.Size)
		}
		found[f.Path] = at
	}
	switch h, err := x.tar.Next(); {
	case err == nil:
		return nil, fmt.Errorf("found %.100q, which is not in %s", h.Name, manifestName)
	case err != io.EOF:
		return nil, fmt.Errorf("read the end of the bundle: %w", err)
	}
	if end, err := x.section.Seek(0, io.SeekCurrent); err != nil || end != x.size {
		return nil, fmt.Errorf("%d bytes follow the end of the bundle", x.size-end)
	}
	return found, nil
}

// Digest identifies the bundle: the SHA-256 of the manifest, which has those of all files, in
// hexadecimal.
func (b *Bundle) Digest() string { return b.digest }

// Close closes the file.
func (b *Bundle) Close() error {
	if b.closer == nil {
		return nil
	}
	return b.closer.Close()
}

// asInputError adds the advice for a damaged bundle to an error that has none.
func asInputError(err error) error {
	var input *InputError
	if errors.As(err, &input) {
		return err
	}
	return &InputError{err, hintBroken}
}

// Verify reads everything and compares it with the manifest: checksums, and the names of the images
// in archives. It calls fits for each intact file. The error names every file that is not.
func (b *Bundle) Verify(ctx context.Context, fits func(File)) error {
	images := map[string]ImageFile{}
	for _, i := range b.Manifest.allImages() {
		images[i.File.Path] = i
	}
	var errs []error
	for _, f := range b.Manifest.Files() {
		_, err := io.Copy(io.Discard, b.openStored(ctx, f))
		if i, ok := images[f.Path]; ok && err == nil {
			err = b.verifyNames(ctx, i)
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		fits(f)
	}
	if err := errors.Join(errs...); err != nil {
		return &InputError{err, hintBroken}
	}
	return nil
}

// verifyNames compares the names in an image archive with the manifest. Docker loads an archive
// under the names in it, and could replace other images.
func (b *Bundle) verifyNames(ctx context.Context, i ImageFile) error {
	r, err := b.open(ctx, i.File)
	if err != nil {
		return err
	}
	found, err := archiveRefs(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("%s: %w", i.File.Path, err)
	}
	var want []string
	for _, ref := range i.Refs {
		want = append(want, mustFullRef(ref))
	}
	slices.Sort(found)
	slices.Sort(want)
	if found = slices.Compact(found); !slices.Equal(found, want) {
		return fmt.Errorf("%s: the archive has %.200q, and the manifest names %.200q", i.File.Path, found, want)
	}
	return nil
}
