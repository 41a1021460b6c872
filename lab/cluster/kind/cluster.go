// Package kind is the cluster on kind: real Kubernetes, Flagger, Prometheus and mesh, in real time,
// as installed by `coalmine up`. It plays a run there and records what it observes as the same
// facts as the sim. It does not know the script of a run or its score, nor how the cluster was
// installed.
//
// # Sources of facts
//
// Watches of the API server report Canaries, HTTPRoutes and Deployments; the agent, a pod of the
// run, reports traffic, queries, gates, alerts and Flagger's events. All use the clock of one
// machine, but reports arrive late and out of order, so facts are delayed for a moment and sorted
// (see reorderBuffer).
//
// # Faults of the lab
//
// A failure of the lab could be mistaken for one of the version under test. So pods, nodes and the
// API server are watched too, and a failure that may change the verdict ends the run with an error
// that names it: see faults.go.
package kind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/kind/install"
	"coalmine/lab/cluster/kind/kindcluster"
	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/podstatus"
	"coalmine/lab/event"
)

// Name identifies this kind of cluster in the log.
const Name = "kind"

// Options select the cluster and say how to play runs.
type Options struct {
	// Name of the kind cluster; "" is names.DefaultCluster.
	Name string
	// Config reaches the cluster; nil uses kind's for the cluster of this name.
	Config *rest.Config
	// TrafficPods is the number of pods that send the requests of each client workload; 0 means 1.
	TrafficPods int
	// Version of coalmine, for the log.
	Version string
	// Waiting is called with what a run waits for while it is prepared and ended; nil means not.
	Waiting func(what string)
}

// Cluster is an installed cluster. It plays one run at a time and rejects a second one.
type Cluster struct {
	name        string
	clients     clients
	trafficPods int
	waiting     func(what string)
	// mesh and image are as recorded by the installation.
	mesh, image string
	versions    map[string]string
}

var _ cluster.Cluster = (*Cluster)(nil)

// NotUpError reports that there is no cluster to play on.
type NotUpError struct {
	Name string
	Err  error
}

func (e *NotUpError) Error() string {
	return fmt.Sprintf("kind cluster %s is not up: %v; create it with: coalmine up --name %s", e.Name, e.Err, e.Name)
}

func (e *NotUpError) Unwrap() error { return e.Err }

// New connects to an installed cluster. The error is a [*NotUpError] if there is none.
func New(ctx context.Context, o Options) (*Cluster, error) {
	c := &Cluster{name: cmp.Or(o.Name, names.DefaultCluster), trafficPods: max(o.TrafficPods, 1), waiting: o.Waiting}
	config := o.Config
	if config == nil {
		var err error
		if config, err = kindcluster.New(c.name).RESTConfig(ctx); err != nil {
			return nil, &NotUpError{c.name, err}
		}
	}
	var err error
	if c.clients, err = newClients(config); err != nil {
		return nil, err
	}
	if err := c.readState(ctx); err != nil {
		return nil, &NotUpError{c.name, err}
	}
	return c, c.readVersions(ctx, o.Version)
}

func (c *Cluster) readState(ctx context.Context) error {
	state, err := install.ReadState(ctx, c.clients.kube)
	if err != nil {
		return err
	}
	if len(state) == 0 {
		return errors.New("coalmine is not installed in it")
	}
	c.mesh, c.image = state[install.KeyMesh], state[install.KeyImage]
	if c.mesh == "" || c.image == "" {
		return errors.New("its installation is incomplete")
	}
	return nil
}

// readVersions reads the versions of the components that play a run.
func (c *Cluster) readVersions(ctx context.Context, own string) error {
	server, err := c.clients.kube.Discovery().ServerVersion()
	if err != nil {
		return fmt.Errorf("version of Kubernetes: %w", err)
	}
	c.versions = map[string]string{"coalmine": own, "kubernetes": strings.TrimPrefix(server.GitVersion, "v")}
	parts := []struct{ name, namespace, deployment string }{
		{"flagger", names.FlaggerNamespace, "flagger"},
		{"prometheus", names.VizNamespace, "prometheus"},
		{"linkerd", names.MeshNamespace, "linkerd-destination"},
	}
	for _, p := range parts {
		if p.name == "linkerd" && c.mesh != names.Linkerd {
			continue // a bundle's own mesh has no version to name
		}
		if c.versions[p.name], err = c.imageTag(ctx, p.namespace, p.deployment); err != nil {
			return &NotUpError{c.name, fmt.Errorf("version of %s: %w", p.name, err)}
		}
	}
	return nil
}

// imageTag returns the image tag of a Deployment's first container.
func (c *Cluster) imageTag(ctx context.Context, namespace, name string) (string, error) {
	d, err := c.clients.kube.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if len(d.Spec.Template.Spec.Containers) == 0 {
		return "", fmt.Errorf("no container in Deployment %s/%s", namespace, name)
	}
	return strings.TrimPrefix(podstatus.ImageTag(d.Spec.Template.Spec.Containers[0].Image), "v"), nil
}

// Describe implements [cluster.Cluster].
func (c *Cluster) Describe() cluster.Description {
	return cluster.Description{Cluster: Name, Mesh: c.mesh, Versions: c.versions}
}

// teardownTimeout bounds the end of a session, whatever the outcome of the run.
const teardownTimeout = 45 * time.Second

// Session implements [cluster.Cluster]. The namespace of the services stays for inspection until
// the next session.
func (c *Cluster) Session(ctx context.Context, f cluster.RunSpec, rec *event.Recorder,
	script func(context.Context, cluster.World) error) error {
	held, err := c.acquireLease(ctx)
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), teardownTimeout)
		defer cancel()
		_ = c.cleanUp(end) // the run is over; the next session deletes what is left
		held.release(end)
	}()
	agent := c.clients.agent()
	applied, err := c.prepare(ctx, f, agent)
	if err != nil {
		return fmt.Errorf("prepare the cluster: %w", err)
	}
	tester, err := c.deployLoadTester(ctx, f.Guardrails)
	if err != nil {
		return fmt.Errorf("prepare the load tester: %w", err)
	}
	w, err := c.openWorld(ctx, f, rec, agent, held)
	if err != nil {
		return fmt.Errorf("prepare the cluster: %w", err)
	}
	w.tester = tester
	defer w.close()
	w.noteApplied(applied)
	return script(ctx, w)
}
