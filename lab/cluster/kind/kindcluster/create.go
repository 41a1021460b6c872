package kindcluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/kind/pkg/cluster"
)

const (
	// readyTimeout bounds how long Kubernetes may take to answer and its nodes to be ready. On two cores it takes about 20 s.
	readyTimeout = 3 * time.Minute
	// kindStopGrace is how long an ended context waits for kind, which cannot be stopped, to finish the docker command at work. The
	// container is there after it or never, so that a removal which follows finds it.
	kindStopGrace = 5 * time.Second
	// network is the one of all kind clusters.
	network = "kind"
)

// Image is what nodes are made of.
type Image struct {
	// Ref as Docker knows it; "" for kind's default.
	Ref string
	// Archive is loaded into Docker if it has no image Ref. Nil: Docker pulls it.
	Archive Archive
	// Config is kind's configuration (kind.x-k8s.io/v1alpha4 YAML) that fits the image; nil for kind's default.
	Config []byte
}

// Archive is a docker archive, as of `docker save`.
type Archive interface {
	Open(context.Context) (io.ReadCloser, error)
}

// Ensure sees that the cluster is there and answers: it creates an absent one, makes a half made one anew, starts a stopped one,
// waits for its nodes, and puts its context into the user's kubeconfig. The user's current context stays; only where there was
// none, the cluster's becomes it. Say tells what goes on. Errors of Docker are [*Problem].
func (c *Cluster) Ensure(ctx context.Context, img Image, say func(format string, args ...any)) error {
	state, err := c.State(ctx)
	if err != nil {
		return err
	}
	switch state {
	case Foreign:
		return c.foreignError()
	case Incomplete:
		say("removing a half made cluster")
		if err := c.removeContainers(ctx); err != nil {
			return err
		}
		fallthrough
	case Absent:
		if err := c.create(ctx, img, say); err != nil {
			return err
		}
	case Stopped:
		say("starting the stopped nodes")
		if err := c.start(ctx); err != nil {
			return err
		}
	}
	say("waiting for Kubernetes to answer")
	if err := c.waitReady(ctx); err != nil {
		return err
	}
	if err := c.markComplete(ctx); err != nil {
		return err
	}
	return c.addContext(ctx)
}

// Ready tells whether nothing is left for Ensure to do. A cluster that Ensure would refuse is an error.
func (c *Cluster) Ready(ctx context.Context) (bool, error) {
	state, err := c.State(ctx)
	if state == Foreign {
		return false, c.foreignError()
	}
	if err != nil || state != Running {
		return false, err
	}
	if listed, err := c.hasContext(); err != nil || !listed {
		return false, err
	}
	return c.nodesReady(ctx)
}

func (c *Cluster) create(ctx context.Context, img Image, say func(string, ...any)) error {
	engine, err := Docker(ctx)
	if err != nil {
		return err
	}
	if err := engine.CheckMemory(); err != nil {
		return err
	}
	if err := ensureImage(ctx, img, say); err != nil {
		return err
	}
	ours, err := ownsNetwork(ctx)
	if err != nil {
		return err
	}
	config, err := completeConfig(img.Config, engine, ours)
	if err != nil {
		return err
	}
	return c.kindCreate(ctx, img.Ref, config, say)
}

// ensureImage sees that Docker has the node image. kind would pull it, too, but not to be stopped and without a word of where from.
func ensureImage(ctx context.Context, img Image, say func(string, ...any)) error {
	if img.Ref == "" {
		return nil
	}
	if _, err := docker(ctx, "image", "inspect", "--format", "{{.Id}}", img.Ref); err == nil {
		return nil
	} else if p := problemOf(err); p == nil || p.Kind != Other {
		return err
	}
	if img.Archive == nil {
		say("pulling the node image %s", img.Ref)
		if _, err := docker(ctx, "pull", "--quiet", img.Ref); err != nil {
			if p := problemOf(err); p != nil && p.Kind == Other {
				return &Problem{NoImage, err, "see that this machine reaches the image's registry, or bring the cluster up with --bundle and " +
					"a file that coalmine bundle create has made where there is network"}
			}
			return err
		}
		return nil
	}
	say("loading the node image %s into Docker", img.Ref)
	return loadInto(ctx, img.Archive, func(r io.Reader) error {
		_, err := dockerInput(ctx, r, "load", "--quiet")
		return err
	})
}

// loadInto reads an archive. What was wrong with its bytes is said by Close.
func loadInto(ctx context.Context, a Archive, load func(io.Reader) error) error {
	r, err := a.Open(ctx)
	if err != nil {
		return err
	}
	err = load(r)
	if closeErr := r.Close(); closeErr != nil {
		return closeErr
	}
	return err
}

