package bundle

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// String returns the name of the bundle's file.
func (b *Bundle) String() string { return "bundle " + b.name }

var _ Source = (*Bundle)(nil)

// Node returns the node image; a partial bundle may lack the archive or everything.
func (b *Bundle) Node() Node {
	n := b.Manifest.Node
	if n == nil {
		return Node{}
	}
	node := Node{Ref: n.Ref, Config: b.config}
	if n.Archive != nil {
		node.Archive = b.archive(ImageFile{[]string{n.Ref}, *n.Archive})
	}
	return node
}

// Images returns the images of pods, without coalmine's own.
func (b *Bundle) Images() []Archive {
	var all []Archive
	for _, i := range b.Manifest.Images {
		all = append(all, *b.archive(i))
	}
	return all
}

// Own returns coalmine's own image, if the bundle has it.
func (b *Bundle) Own() *Archive {
	if b.Manifest.Own == nil {
		return nil
	}
	return b.archive(*b.Manifest.Own)
}

// Mesh returns the mesh of the bundle; nil is Linkerd.
func (b *Bundle) Mesh() *Mesh { return b.Manifest.Mesh }

func (b *Bundle) archive(i ImageFile) *Archive {
	return &Archive{Refs: i.Refs, Size: i.File.Unpacked, open: func(ctx context.Context) (io.ReadCloser, error) {
		return b.open(ctx, i.File)
	}}
}

// Chart returns a packaged chart by name.
func (b *Bundle) Chart(ctx context.Context, name string) ([]byte, error) {
	i := slices.IndexFunc(b.Manifest.Charts, func(c ChartFile) bool { return c.Name == name })
	if i < 0 {
		return nil, b.missing("chart", name)
	}
	return b.readSmall(ctx, b.Manifest.Charts[i].File)
}

// CRDs returns YAML documents by name.
func (b *Bundle) CRDs(ctx context.Context, name string) ([]byte, error) {
	i := slices.IndexFunc(b.Manifest.CRDs, func(c CRDFile) bool { return c.Name == name })
	if i < 0 {
		return nil, b.missing("CRDs", name)
	}
	return b.readSmall(ctx, b.Manifest.CRDs[i].File)
}

func (b *Bundle) missing(kind, name string) error {
	return &InputError{fmt.Errorf("%s: %s %s: %w", b, kind, name, ErrMissing),
		"`coalmine bundle list` shows the meshes a bundle is complete for; `coalmine bundle create` creates " +
			"another one"}
}
