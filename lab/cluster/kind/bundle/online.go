package bundle

import (
	"context"
	"fmt"
	"net/http"

	"coalmine/lab/cluster/kind/chart"
	"coalmine/manifests"
)

// Online takes everything from the network, at the pinned versions: Docker pulls the node image, nodes pull those of pods, and charts
// and CRDs are fetched by HTTPS and held to their checksums.
type Online struct {
	Pins manifests.Pins
	// Client is nil for HTTP's own.
	Client *http.Client
}

// String names the network.
func (o Online) String() string { return "the network" }

// Node is the pinned image, which Docker pulls.
func (o Online) Node() Node { return Node{Ref: o.Pins.Node.Image} }

// Images are none: nodes pull theirs.
func (o Online) Images() []Archive { return nil }

// Own is nil: no registry has coalmine's own image.
func (o Online) Own() *Archive { return nil }

// Mesh is nil: Linkerd.
func (o Online) Mesh() *Mesh { return nil }

// Close has nothing to close.
func (o Online) Close() error { return nil }

// Chart fetches a chart from its repository.
func (o Online) Chart(ctx context.Context, name string) ([]byte, error) {
	c, ok := o.Pins.Chart(name)
	if !ok {
		return nil, fmt.Errorf("chart %s: %w: no version of it is pinned", name, ErrMissing)
	}
	return chart.Fetch(ctx, o.client(), c)
}

// CRDs fetches CRDs.
func (o Online) CRDs(ctx context.Context, name string) ([]byte, error) {
	if name != GatewayAPI {
		return nil, fmt.Errorf("CRDs %s: %w: no version of them is pinned", name, ErrMissing)
	}
	return chart.FetchGatewayAPI(ctx, o.client(), o.Pins.GatewayAPI)
}

func (o Online) client() *http.Client {
	if o.Client == nil {
		return http.DefaultClient
	}
	return o.Client
}