// ownsNetwork tells whether the network of kind's clusters is coalmine's to remove: when a cluster of coalmine's makes it now, or has
// made it.
func ownsNetwork(ctx context.Context) (bool, error) {
	out, err := docker(ctx, "network", "ls", "--quiet", "--filter", "name=^"+network+"$")
	if err != nil || out == "" {
		return err == nil, err
	}
	all, err := containers(ctx, "network="+network)
	return slices.ContainsFunc(all, func(n container) bool { return n.hasMarker(markerNetwork) }), err
}

// etcdPatch lets etcd answer before its log is on the disk: a machine that loses its power may lose the lab with it, which is made anew
// in two minutes, and on slow disks all else is three times as fast. A node that is stopped and started loses nothing. The form of the
// arguments is that of kubeadm.k8s.io/v1beta3, which kind v0.33 writes (sigs.k8s.io/kind, pkg/cluster/internal/kubeadm/config.go).
const etcdPatch = "kind: ClusterConfiguration\netcd:\n  local:\n    extraArgs:\n      unsafe-no-fsync: \"true\"\n"

// completeConfig completes kind's configuration: the marks, an etcd that does not wait for the disk, and what the kubelet needs on cgroup v1,
// which Kubernetes refuses since 1.35 unless told otherwise (KEP-5573).
func completeConfig(raw []byte, engine Engine, ownNetwork bool) (*v1alpha4.Cluster, error) {
	config := &v1alpha4.Cluster{}
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(config); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read kind's configuration: %w", err)
	}
	v1alpha4.SetDefaultsCluster(config)
	marks := []v1alpha4.Mount{{HostPath: markerSource, ContainerPath: markerCreated, Readonly: true}}
	if ownNetwork {
		marks = append(marks, v1alpha4.Mount{HostPath: markerSource, ContainerPath: markerNetwork, Readonly: true})
	}
	for i := range config.Nodes {
		config.Nodes[i].ExtraMounts = append(config.Nodes[i].ExtraMounts, marks...)
	}
	config.KubeadmConfigPatches = append(config.KubeadmConfigPatches, etcdPatch)
	if engine.CgroupVersion == "1" {
		config.KubeadmConfigPatches = append(config.KubeadmConfigPatches, "kind: KubeletConfiguration\nfailCgroupV1: false\n")
	}
	return config, nil
}

// kindCreate lets kind create the cluster. The kubeconfig that kind writes goes to a folder that is thrown away: kind would switch
// the user's current context.
func (c *Cluster) kindCreate(ctx context.Context, ref string, config *v1alpha4.Cluster, say func(string, ...any)) error {
	dir, err := os.MkdirTemp("", "coalmine-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	done := make(chan error, 1)
	go func() {
		provider := cluster.NewProvider(cluster.ProviderWithDocker(), cluster.ProviderWithLogger(logger{ctx, say}))
		done <- provider.Create(c.name,
			cluster.CreateWithV1Alpha4Config(config),
			cluster.CreateWithNodeImage(ref),
			cluster.CreateWithKubeconfigPath(filepath.Join(dir, "kubeconfig")),
			// A cluster that could not be made is left for Delete, and for those who ask why.
			cluster.CreateWithRetain(true))
	}()
	select {
	case err := <-done:
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return classify(err)
	case <-ctx.Done():
	}
	select {
	case <-done:
	case <-time.After(kindStopGrace):
	}
	return context.Cause(ctx)
}

func (c *Cluster) start(ctx context.Context) error {
	all, err := c.containers(ctx)
	if err != nil {
		return err
	}
	for _, n := range all {
		if _, err := docker(ctx, "start", n.Name); err != nil {
			return err
		}
	}
	return nil
}

// waitReady waits until Kubernetes answers and every node is ready.
func (c *Cluster) waitReady(ctx context.Context) error {
	var why error
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, readyTimeout, true, func(ctx context.Context) (bool, error) {
		ready, err := c.nodesReady(ctx)
		why = err
		return ready && err == nil, nil
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case why == nil:
		why = fmt.Errorf("its nodes are not ready")
	}
	return &Problem{NotReady, fmt.Errorf("cluster %s has not come up within %v: %w", c.name, readyTimeout, why), fmt.Sprintf(
		"docker logs %s-control-plane says how far it came; coalmine down --name %s, then up, begins anew", c.name, c.name)}
}

func (c *Cluster) nodesReady(ctx context.Context) (bool, error) {
	config, err := c.RESTConfig(ctx)
	if err != nil {
		return false, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return false, err
	}
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	return len(list.Items) > 0 && !slices.ContainsFunc(list.Items, notReady), nil
}

func notReady(n corev1.Node) bool {
	return !slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// markComplete marks the cluster as made.
func (c *Cluster) markComplete(ctx context.Context) error {
	all, err := c.containers(ctx)
	if err != nil {
		return err
	}
	first, ok := controlPlane(all)
	if !ok {
		return fmt.Errorf("cluster %s has lost its control plane", c.name)
	}
	_, err = docker(ctx, "exec", first.Name, "touch", completeFile)
	return err
}
