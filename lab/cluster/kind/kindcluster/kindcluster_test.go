package kindcluster_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"coalmine/lab/cluster/kind/kindcluster"
)

const (
	made    = "/coalmine/made"
	network = "/coalmine/network"
)

// of is the container of a cluster with one node.
func of(cluster string, mounts ...string) fakeContainer {
	return fakeContainer{
		Name: cluster + "-control-plane", Network: "kind", Mounts: mounts, Complete: true,
		Labels: map[string]string{"io.x-k8s.kind.cluster": cluster, "io.x-k8s.kind.role": "control-plane"},
	}
}

func TestState(t *testing.T) {
	half := of("lab", made)
	half.Complete = false
	stopped := of("lab", made)
	stopped.Stopped = true
	for _, c := range []struct {
		want       kindcluster.State
		containers []fakeContainer
	}{
		{kindcluster.Absent, nil},
		{kindcluster.Absent, []fakeContainer{of("other", made)}},
		{kindcluster.Incomplete, []fakeContainer{half}},
		{kindcluster.Stopped, []fakeContainer{stopped}},
		{kindcluster.Running, []fakeContainer{of("lab", made)}},
		{kindcluster.Foreign, []fakeContainer{of("lab")}},
	} {
		t.Run(string(c.want), func(t *testing.T) {
			newWorld(t, world{Containers: c.containers})
			got, err := kindcluster.New("lab").State(t.Context())
			if got != c.want || err != nil {
				t.Errorf("state %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// TestFailedCreationIsRecognized lets kind create a cluster up to where it needs a real container:
// what is left must be recognized as coalmine's own and incomplete, or nothing would ever delete
// it. It fails if kind changes what the markers depend on.
func TestFailedCreationIsRecognized(t *testing.T) {
	w := newWorld(t, world{Images: []string{"node:v1"}})
	c := kindcluster.New("lab")
	img := kindcluster.Image{Ref: "node:v1"}
	if err := c.Ensure(t.Context(), img, t.Logf); err == nil {
		t.Fatal("a cluster came up in a docker that runs nothing")
	}
	got := w.read()
	if len(got.Containers) != 1 || !slices.Contains(got.Containers[0].Mounts, made) ||
		!slices.Contains(got.Containers[0].Mounts, network) {
		t.Fatalf("containers %+v, want one with both markers", got.Containers)
	}
	if s, err := c.State(t.Context()); s != kindcluster.Incomplete || err != nil {
		t.Errorf("state %q, %v; want %q", s, err, kindcluster.Incomplete)
	}
	removed, err := c.Delete(t.Context())
	if err != nil || !slices.Equal(removed.Containers, []string{"lab-control-plane"}) || !removed.Network {
		t.Errorf("removed %+v, %v", removed, err)
	}
	if got := w.read(); len(got.Containers)+len(got.Networks) > 0 {
		t.Errorf("left behind: %+v, networks %v", got.Containers, got.Networks)
	}
}

func TestIncompleteClusterIsRecreated(t *testing.T) {
	half := of("lab", made)
	half.Complete = false
	w := newWorld(t, world{Images: []string{"node:v1"}, Containers: []fakeContainer{half, of("other", made)},
		Networks: []string{"kind"}})
	_ = kindcluster.New("lab").Ensure(t.Context(), kindcluster.Image{Ref: "node:v1"}, t.Logf)
	var ran []string
	for _, line := range w.read().Log {
		if verb := strings.Fields(line)[0]; verb == "rm" || verb == "run" {
			ran = append(ran, strings.Join(strings.Fields(line)[:4], " "))
		}
	}
	if want := []string{"rm --force --volumes lab-control-plane",
		"run --name lab-control-plane --hostname"}; !slices.Equal(ran, want) {
		t.Errorf("ran %q, want %q", ran, want)
	}
}

func TestForeignClusterIsLeftAlone(t *testing.T) {
	w := newWorld(t, world{Containers: []fakeContainer{of("lab")}, Networks: []string{"kind"}})
	c := kindcluster.New("lab")
	wantProblem(t, c.Ensure(t.Context(), kindcluster.Image{}, t.Logf), kindcluster.NotManaged)
	_, err := c.Ready(t.Context())
	wantProblem(t, err, kindcluster.NotManaged)
	_, err = c.Delete(t.Context())
	wantProblem(t, err, kindcluster.NotManaged)
	if got := w.read(); len(got.Containers) != 1 || len(got.Networks) != 1 {
		t.Errorf("left are %+v and networks %v", got.Containers, got.Networks)
	}
}

// TestNetworkIsRemovedWithItsLastUser varies who created kind's network and who uses it.
func TestNetworkIsRemovedWithItsLastUser(t *testing.T) {
	theirs := of("theirs")
	theirs.Stopped = true
	for _, c := range []struct {
		name    string
		lab     fakeContainer
		others  []fakeContainer
		removed bool
	}{
		{"created by coalmine", of("lab", made, network), nil, true},
		{"created by another", of("lab", made), nil, false},
		{"another's stopped cluster is on it", of("lab", made, network), []fakeContainer{theirs}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, world{Containers: append(c.others, c.lab), Networks: []string{"kind"}})
			r, err := kindcluster.New("lab").Delete(t.Context())
			if err != nil || r.Network != c.removed {
				t.Errorf("network removed %v, %v; want %v", r.Network, err, c.removed)
			}
			if left := len(w.read().Networks) == 0; left != c.removed {
				t.Errorf("networks %v", w.read().Networks)
			}
		})
	}
}

// TestSecondClusterInheritsTheNetwork creates a cluster on the network of a first one: the last one
// deleted removes the network.
func TestSecondClusterInheritsTheNetwork(t *testing.T) {
	w := newWorld(t, world{Images: []string{"node:v1"}, Containers: []fakeContainer{of("first", made, network)},
		Networks: []string{"kind"}})
	second := kindcluster.New("second")
	_ = second.Ensure(t.Context(), kindcluster.Image{Ref: "node:v1"}, t.Logf)
	if r, err := kindcluster.New("first").Delete(t.Context()); err != nil || r.Network {
		t.Errorf("removed %+v, %v while the second is there", r, err)
	}
	if r, err := second.Delete(t.Context()); err != nil || !r.Network {
		t.Errorf("removed %+v, %v; want the network too", r, err)
	}
	if got := w.read(); len(got.Networks) > 0 {
		t.Errorf("networks %v", got.Networks)
	}
}

// TestContainerStillBeingCreated covers what an interrupted creation may leave: Docker lists the
// container before it can inspect it.
func TestContainerStillBeingCreated(t *testing.T) {
	w := newWorld(t, world{Early: 2, Containers: []fakeContainer{of("lab", made)}})
	if r, err := kindcluster.New("lab").Delete(t.Context()); err != nil || len(r.Containers) != 1 {
		t.Errorf("removed %+v, %v", r, err)
	}
	if got := w.read(); len(got.Containers) > 0 {
		t.Errorf("left are %+v", got.Containers)
	}
}

func TestDeleteIsIdempotent(t *testing.T) {
	newWorld(t, world{Containers: []fakeContainer{of("lab", made)}})
	c := kindcluster.New("lab")
	if r, err := c.Delete(t.Context()); err != nil || r.Empty() {
		t.Errorf("removed %+v, %v", r, err)
	}
	if r, err := c.Delete(t.Context()); err != nil || !r.Empty() {
		t.Errorf("removed %+v again, %v", r, err)
	}
	if _, err := os.Stat(filepath.Dir(os.Getenv("KUBECONFIG"))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder for a kubeconfig was created: %v", err)
	}
}

func kubeconfig(t *testing.T, current string, contexts ...string) string {
	t.Helper()
	config := api.NewConfig()
	config.CurrentContext = current
	for _, name := range contexts {
		config.Clusters[name] = &api.Cluster{Server: "https://127.0.0.1:1"}
		config.AuthInfos[name] = &api.AuthInfo{Token: "x"}
		config.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	}
	file := os.Getenv("KUBECONFIG")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDeleteKeepsOtherContexts(t *testing.T) {
	newWorld(t, world{Containers: []fakeContainer{of("lab", made)}})
	file := kubeconfig(t, "kind-lab", "kind-lab", "work")
	if r, err := kindcluster.New("lab").Delete(t.Context()); err != nil || r.Context != "kind-lab" {
		t.Errorf("removed %+v, %v", r, err)
	}
	config, err := clientcmd.LoadFromFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(config.Contexts) != 1 || len(config.Clusters) != 1 || len(config.AuthInfos) != 1 ||
		config.Contexts["work"] == nil || config.CurrentContext != "" {
		t.Errorf("left is %+v", config)
	}
}

func TestDeleteRemovesEmptyKubeconfig(t *testing.T) {
	newWorld(t, world{Containers: []fakeContainer{of("lab", made)}})
	file := kubeconfig(t, "kind-lab", "kind-lab")
	if _, err := kindcluster.New("lab").Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the kubeconfig is left: %v", err)
	}
}

// TestBrokenKubeconfigLeavesNoContainer removes what can be removed.
func TestBrokenKubeconfigLeavesNoContainer(t *testing.T) {
	w := newWorld(t, world{Containers: []fakeContainer{of("lab", made)}})
	file := kubeconfig(t, "", "work")
	if err := os.WriteFile(file, []byte("{no yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := kindcluster.New("lab").Delete(t.Context())
	wantProblem(t, err, kindcluster.Kubeconfig)
	if got := w.read(); len(got.Containers) > 0 {
		t.Errorf("left are %+v", got.Containers)
	}
}

func TestStoppedCreationNamesItsCause(t *testing.T) {
	newWorld(t, world{Images: []string{"node:v1"}})
	ctx, stop := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupt signal received")
	err := kindcluster.New("lab").Ensure(ctx, kindcluster.Image{Ref: "node:v1"},
		func(string, ...any) { stop(interrupted) })
	if !errors.Is(err, interrupted) {
		t.Errorf("error %v, want %v", err, interrupted)
	}
}

func TestLock(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	c := kindcluster.New("lab")
	unlock, err := c.Lock()
	if err != nil {
		t.Fatal(err)
	}
	_, err = kindcluster.New("lab").Lock()
	wantProblem(t, err, kindcluster.Busy)
	other, err := kindcluster.New("other").Lock()
	if err != nil {
		t.Errorf("another cluster is locked too: %v", err)
	}
	other()
	unlock()
	again, err := c.Lock()
	if err != nil {
		t.Fatal(err)
	}
	again()
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestValidName(t *testing.T) {
	for name, valid := range map[string]bool{
		"coalmine": true, "class-3": true, "a": true, "": false, "Coalmine": false, "a/b": false, "-a": false,
		"a-":                    false,
		"a b":                   false,
		strings.Repeat("a", 40): true, strings.Repeat("a", 41): false,
	} {
		if why := kindcluster.ValidName(name); (why == "") != valid {
			t.Errorf("%q: %q", name, why)
		}
	}
}
