package preflight

import (
	"context"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"coalmine/lab/cluster/kind/kindcluster"
)

// Engine is the container engine, as far as checks ask for it.
type Engine interface {
	// Ping tells whether the engine answers, with its version; the error has its own hint.
	Ping(ctx context.Context) (version string, err error)
	// Memory is what the engine's machine has, in bytes.
	Memory(ctx context.Context) (int64, error)
	// State is that of a cluster's containers.
	State(ctx context.Context, cluster string) (kindcluster.State, error)
}

// Prometheus answers instant queries.
type Prometheus interface {
	// Query returns the samples of a vector by their labels.
	Query(ctx context.Context, promQL string) ([]Sample, error)
}

// Sample is one value of a query's answer.
type Sample struct {
	Labels map[string]string
	Value  float64
}

// Lab is the lab that is looked at. Checks fill in what later ones build on.
type Lab struct {
	// Cluster is the kind cluster's name.
	Cluster string
	Engine  Engine
	// Connect makes the cluster's configuration from its name.
	Connect func(ctx context.Context, cluster string) (*rest.Config, error)
	// Prometheus reaches the lab's Prometheus; the function frees what it needs for it.
	Prometheus func(ctx context.Context, c *rest.Config) (Prometheus, func(), error)
	// Image is the tag that the running binary's image has; "" where it cannot be known.
	Image string
	Now   func() time.Time

	config  *rest.Config
	kube    kubernetes.Interface
	objects dynamic.Interface
	// mesh is the one that the cluster was brought up with.
	mesh       string
	prometheus Prometheus
	close      func()
}

// Close frees what checks have opened.
func (l *Lab) Close() {
	if l.close != nil {
		l.close()
	}
}

// Mesh is the one that the cluster was brought up with, "" where no check has found it out.
func (l *Lab) Mesh() string { return l.mesh }
