package install

import (
	"context"
	"errors"
	"io"
	"runtime"

	"coalmine/lab/cluster/kind/bundle"
	"coalmine/lab/cluster/kind/image"
	"coalmine/lab/cluster/kind/kindcluster"
)

// imageArchive is an archive to load into nodes.
type imageArchive struct {
	refs    []string
	archive kindcluster.Archive
}

// ownImage is coalmine's own image.
type ownImage struct {
	ref     string
	archive kindcluster.Archive
	// program is the binary in it, "" if it is not known.
	program string
}

// findOwnImage builds coalmine's image from the running binary. If that is not possible, it returns
// the source's.
func findOwnImage(ctx context.Context, source bundle.Source) (ownImage, error) {
	binary, err := image.Agent(ctx, runtime.GOARCH)
	if err == nil {
		return ownImage{binary.Ref(), lazyArchive{binary}, binary.Program}, nil
	}
	if a := source.Own(); a != nil && errors.Is(err, image.ErrUnfit) && len(a.Refs) > 0 {
		return ownImage{ref: a.Refs[0], archive: a}, nil
	}
	return ownImage{}, err
}

// lazyArchive is the archive of an image that is built while it is read.
type lazyArchive struct{ binary image.Binary }

// Open starts the build.
func (b lazyArchive) Open(context.Context) (io.ReadCloser, error) {
	r, w := io.Pipe()
	go func() {
		_, err := image.Build(w, b.binary)
		w.CloseWithError(err)
	}()
	return r, nil
}

// archives returns the archives that the plan needs in the nodes.
func (g *Installer) archives() ([]imageArchive, error) {
	own, err := g.own()
	if err != nil {
		return nil, err
	}
	all := []imageArchive{{[]string{own.ref}, own.archive}}
	for _, a := range g.Source.Images() {
		all = append(all, imageArchive{a.Refs, a})
	}
	return all, nil
}
