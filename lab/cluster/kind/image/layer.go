package image

import (
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// layer is the image's only layer. It is written from the binary on each read, so it is never held
// in memory.
type layer struct {
	binary Binary
	digest v1.Hash
	size   int64
}

// errChanged is the error for a binary that is not the one whose digest was taken.
var errChanged = errors.New("changed while it was read")

func newLayer(b Binary) (*layer, error) {
	digest, size, err := hashOf(context.Background(), func(w io.Writer) error { return writeLayer(w, b) })
	if err != nil {
		return nil, fmt.Errorf("make an image layer of %s: %w", b.Path, err)
	}
	return &layer{b, digest, size}, nil
}

// Digest equals DiffID, because the layer is not compressed.
func (l *layer) Digest() (v1.Hash, error)            { return l.digest, nil }
func (l *layer) DiffID() (v1.Hash, error)            { return l.digest, nil }
func (l *layer) Size() (int64, error)                { return l.size, nil }
func (l *layer) MediaType() (types.MediaType, error) { return types.DockerUncompressedLayer, nil }
func (l *layer) Compressed() (io.ReadCloser, error)  { return l.Uncompressed() }
func (l *layer) Uncompressed() (_ io.ReadCloser, _ error) {
	r, w := io.Pipe()
	go func() {
		digest, _, err := hashOf(context.Background(), func(sums io.Writer) error {
			return writeLayer(io.MultiWriter(w, sums), l.binary)
		})
		if err == nil && digest != l.digest {
			err = errChanged
		}
		if errors.Is(err, errChanged) {
			err = fmt.Errorf("%s %w: try again when it is stable", l.binary.Path, errChanged)
		}
		w.CloseWithError(err)
	}()
	return r, nil
}
