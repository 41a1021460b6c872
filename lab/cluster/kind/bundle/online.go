package bundle

import (
	"context"
	"fmt"
	"net/http"

	"coalmine/lab/cluster/kind/chart"
	"coalmine/manifests"
)

// Online downloads everything at the pinned versions: Docker pulls the node image, nodes pull the
// images of pods, and charts and CRDs are downloaded over HTTPS and checked against their
// checksums.
type Online struct {
	Pins manifests.Pins
	// Client may be nil for the default client.
	Client *http.Client
}

// String returns "the network".
func (o Online) String() string { return "the network" }

// Node returns the pinned image, which Docker pulls.
func (o Online) Node() Node { return Node{Ref: o.Pins.Node.Image} }

// Images returns none: nodes pull theirs.
func (o Online) Images() []Archive { return nil }

// Own returns nil: no registry has coalmine's own image.
func (o Online) Own() *Archive { return nil }

// Mesh returns nil, which is Linkerd.
func (o Online) Mesh() *Mesh { return nil }

// Close does nothing.
func (o Online) Close() error { return nil }

// Chart downloads a chart from its repository.
func (o Online) Chart(ctx context.Context, name string) ([]byte, error) {
	c, ok := o.Pins.Chart(name)
	if !ok {
		return nil, fmt.Errorf("chart %s: %w: no pinned version", name, ErrMissing)
	}
	return chart.Fetch(ctx, o.client(), c)
}

// CRDs downloads CRDs.
func (o Online) CRDs(ctx context.Context, name string) ([]byte, error) {
	if name != GatewayAPI {
		return nil, fmt.Errorf("CRDs %s: %w: no pinned version", name, ErrMissing)
	}
	return chart.FetchGatewayAPI(ctx, o.client(), o.Pins.GatewayAPI)
}

func (o Online) client() *http.Client {
	if o.Client == nil {
		return http.DefaultClient
	}
	return o.Client
}
