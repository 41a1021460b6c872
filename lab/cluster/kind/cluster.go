// Package kind is the cluster on kind: real Kubernetes, Flagger, Prometheus and mesh, in real time, as `coalmine up` has brought
// them up. It plays a flight there and tells what it observes in the same facts as the sim. It knows how a flight is played, not what
// its story or its score is, nor how the cluster came to be.
//
// # Where facts come from
//
// Watches of the API server tell of Canaries, HTTPRoutes and Deployments; the desk, a pod of the flight, tells of traffic, queries,
// gates, alerts and what Flagger says. All clocks are one machine's, but what they tell arrives late and out of order: so facts are
// held back for a moment and sorted (see order).
//
// # Faults of the lab
//
// What fails here besides the version under test would be taken for its doing. So pods, nodes and the API server are watched too,
// and a failure that may change the verdict ends the run with an error that says what failed: see faults.
package kind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/kind/kindcluster"
	"coalmine/lab/cluster/names"
	"coalmine/lab/event"
)

// Name is what the log calls this kind of cluster.
const Name = "kind"

// Options say which cluster is played on, and how.
type Options struct {
	// Name of the kind cluster; "" stands for place.DefaultCluster.
	Name string
	// Config reaches the cluster; nil asks kind for the one of this name.
	Config *rest.Config
	// TrafficPods is the number of pods that send the requests of each client workload; 0 stands for 1.
	TrafficPods int
	// Version of coalmine, for the log.
	Version string
}

// Cluster is a cluster that was brought up. It plays one flight at a time: a second one is refused.
type Cluster struct {
	name        string
	clients     clients
	trafficPods int
	// mesh and image are those of the bring-up.
	mesh, image string
	versions    map[string]string
}

var _ cluster.Cluster = (*Cluster)(nil)

// NotUpError says that there is no cluster to play on.
type NotUpError struct {
	Name string
	Err  error
}

func (e *NotUpError) Error() string {
	return fmt.Sprintf("kind cluster %s is not up: %v; bring it up by: coalmine up --name %s", e.Name, e.Err, e.Name)
}

func (e *NotUpError) Unwrap() error { return e.Err }

// New finds a cluster that was brought up. Its error is a [*NotUpError] where there is none.
func New(ctx context.Context, o Options) (*Cluster, error) {
	c := &Cluster{name: cmp.Or(o.Name, names.DefaultCluster), trafficPods: max(o.TrafficPods, 1)}
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

// Keys of the state that the bring-up leaves.
const (
	stateMesh  = "mesh"
	stateImage = "image"
)

func (c *Cluster) readState(ctx context.Context) error {
	state, err := c.clients.kube.CoreV1().ConfigMaps(names.LabNamespace).Get(ctx, names.StateConfigMap, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return errors.New("nothing of coalmine's is in it")
	case err != nil:
		return err
	}
	c.mesh, c.image = state.Data[stateMesh], state.Data[stateImage]
	if c.mesh == "" || c.image == "" {
		return errors.New("its bring-up has not ended")
	}
	return nil
}

// readVersions finds the versions of what plays a run here.
func (c *Cluster) readVersions(ctx context.Context, own string) error {
	server, err := c.clients.kube.Discovery().ServerVersion()
	if err != nil {
		return fmt.Errorf("the version of Kubernetes: %w", err)
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
			return &NotUpError{c.name, fmt.Errorf("the version of %s: %w", p.name, err)}
		}
	}
	return nil
}

// imageTag is the tag of the image of a Deployment's first container.
func (c *Cluster) imageTag(ctx context.Context, namespace, name string) (string, error) {
	d, err := c.clients.kube.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if len(d.Spec.Template.Spec.Containers) == 0 {
		return "", fmt.Errorf("no container in Deployment %s/%s", namespace, name)
	}
	image, _, _ := strings.Cut(d.Spec.Template.Spec.Containers[0].Image, "@")
	tag := image[strings.LastIndexByte(image, ':')+1:]
	return strings.TrimPrefix(tag, "v"), nil
}

// Describe implements [lab.Cluster].
func (c *Cluster) Describe() cluster.Description {
	return cluster.Description{Cluster: Name, Mesh: c.mesh, Versions: c.versions}
}

// teardownTimeout is how long a session's end may take, whatever has become of the run.
const teardownTimeout = 45 * time.Second

// Session implements [lab.Cluster]. The namespace of the services stays behind for whoever wants to look, until the next session.
func (c *Cluster) Session(ctx context.Context, f cluster.RunSpec, rec *event.Recorder, story func(context.Context, cluster.World) error) error {
	held, err := c.acquireLease(ctx)
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), teardownTimeout)
		defer cancel()
		_ = c.cleanUp(end) // the story is told; the next session clears what is left
		held.release(end)
	}()
	desk := c.clients.agent()
	applied, err := c.prepare(ctx, f, desk)
	if err != nil {
		return fmt.Errorf("prepare the cluster: %w", err)
	}
	w, err := c.openWorld(ctx, f, rec, desk, held)
	if err != nil {
		return fmt.Errorf("prepare the cluster: %w", err)
	}
	defer w.close()
	w.noteApplied(applied)
	return story(ctx, w)
}
