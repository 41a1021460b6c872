// Package bundle provides what installing needs and coalmine does not make itself: the node image,
// the images of pods, charts and CRDs. They come from the network or from a bundle: one file,
// created once on a connected machine, for machines without network.
//
// The package handles files, registries and Docker's archives; it depends neither on clusters nor
// on the contents of charts.
package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Source provides what an installation needs. It does not change while it is used.
type Source interface {
	// String names the source for the user: "the network", "bundle class.bundle".
	fmt.Stringer
	// Node returns the node image.
	Node() Node
	// Images returns the images to load into every node before pods need them. There are none if
	// nodes pull what they need.
	Images() []Archive
	// Own returns coalmine's own image, for a binary that no image can be built from (see package
	// image), or nil.
	Own() *Archive
	// Mesh returns the mesh that the source provides; nil is Linkerd.
	Mesh() *Mesh
	// Chart returns a packaged chart (.tgz) by name: "linkerd-crds". The error is ErrMissing if the
	// source does not have it.
	Chart(ctx context.Context, name string) ([]byte, error)
	// CRDs returns YAML documents by name: [GatewayAPI]. The error is ErrMissing if the source does
	// not have them.
	CRDs(ctx context.Context, name string) ([]byte, error)
	io.Closer
}

// GatewayAPI is the name of the CRDs of Gateway API, standard channel.
const GatewayAPI = "gateway-api"

// Node is the node image of kind.
type Node struct {
	// Ref is its name in Docker: "coalmine/kind-node:v1.35.4"; "" if the source names none.
	Ref string
	// Archive is for `docker load` if Docker has no image of that name. If nil, Docker pulls it.
	Archive *Archive
	// Config is the kind configuration that fits the image, YAML of kind.x-k8s.io/v1alpha4. Nil is
	// kind's default.
	Config []byte
}

// Archive is a docker archive (the tar of `docker save`) with one or more images.
type Archive struct {
	// Refs are the complete names of its images: "ghcr.io/fluxcd/flagger:1.43.0".
	Refs []string
	// Size is the size in bytes of the tar; the stored size may be smaller.
	Size int64
	open func(context.Context) (io.ReadCloser, error)
}

// Open reads the archive as an uncompressed tar. Close reads the rest and returns an error if the
// bytes do not match the manifest: an archive is loaded only if both the loading and Close
// succeeded. Both stop at the end of the context.
func (a Archive) Open(ctx context.Context) (io.ReadCloser, error) { return a.open(ctx) }

// ErrMissing reports that a source lacks something.
var ErrMissing = errors.New("missing")
