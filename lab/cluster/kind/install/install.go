// Package install defines the steps that create a cluster: the kind cluster, its images, and what
// is applied to it, in an order in which each step needs only earlier ones. Package steps runs
// them.
//
// The cluster records each finished step with a digest of all its inputs. An interrupted
// installation continues where it stopped, and one with another coalmine, other mesh values or
// other versions repeats only what these change.
//
// The trust chain is created once for each cluster and then kept. The mesh of a cluster cannot
// change.
package install

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"

	"coalmine/lab/cluster/kind/apply"
	"coalmine/lab/cluster/kind/bundle"
	"coalmine/lab/cluster/kind/certs"
	"coalmine/lab/cluster/kind/kindcluster"
	"coalmine/lab/cluster/kind/steps"
	"coalmine/lab/cluster/names"
	"coalmine/manifests"
)

// Plan says what to install.
type Plan struct {
	Cluster *kindcluster.Cluster
	// Source provides everything that coalmine does not make itself, including the mesh: see
	// [bundle.Source.Mesh].
	Source bundle.Source
	// Services returns the demo services that exist while no run is played, with coalmine's image.
	// Runs replace them.
	Services func(image string) ([]*unstructured.Unstructured, error)
	// Now is the clock for certificates.
	Now func() time.Time
}

// Installer executes a plan. Its steps share state and run one at a time.
type Installer struct {
	Plan
	// mesh is nil for Linkerd.
	mesh  *bundle.Mesh
	pins  manifests.Pins
	conn  *connection
	own   func() (ownImage, error)
	chain certs.Chain
	// waitFor lists the workloads of all steps.
	waitFor []apply.Ref
}

// connection is access to the cluster's API.
type connection struct {
	apply *apply.Client
	kube  kubernetes.Interface
	// version is the version of Kubernetes and apis its API versions, for charts.
	version string
	apis    []string
}

// New checks a plan. The context bounds work that the steps share.
func New(ctx context.Context, p Plan) (*Installer, error) {
	pins, err := manifests.Versions()
	if err != nil {
		return nil, err
	}
	return &Installer{Plan: p, mesh: p.Source.Mesh(), pins: pins,
		own: sync.OnceValues(func() (ownImage, error) { return findOwnImage(ctx, p.Source) })}, nil
}

// Steps returns the steps in order.
func (g *Installer) Steps() []steps.Step {
	steps := []steps.Step{g.clusterStep(), g.imagesStep(), g.componentStep(gatewayAPI()), g.certsStep()}
	for _, p := range g.meshComponents() {
		steps = append(steps, g.componentStep(p))
	}
	return append(steps, g.componentStep(flagger()), g.componentStep(develop()), g.servicesStep(), g.readyStep())
}

// connect connects to the cluster once.
func (g *Installer) connect(ctx context.Context) (*connection, error) {
	if g.conn != nil {
		return g.conn, nil
	}
	config, err := g.Cluster.RESTConfig(ctx)
	if err != nil {
		return nil, err
	}
	c := &connection{}
	if c.apply, err = apply.New(config); err != nil {
		return nil, err
	}
	if c.kube, err = kubernetes.NewForConfig(config); err != nil {
		return nil, err
	}
	version, err := c.kube.Discovery().ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("query the cluster's version: %w", err)
	}
	c.version = version.GitVersion
	if err := c.readAPIs(); err != nil {
		return nil, err
	}
	g.conn = c
	return c, nil
}

// readAPIs reads the API versions again: steps add some.
func (c *connection) readAPIs() error {
	groups, err := c.kube.Discovery().ServerGroups()
	if err != nil {
		return fmt.Errorf("query the cluster's API versions: %w", err)
	}
	c.apis = nil
	for _, g := range groups.Groups {
		for _, v := range g.Versions {
			c.apis = append(c.apis, v.GroupVersion)
		}
	}
	return nil
}

// params returns the parameters of manifests. The chain exists once step trust is done.
func (g *Installer) params() manifests.Params {
	p := manifests.Params{
		Mesh:  g.meshName(),
		Roots: string(g.chain.Roots), IssuerCert: string(g.chain.IssuerCert), IssuerKey: string(g.chain.IssuerKey),
	}
	if g.mesh != nil {
		p.MeshImage, p.Extra = g.mesh.Image, g.mesh.Manifests
	}
	return p
}

func (g *Installer) meshName() string {
	if g.mesh == nil {
		return names.Linkerd
	}
	return g.mesh.Name
}
