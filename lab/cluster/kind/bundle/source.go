// Package bundle has where a bring-up takes from what coalmine does not make itself: the node image, the images of pods, charts and
// CRDs. That is the network, or a bundle: one file, made once on a connected machine, for rooms that have no network.
//
// It knows files, registries and Docker's archives, and neither clusters nor what charts say.
package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Source is where a bring-up takes from what it needs. Nothing in it changes while it is used.
type Source interface {
	// String says for people where things come from: "the network", "bundle class.bundle".
	fmt.Stringer
	// Node is the machine image of the cluster.
	Node() Node
	// Images are to be put into every node before pods ask for them. None if nodes pull what they need.
	Images() []Archive
	// Own is coalmine's own image, for a binary that cannot be made into one; see package image. Nil if there is none.
	Own() *Archive
	// Mesh is the mesh that the source brings, nil for Linkerd.
	Mesh() *Mesh
	// Chart is a packaged chart (.tgz) by its name: "linkerd-crds". The error is ErrMissing if the source hasn't got it.
	Chart(ctx context.Context, name string) ([]byte, error)
	// CRDs are YAML documents by their name: [GatewayAPI]. The error is ErrMissing if the source hasn't got them.
	CRDs(ctx context.Context, name string) ([]byte, error)
	io.Closer
}

// GatewayAPI is the name of Gateway API's CRDs, standard channel.
const GatewayAPI = "gateway-api"

// Node is the image that kind makes nodes of.
type Node struct {
	// Ref as Docker knows it: "coalmine/kind-node:v1.35.4"; "" if the source names none.
	Ref string
	// Archive is to be loaded into Docker by `docker load`, if it has no image of that name. Nil: Docker pulls it.
	Archive *Archive
	// Config is kind's configuration that fits the image, as YAML of kind.x-k8s.io/v1alpha4. Nil: kind's own.
	Config []byte
}

// Archive is a docker archive (the tar of `docker save`) with one image or several.
type Archive struct {
	// Refs are the images in it, in full: "ghcr.io/fluxcd/flagger:1.43.0".
	Refs []string
	// Size in bytes as a tar; what is stored may be smaller.
	Size int64
	open func(context.Context) (io.ReadCloser, error)
}

// Open reads the archive as an uncompressed tar. Close reads what is left, and returns an error if the bytes were not those that the
// bundle was made of: an archive is loaded once both the loading and Close were without an error. After the context's end neither
// reads on.
func (a Archive) Open(ctx context.Context) (io.ReadCloser, error) { return a.open(ctx) }

// ErrMissing is what a source hasn't got.
var ErrMissing = errors.New("missing")
