package bundle

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// String names the bundle by its file.
func (b *Bundle) String() string { return "bundle " + b.name }

// OpenSource opens a bundle to bring a cluster up from.
func OpenSource(ctx context.Context, path string) (Source, error) {
	b, err := Open(path)
	if err != nil {
		return nil, err
	}
	s := &source{Bundle: b}
	if n := b.Manifest.Node; n != nil && n.Config != nil {
		if s.config, err = b.small(ctx, *n.Config); err != nil {
			b.Close()
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return s, nil
}

// source is a bundle as a Source.
type source struct {
	*Bundle
	config []byte
}

func (s *source) Node() Node {
	n := s.Manifest.Node
	if n == nil {
		return Node{}
	}
	node := Node{Ref: n.Ref, Config: s.config}
	if n.Archive != nil {
		node.Archive = s.archive(ImageFile{[]string{n.Ref}, *n.Archive})
	}
	return node
}

func (s *source) Images() []Archive {
	var all []Archive
	for _, i := range s.Manifest.Images {
		all = append(all, *s.archive(i))
	}
	return all
}

func (s *source) Own() *Archive {
	if s.Manifest.Own == nil {
		return nil
	}
	return s.archive(*s.Manifest.Own)
}

func (b *Bundle) archive(i ImageFile) *Archive {
	return &Archive{Refs: i.Refs, Size: i.File.Unpacked, open: func(ctx context.Context) (io.ReadCloser, error) { return b.open(ctx, i.File) }}
}

func (s *source) Chart(ctx context.Context, name string) ([]byte, error) {
	i := slices.IndexFunc(s.Manifest.Charts, func(c ChartFile) bool { return c.Name == name })
	if i < 0 {
		return nil, s.missing("chart", name)
	}
	return s.small(ctx, s.Manifest.Charts[i].File)
}

func (s *source) CRDs(ctx context.Context, name string) ([]byte, error) {
	i := slices.IndexFunc(s.Manifest.CRDs, func(c CRDFile) bool { return c.Name == name })
	if i < 0 {
		return nil, s.missing("CRDs", name)
	}
	return s.small(ctx, s.Manifest.CRDs[i].File)
}

func (s *source) missing(kind, name string) error {
	return &hinted{fmt.Errorf("%s: %s %s: %w", s, kind, name, ErrMissing),
		"`coalmine bundle list` says for which meshes the bundle is complete; `coalmine bundle create` makes another"}
}
