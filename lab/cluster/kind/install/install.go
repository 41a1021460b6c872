// Package install has the steps by which a lab comes up: the cluster, the images in it, and what is applied there, in an order in
// which each stands on those before it. Package bringup goes through them; here is what they are.
//
// What a step makes is recorded in the cluster, by a digest of all that it was made of. So a bring-up that was cut off goes on where
// it was, and one with another coalmine, mesh values or versions does again what these change and nothing else.
//
// The trust chain is made once for each cluster and then kept. A cluster stays with the mesh that it came up with.
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

// Plan says what is to come up.
type Plan struct {
	Cluster *kindcluster.Cluster
	// Source is where everything comes from that coalmine does not make itself. It decides on the
	// mesh: see [bundle.Source.Mesh].
	Source bundle.Source
	// Services are the objects of the demo services that stand in the cluster while no run is played, with coalmine's image. Runs
	// replace them.
	Services func(image string) ([]*unstructured.Unstructured, error)
	// Now is the clock, for certificates.
	Now func() time.Time
}

// Installer is a plan under way. Its steps share what one finds out and the next needs, and are taken one at a time.
type Installer struct {
	Plan
	// mesh is nil for Linkerd.
	mesh  *bundle.Mesh
	pins  manifests.Pins
	conn  *connection
	own   func() (ownImage, error)
	chain certs.Chain
	// waitFor are the workloads of all steps.
	waitFor []apply.Ref
}

// connection is how to speak to the cluster.
type connection struct {
	apply *apply.Client
	kube  kubernetes.Interface
	// version is Kubernetes's, apis are its API versions, for charts.
	version string
	apis    []string
}

// New reads a plan. The context bounds what the steps find out for all of them.
func New(ctx context.Context, p Plan) (*Installer, error) {
	pins, err := manifests.Versions()
	if err != nil {
		return nil, err
	}
	return &Installer{Plan: p, mesh: p.Source.Mesh(), pins: pins, own: sync.OnceValues(func() (ownImage, error) { return findOwnImage(ctx, p.Source) })}, nil
}

// Steps are all of them, in their order.
func (g *Installer) Steps() []steps.Step {
	steps := []steps.Step{g.clusterStep(), g.imagesStep(), g.componentStep(gatewayAPI()), g.certsStep()}
	for _, p := range g.meshComponents() {
		steps = append(steps, g.componentStep(p))
	}
	return append(steps, g.componentStep(flagger()), g.componentStep(develop()), g.servicesStep(), g.readyStep())
}

// connect finds out once how to speak to the cluster.
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
		return nil, fmt.Errorf("ask the cluster for its version: %w", err)
	}
	c.version = version.GitVersion
	if err := c.readAPIs(); err != nil {
		return nil, err
	}
	g.conn = c
	return c, nil
}

// readAPIs asks for the API versions anew: steps add some.
func (c *connection) readAPIs() error {
	groups, err := c.kube.Discovery().ServerGroups()
	if err != nil {
		return fmt.Errorf("ask the cluster for its API versions: %w", err)
	}
	c.apis = nil
	for _, g := range groups.Groups {
		for _, v := range g.Versions {
			c.apis = append(c.apis, v.GroupVersion)
		}
	}
	return nil
}

// params are what manifests are filled in with. The chain is there once the step trust was taken.
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
