package install

import (
	"context"
	"errors"
	"io"
	"slices"

	"coalmine/lab/cluster/kind/bundle"
	"coalmine/lab/cluster/kind/image"
	"coalmine/lab/cluster/kind/kindcluster"
	"coalmine/lab/cluster/names"
)

// imageArchive is what can be loaded into nodes.
type imageArchive struct {
	refs    []string
	archive kindcluster.Archive
}

// ownImage is coalmine's.
type ownImage struct {
	ref     string
	archive kindcluster.Archive
}

// findOwnImage makes coalmine's image of the running binary. Where that cannot be one, the source's is taken.
func findOwnImage(ctx context.Context, source bundle.Source) (ownImage, error) {
	binary, err := image.OwnBinary(ctx)
	if err == nil {
		return ownImage{binary.Ref(), lazyArchive{binary}}, nil
	}
	if a := source.Own(); a != nil && errors.Is(err, image.ErrUnfit) && len(a.Refs) > 0 {
		return ownImage{a.Refs[0], a}, nil
	}
	return ownImage{}, err
}

// lazyArchive is the archive of an image that is built while it is read.
type lazyArchive struct{ binary image.Binary }

// Open begins to build.
func (b lazyArchive) Open(context.Context) (io.ReadCloser, error) {
	r, w := io.Pipe()
	go func() {
		_, err := image.Build(w, b.binary)
		w.CloseWithError(err)
	}()
	return r, nil
}

// archives are all that the plan needs in the nodes. A source may have those of the other mesh, too.
func (g *Installer) archives() ([]imageArchive, error) {
	own, err := g.own()
	if err != nil {
		return nil, err
	}
	other := names.Linkerd
	if g.Mesh == other {
		other = names.TestMesh
	}
	needed, idle := g.pins.Images(g.Mesh), g.pins.Images(other)
	all := []imageArchive{{[]string{own.ref}, own.archive}}
	for _, a := range g.Source.Images() {
		use := func(ref string) bool { return slices.Contains(needed, ref) || !slices.Contains(idle, ref) }
		if slices.ContainsFunc(a.Refs, use) {
			all = append(all, imageArchive{a.Refs, a})
		}
	}
	return all, nil
}
