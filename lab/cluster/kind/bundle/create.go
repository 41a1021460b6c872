package bundle

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Contents lists what goes into a bundle.
type Contents struct {
	// CreatedBy is coalmine's version, Arch the processor architecture of the images, and Meshes
	// those that the bundle is complete for.
	CreatedBy, Arch string
	Meshes          []string

	// Node is the node image; a partial bundle may lack the archive or everything.
	Node   Node
	Own    *Archive
	Images []Archive
	Charts []Chart
	CRDs   []CRDs
	// Mesh is nil for Linkerd.
	Mesh *Mesh

	// Spool is a folder for temporary files of a quarter of the images' size; "" is the system's.
	Spool string
	// Say reports progress.
	Say func(format string, args ...any)
}

// Chart is a packaged chart.
type Chart struct {
	Name, Version string
	Data          []byte
}

// CRDs are YAML documents.
type CRDs struct {
	Name string
	Data []byte
}

// Create writes a bundle. The same contents give the same bytes. Archives are compressed with zstd:
// images are mostly Go binaries, which shrink to a quarter and are read back at about 500 MB/s. The
// compressed files are collected in Spool, because the manifest with their sizes comes first.
func Create(ctx context.Context, w io.Writer, c Contents) (Manifest, error) {
	dir, err := os.MkdirTemp(c.Spool, ".bundle-")
	if err != nil {
		return Manifest{}, fmt.Errorf("create a temporary folder: %w", err)
	}
	defer os.RemoveAll(dir)
	b := &builder{Contents: c, dir: dir, from: map[string]string{}}
	m, err := b.gather(ctx)
	if err != nil {
		return Manifest{}, err
	}
	return m, b.write(ctx, w, m)
}

// builder collects the files of a bundle in a folder.
type builder struct {
	Contents
	dir string
	// from maps each path in the bundle to the collected file.
	from map[string]string
}

func (b *builder) gather(ctx context.Context) (m Manifest, err error) {
	m = Manifest{Format: Format, CreatedBy: b.CreatedBy, Meshes: b.Meshes, Arch: b.Arch, Mesh: b.Mesh}
	for _, c := range b.Charts {
		f, err := b.keep("charts/"+c.Name+".tgz", c.Data)
		if err != nil {
			return m, err
		}
		m.Charts = append(m.Charts, ChartFile{c.Name, c.Version, f})
	}
	for _, c := range b.CRDs {
		f, err := b.keep("crds/"+c.Name+".yaml", c.Data)
		if err != nil {
			return m, err
		}
		m.CRDs = append(m.CRDs, CRDFile{c.Name, f})
	}
	if b.Own != nil {
		f, err := b.pack(ctx, "images/coalmine.tar.zst", *b.Own)
		if err != nil {
			return m, err
		}
		m.Own = &ImageFile{b.Own.Refs, f}
	}
	for _, a := range b.Images {
		f, err := b.pack(ctx, "images/"+fileName(a.Refs)+".tar.zst", a)
		if err != nil {
			return m, err
		}
		m.Images = append(m.Images, ImageFile{a.Refs, f})
	}
	if m.Node, err = b.gatherNode(ctx); err != nil {
		return m, err
	}
	return m, m.check()
}

func (b *builder) gatherNode(ctx context.Context) (*NodeFiles, error) {
	if b.Node.Archive == nil && b.Node.Config == nil {
		return nil, nil
	}
	n := &NodeFiles{Ref: b.Node.Ref}
	if b.Node.Config != nil {
		f, err := b.keep("kind.yaml", b.Node.Config)
		if err != nil {
			return nil, err
		}
		n.Config = &f
	}
	if b.Node.Archive != nil {
		n.Ref = b.Node.Archive.Refs[0]
		f, err := b.pack(ctx, "node.tar.zst", *b.Node.Archive)
		if err != nil {
			return nil, err
		}
		n.Archive = &f
	}
	return n, nil
}

// fileName returns a plain name for an image: "flagger-1.43.0" for "ghcr.io/fluxcd/flagger:1.43.0".
func fileName(refs []string) string {
	name := refs[0][strings.LastIndex(refs[0], "/")+1:]
	return strings.Map(func(r rune) rune {
		if isPlain("x" + string(r)) {
			return r
		}
		return '-'
	}, name)
}

