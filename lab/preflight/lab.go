package preflight

import (
	"context"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"coalmine/lab/cluster/kind/kindcluster"
)

// Engine is the part of the container engine that checks use.
type Engine interface {
	// Ping returns the engine's version; the error has its own hint.
	Ping(ctx context.Context) (version string, err error)
	// Memory returns the memory of the engine's machine in bytes.
	Memory(ctx context.Context) (int64, error)
	// State returns the state of a cluster's containers.
	State(ctx context.Context, cluster string) (kindcluster.State, error)
}

// Prometheus answers instant queries.
type Prometheus interface {
	// Query returns the samples of a vector.
	Query(ctx context.Context, promQL string) ([]Sample, error)
}

// Sample is one value of a query result.
type Sample struct {
	Labels map[string]string
	Value  float64
}

// Lab is what the checks look at. Checks fill in what later ones need.
type Lab struct {
	// Cluster is the name of the kind cluster.
	Cluster string
	Engine  Engine
	// Connect returns the configuration for a cluster by its name.
	Connect func(ctx context.Context, cluster string) (*rest.Config, error)
	// Prometheus connects to the cluster's Prometheus; the function closes the connection.
	Prometheus func(ctx context.Context, c *rest.Config) (Prometheus, func(), error)
	// Image is the image tag of the running binary, or "" if unknown.
	Image string
	Now   func() time.Time

	config  *rest.Config
	kube    kubernetes.Interface
	objects dynamic.Interface
	// mesh is the mesh the cluster was created with.
	mesh       string
	prometheus Prometheus
	close      func()
}

// Close releases what the checks have opened.
func (l *Lab) Close() {
	if l.close != nil {
		l.close()
	}
}

// Mesh returns the mesh the cluster was created with, or "" if no check has found out.
func (l *Lab) Mesh() string { return l.mesh }
