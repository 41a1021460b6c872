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
	// readyTimeout bounds how long Kubernetes may take to respond with its nodes ready. On two
	// cores it takes about 20 s.
	readyTimeout = 3 * time.Minute
	// kindStopGrace is how long to wait, after the end of the context, for kind to finish its
	// current docker command; kind cannot be stopped. After that the container exists or never
	// will, so a deletion that follows finds it.
	kindStopGrace = 5 * time.Second
	// network is the Docker network of all kind clusters.
	network = "kind"
)

// Image is the node image.
type Image struct {
	// Ref is its name in Docker; "" is kind's default.
	Ref string
	// Archive is loaded if Docker has no image Ref. If nil, Docker pulls it.
	Archive Archive
	// Config is the kind configuration (kind.x-k8s.io/v1alpha4 YAML) that fits the image; nil is
	// kind's default.
	Config []byte
}

// Archive is an archive of `docker save`.
type Archive interface {
	Open(context.Context) (io.ReadCloser, error)
}

// Ensure creates the cluster and waits until it responds: it creates an absent cluster, recreates
// an incomplete one, starts a stopped one, waits for its nodes, and adds its context to the user's
// kubeconfig. The current context does not change unless there is none. Say reports progress.
// Errors of Docker are of type [*Problem].
func (c *Cluster) Ensure(ctx context.Context, img Image, say func(format string, args ...any)) error {
	state, err := c.State(ctx)
	if err != nil {
		return err
	}
	switch state {
	case Foreign:
		return c.foreignError()
	case Incomplete:
		say("deleting an incomplete cluster")
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
	say("waiting for Kubernetes to respond")
	if err := c.waitReady(ctx); err != nil {
		return err
	}
	if err := c.markComplete(ctx); err != nil {
		return err
	}
	return c.addContext(ctx)
}

// Ready reports whether Ensure has nothing left to do. It returns an error if Ensure would refuse
// the cluster.
func (c *Cluster) Ready(ctx context.Context) (bool, error) {
	state, err := c.State(ctx)
	if state == Foreign {
		return false, c.foreignError()
	}
	if err != nil || state != Running {
		return false, err
	}
	if inConfig, err := c.hasContext(); err != nil || !inConfig {
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
	ownNetwork, err := ownsNetwork(ctx)
	if err != nil {
		return err
	}
	config, err := completeConfig(img.Config, engine, ownNetwork)
	if err != nil {
		return err
	}
	return c.kindCreate(ctx, img.Ref, config, say)
}

// ensureImage provides the node image in Docker. kind would pull it too, but without cancellation
// and without reporting where from.
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
				return &Problem{NoImage, err, "check that this machine reaches the image's registry, or use " +
					"coalmine up --bundle with a file from coalmine bundle create, made on a connected machine"}
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

// loadInto reads an archive. Close reports whether its bytes were damaged.
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

// ownsNetwork reports whether coalmine may delete the network of kind's clusters: if a cluster of
// coalmine's creates it now, or has created it.
func ownsNetwork(ctx context.Context) (bool, error) {
	out, err := docker(ctx, "network", "ls", "--quiet", "--filter", "name=^"+network+"$")
	if err != nil || out == "" {
		return err == nil, err
	}
	all, err := containers(ctx, "network="+network)
	return slices.ContainsFunc(all, func(n container) bool { return n.hasMarker(markerNetwork) }), err
}

// etcdPatch lets etcd respond before its log is on disk: a machine that loses power may lose the
// cluster, which is recreated in two minutes, and on slow disks everything else is three times as
// fast. A node that is stopped and started loses nothing. The arguments have the form of
// kubeadm.k8s.io/v1beta3, which kind v0.33 writes (sigs.k8s.io/kind,
// pkg/cluster/internal/kubeadm/config.go).
const etcdPatch = "kind: ClusterConfiguration\netcd:\n  local:\n    extraArgs:\n      unsafe-no-fsync: \"true\"\n"

// completeConfig completes a kind configuration: the markers, an etcd that does not wait for the
// disk, and the setting that the kubelet needs on cgroup v1, which Kubernetes rejects by default
// since 1.35 (KEP-5573).
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
		config.KubeadmConfigPatches = append(config.KubeadmConfigPatches,
			"kind: KubeletConfiguration\nfailCgroupV1: false\n")
	}
	return config, nil
}

// kindCreate runs kind. The kubeconfig that kind writes goes to a temporary folder: kind would
// switch the user's current context.
func (c *Cluster) kindCreate(ctx context.Context, ref string, config *v1alpha4.Cluster,
	say func(string, ...any)) error {
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
			// Keep a cluster that could not be created for Delete and for troubleshooting.
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

// waitReady waits until Kubernetes responds and every node is ready.
func (c *Cluster) waitReady(ctx context.Context) error {
	var lastErr error
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, readyTimeout, true,
		func(ctx context.Context) (bool, error) {
			ready, err := c.nodesReady(ctx)
			lastErr = err
			return ready && err == nil, nil
		})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case lastErr == nil:
		lastErr = fmt.Errorf("its nodes are not ready")
	}
	return &Problem{NotReady, fmt.Errorf("cluster %s is not ready after %v: %w", c.name, readyTimeout, lastErr),
		fmt.Sprintf(
			"docker logs %s-control-plane shows how far it got; recreate it with coalmine down --name %s, then up",
			c.name, c.name)}
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

// markComplete writes completeFile.
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