// free returns the path, or a variant if it is taken.
func (b *builder) free(path string) string {
	dir, name := filepath.Split(path)
	for i := 2; b.from[path] != ""; i++ {
		path = fmt.Sprintf("%s%d-%s", dir, i, name)
	}
	return path
}

// keep stores a small file uncompressed.
func (b *builder) keep(path string, data []byte) (File, error) {
	if len(data) > maxSmall {
		return File{}, fmt.Errorf("%s: %d bytes exceed the limit of %d", path, len(data), maxSmall)
	}
	f := File{Path: b.free(path), Size: int64(len(data)), SHA256: fmt.Sprintf("%x", sha256.Sum256(data))}
	at := b.spool()
	b.from[f.Path] = at
	return f, os.WriteFile(at, data, 0o600)
}

func (b *builder) spool() string { return filepath.Join(b.dir, fmt.Sprint(len(b.from))) }

// pack compresses an archive and checks that it has the expected images.
func (b *builder) pack(ctx context.Context, path string, a Archive) (_ File, err error) {
	began := time.Now()
	f := File{Path: b.free(path)}
	at := b.spool()
	b.from[f.Path] = at
	out, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return File{}, err
	}
	defer closing(out, &err)
	in, err := a.Open(ctx)
	if err != nil {
		return File{}, err
	}
	defer closing(in, &err)
	if err := squeeze(ctx, out, in, a.Refs, &f); err != nil {
		return File{}, fmt.Errorf("%s: %w", strings.Join(a.Refs, ", "), err)
	}
	b.Say("packed %s: %.0f MB of %.0f MB in %.1f s", strings.Join(a.Refs, ", "), float64(f.Size)/1e6,
		float64(f.Unpacked)/1e6, time.Since(began).Seconds())
	return f, nil
}

// closing closes c and keeps the error if there was none before.
func closing(c io.Closer, err *error) {
	if closed := c.Close(); *err == nil {
		*err = closed
	}
}

// squeeze compresses r into w and fills in the fields of f.
func squeeze(ctx context.Context, w io.Writer, r io.Reader, refs []string, f *File) error {
	sum := sha256.New()
	stored := &counter{Writer: io.MultiWriter(w, sum)}
	z, err := zstd.NewWriter(stored, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(maxWindow))
	if err != nil {
		return err
	}
	plain := &counter{Writer: z}
	have, err := archiveRefs(io.TeeReader(&ctxReader{ctx, r}, plain))
	if closed := z.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	for _, ref := range refs {
		if !slices.Contains(have, mustFullRef(ref)) {
			return fmt.Errorf("the archive has %s", strings.Join(have, ", "))
		}
	}
	f.Size, f.Unpacked, f.SHA256 = stored.n, plain.n, fmt.Sprintf("%x", sum.Sum(nil))
	return nil
}

// counter counts the bytes written.
type counter struct {
	io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}

// ctxReader reads until its context ends. It has no other methods, so a tar reader cannot seek
// past bytes that must be packed.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (l *ctxReader) Read(p []byte) (int, error) {
	if err := context.Cause(l.ctx); err != nil {
		return 0, err
	}
	return l.r.Read(p)
}

// write writes everything into one file, the manifest first.
func (b *builder) write(ctx context.Context, w io.Writer, m Manifest) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if len(data) > maxManifest {
		return fmt.Errorf("%s: %d bytes exceed the limit of %d", manifestName, len(data), maxManifest)
	}
	t := tar.NewWriter(w)
	sum := fmt.Sprintf("%x  %s\n", sha256.Sum256(data), manifestName)
	for _, f := range []struct{ name, text string }{{manifestName, string(data)}, {sumName, sum}} {
		if err := entry(t, f.name, int64(len(f.text)), strings.NewReader(f.text)); err != nil {
			return err
		}
	}
	for _, f := range m.Files() {
		if err := b.copy(ctx, t, f); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return t.Close()
}

func (b *builder) copy(ctx context.Context, t *tar.Writer, f File) error {
	from, err := os.Open(b.from[f.Path])
	if err != nil {
		return err
	}
	defer from.Close()
	return entry(t, f.Path, f.Size, &ctxReader{ctx, from})
}

func entry(t *tar.Writer, name string, size int64, r io.Reader) error {
	if err := t.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o644, Typeflag: tar.TypeReg,
		ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	_, err := io.Copy(t, r)
	return err
}
