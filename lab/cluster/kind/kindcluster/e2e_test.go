//go:build e2e

package kindcluster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"coalmine/lab/cluster/kind/kindcluster"
)

// The node image, its kind configuration and an image archive, made without a registry;
// COALMINE_OFFLINE is their folder.
const nodeImage = "coalmine/kind-node:v1.35.4"

func offline(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("COALMINE_OFFLINE")
	if dir == "" {
		t.Skip("set COALMINE_OFFLINE to a folder with kind.yaml and images/")
	}
	// The other tests put their docker command before the real one on the PATH.
	_, path, _ := strings.Cut(os.Getenv("PATH"), string(os.PathListSeparator))
	t.Setenv("PATH", path)
	return dir
}

type file string

func (f file) Open(context.Context) (io.ReadCloser, error) { return os.Open(string(f)) }

func ensure(t *testing.T, c *kindcluster.Cluster, dir string) {
	t.Helper()
	config, err := os.ReadFile(filepath.Join(dir, "kind.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ensure(t.Context(), kindcluster.Image{Ref: nodeImage, Config: config}, t.Logf); err != nil {
		t.Fatal(err)
	}
}

// TestCluster creates a cluster, uses it, stops it, starts it, and deletes it.
func TestCluster(t *testing.T) {
	dir := offline(t)
	kubeconfig := filepath.Join(t.TempDir(), "kube", "config")
	t.Setenv("KUBECONFIG", kubeconfig)
	theirs := api.NewConfig()
	theirs.Contexts["work"] = &api.Context{Cluster: "work", AuthInfo: "me"}
	theirs.CurrentContext = "work"
	if err := clientcmd.WriteToFile(*theirs, kubeconfig); err != nil {
		t.Fatal(err)
	}
	c := kindcluster.New("coalmine-e2e-node")
	t.Cleanup(func() { _, _ = c.Delete(context.WithoutCancel(t.Context())) })

	ensure(t, c, dir)
	if ready, err := c.Ready(t.Context()); err != nil || !ready {
		t.Fatalf("ready %v, %v", ready, err)
	}
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil || config.CurrentContext != "work" || config.Contexts[c.Context()] == nil {
		t.Errorf("kubeconfig: current %q, contexts %v, %v", config.CurrentContext, config.Contexts, err)
	}
	pods(t, c)
	load(t, c, dir)
	if u, err := c.Usage(t.Context()); err != nil || u.Memory < 100<<20 || u.CPU <= 0 {
		t.Errorf("usage %+v, %v", u, err)
	}

	docker(t, "stop", c.Name()+"-control-plane")
	if s, err := c.State(t.Context()); s != kindcluster.Stopped || err != nil {
		t.Errorf("state %q, %v; want %q", s, err, kindcluster.Stopped)
	}
	ensure(t, c, dir)
	pods(t, c)

	removed, err := c.Delete(t.Context())
	if err != nil || len(removed.Containers) != 1 || removed.Context != c.Context() {
		t.Errorf("removed %+v, %v", removed, err)
	}
	if removed, err = c.Delete(t.Context()); err != nil || !removed.Empty() {
		t.Errorf("removed %+v again, %v", removed, err)
	}
}

// TestIncompleteCluster interrupts a creation and then creates the cluster.
func TestIncompleteCluster(t *testing.T) {
	dir := offline(t)
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "config"))
	c := kindcluster.New("coalmine-e2e-unfinished")
	t.Cleanup(func() { _, _ = c.Delete(context.WithoutCancel(t.Context())) })
	ctx, stop := context.WithCancel(t.Context())
	config, err := os.ReadFile(filepath.Join(dir, "kind.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	err = c.Ensure(ctx, kindcluster.Image{Ref: nodeImage, Config: config}, func(format string, args ...any) {
		if said := fmt.Sprintf(format, args...); strings.HasPrefix(said, "starting") { // kubeadm init
			stop()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted creation ended with %v", err)
	}
	if s, err := c.State(t.Context()); err != nil || s != kindcluster.Incomplete {
		t.Fatalf("state %q, %v; want %q", s, err, kindcluster.Incomplete)
	}
	ensure(t, c, dir)
	pods(t, c)
}

func pods(t *testing.T, c *kindcluster.Cluster) {
	t.Helper()
	config, err := c.RESTConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := kubernetes.NewForConfigOrDie(config).CoreV1().Pods("kube-system").List(t.Context(),
		metav1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		t.Errorf("pods %v, %v", list, err)
	}
}

func load(t *testing.T, c *kindcluster.Cluster, dir string) {
	t.Helper()
	refs := []string{"registry.k8s.io/nothing:v0", "ghcr.io/fluxcd/flagger:1.43.0"}
	if missing, err := c.Missing(t.Context(), refs); err != nil || !slices.Equal(missing, refs) {
		t.Errorf("missing %v, %v; want %v", missing, err, refs)
	}
	if err := c.Load(t.Context(), file(filepath.Join(dir, "images", "flagger.tar"))); err != nil {
		t.Fatal(err)
	}
	if missing, err := c.Missing(t.Context(), refs); err != nil || !slices.Equal(missing, refs[:1]) {
		t.Errorf("missing %v, %v after loading; want %v", missing, err, refs[:1])
	}
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
