package install

import (
	"context"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"coalmine/lab/cluster/kind/bundle"
	"coalmine/lab/cluster/kind/certs"
	"coalmine/lab/cluster/kind/kindcluster"
	"coalmine/lab/cluster/kind/steps"
	"coalmine/lab/cluster/names"
	"coalmine/manifests"
)

func stepNames(steps []steps.Step) []string {
	var all []string
	for _, s := range steps {
		all = append(all, s.Name)
	}
	return all
}

// meshSource is the network with another mesh.
type meshSource struct {
	bundle.Online
	mesh *bundle.Mesh
}

func (s meshSource) Mesh() *bundle.Mesh { return s.mesh }

// otherMesh is a mesh of a bundle whose control plane runs an image.
func otherMesh(image string) *bundle.Mesh {
	return &bundle.Mesh{
		Name: "other", Image: image,
		Steps: []bundle.MeshStep{
			{Name: "other-crds", Title: "CRDs", Manifests: []string{"other/crds.yaml"}},
			{Name: "other-control-plane", Title: "the control plane", Manifests: []string{"other/control.yaml"}},
		},
		Manifests: map[string]string{
			"other/crds.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: crds}}",
			"other/control.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: control}, data: {image: {{ " +
				"quote .MeshImage }}, roots: {{ quote .Roots }}}}",
		},
	}
}

// TestOrderOfSteps checks the order of the steps. Their names are recorded in clusters, so they
// must not change.
func TestOrderOfSteps(t *testing.T) {
	for _, test := range []struct {
		source bundle.Source
		middle []string
	}{
		{bundle.Online{}, []string{"linkerd-crds", "linkerd-control-plane", "linkerd-viz"}},
		{meshSource{mesh: otherMesh("")}, []string{"other-crds", "other-control-plane"}},
	} {
		g, err := New(t.Context(), Plan{Cluster: kindcluster.New("lab"), Source: test.source})
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Concat([]string{"cluster", "images", "gateway-api", "trust"}, test.middle, []string{"flagger",
			"develop", "app", "ready"})
		steps := g.Steps()
		if got := stepNames(steps); !slices.Equal(got, want) {
			t.Errorf("steps with %s are %v, want %v", g.meshName(), got, want)
		}
		for _, s := range steps {
			if s.Title == "" || s.Hint == "" || s.Do == nil {
				t.Errorf("step %s lacks a title, a hint or Do", s.Name)
			}
		}
	}
}

// planned returns an installer with an own image.
func planned(mesh *bundle.Mesh) *Installer {
	pins, _ := manifests.Versions()
	return &Installer{
		Plan:  Plan{Cluster: kindcluster.New("lab"), Source: bundle.Online{}},
		mesh:  mesh,
		pins:  pins,
		own:   func() (ownImage, error) { return ownImage{ref: "coalmine:1"}, nil },
		chain: certs.Chain{Roots: []byte("roots"), IssuerCert: []byte("cert"), IssuerKey: []byte("key")},
	}
}

// TestChangedStepsRunAgain compares what components are made of: those with a new image or trust
// chain change, the others do not.
func TestChangedStepsRunAgain(t *testing.T) {
	digests := func(g *Installer) map[string]string {
		all := map[string]string{}
		for _, p := range append(g.meshComponents(), develop()) {
			m, err := p.render(t.Context(), g)
			if err != nil {
				t.Fatal(err)
			}
			if len(m.objects) == 0 {
				t.Errorf("component %s has no objects", p.name)
			}
			if all[p.name], err = m.digest(); err != nil {
				t.Fatal(err)
			}
		}
		return all
	}
	first, same := digests(planned(otherMesh("mesh:1"))), digests(planned(otherMesh("mesh:1")))
	another := digests(planned(otherMesh("mesh:2")))
	renewed := planned(otherMesh("mesh:1"))
	renewed.chain.Roots = []byte("other roots")
	retrusted := digests(renewed)
	for name, d := range first {
		control := name == "other-control-plane"
		if same[name] != d {
			t.Errorf("%s changed though nothing else did", name)
		}
		if (another[name] != d) != control || (retrusted[name] != d) != control {
			t.Errorf("%s changed with another image: %v; with another trust chain: %v", name, another[name] != d,
				retrusted[name] != d)
		}
	}
}

func TestStepsOfABundlesMeshAreRecorded(t *testing.T) {
	g := planned(otherMesh("mesh:1"))
	got := stepNames(recordedSteps(State{KeyMesh: g.meshName(), keyMeshSteps: g.meshSteps()}, nil))
	if want := stepNames(g.Steps()); !slices.Equal(got, want) {
		t.Errorf("recorded steps %v, want %v", got, want)
	}
}

func TestStateIsRecorded(t *testing.T) {
	kube := fake.NewClientset()
	empty, err := ReadState(t.Context(), kube)
	if err != nil || len(empty) != 0 || empty.Up() {
		t.Errorf("state %v, %v of a new cluster", empty, err)
	}
	for _, change := range []State{
		{KeyMesh: names.Linkerd, keyStep + stepCluster: "v1"},
		{KeyImage: "coalmine:1", keyStep + stepReady: "now"},
	} {
		if err := record(t.Context(), kube, change); err != nil {
			t.Fatal(err)
		}
	}
	up, err := ReadState(t.Context(), kube)
	if err != nil || !up.Up() || up[KeyMesh] != names.Linkerd || up.Step(stepCluster) != "v1" {
		t.Errorf("state %v, %v", up, err)
	}
	if err := record(t.Context(), kube, State{KeyImage: ""}); err != nil {
		t.Fatal(err)
	}
	if changed, err := ReadState(t.Context(), kube); err != nil || changed.Up() || changed[KeyMesh] != names.Linkerd {
		t.Errorf("state %v, %v after a step began to change the cluster", changed, err)
	}
}

func TestMeshStays(t *testing.T) {
	g := planned(nil)
	for has, fits := range map[string]bool{"": true, names.Linkerd: true, "other": false} {
		if err := g.sameMesh(State{KeyMesh: has}); (err == nil) != fits {
			t.Errorf("a cluster with mesh %q for a plan with %s: %v", has, g.meshName(), err)
		}
	}
}

// chained stores a trust chain in the Secret.
func chained(t *testing.T, kube *fake.Clientset, now time.Time) {
	t.Helper()
	c, err := certs.New(now)
	if err != nil {
		t.Fatal(err)
	}
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: names.TrustSecret, Namespace: names.MeshNamespace},
		Data: map[string][]byte{
			names.TrustRoots: c.Roots, names.IssuerCert: c.IssuerCert, names.IssuerKey: c.IssuerKey,
		}}
	if _, err := kube.CoreV1().Secrets(names.MeshNamespace).Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func pod(t *testing.T, kube *fake.Clientset, namespace, name, image string, ready bool) {
	t.Helper()
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: image}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	if ready {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	} else {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name:  "main",
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		}}
	}
	if _, err := kube.CoreV1().Pods(namespace).Create(t.Context(), p, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// recordAll records every step as done.
func recordAll(t *testing.T, kube *fake.Clientset) {
	t.Helper()
	state := State{KeyMesh: names.Linkerd, KeyImage: "coalmine.dev/coalmine:abc"}
	for _, s := range planned(nil).Steps() {
		state[keyStep+s.Name] = "done"
	}
	if err := record(t.Context(), kube, state); err != nil {
		t.Fatal(err)
	}
}

func TestReport(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		name   string
		damage func(context.Context, *fake.Clientset)
		at     time.Time
		up     bool
	}{
		{"up", func(context.Context, *fake.Clientset) {}, now, true},
		{"a demo service restarts", func(_ context.Context, k *fake.Clientset) {
			pod(t, k, names.DevelopNamespace,
				"backend", "x:1", false)
		}, now, true},
		{"Prometheus crashes", func(_ context.Context, k *fake.Clientset) {
			pod(t, k, names.VizNamespace, "p2", "x/prometheus:v3", false)
		}, now, false},
		{"the issuer has expired", func(context.Context, *fake.Clientset) {}, now.Add(2 * certs.IssuerLife), false},
		{"up is running", func(ctx context.Context, k *fake.Clientset) {
			if err := record(ctx, k, State{KeyImage: "", keyStep + stepReady: ""}); err != nil {
				t.Fatal(err)
			}
		}, now, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			kube := fake.NewClientset()
			recordAll(t, kube)
			chained(t, kube, now)
			pod(t, kube, names.FlaggerNamespace, "flagger", "ghcr.io/fluxcd/flagger:1.43.0", true)
			c.damage(t.Context(), kube)
			r := Report{State: kindcluster.Running, Versions: map[string]string{}}
			if r.Err = r.collect(t.Context(), kube, c.at); r.Err != nil {
				t.Fatal(r.Err)
			}
			if r.Up() != c.up {
				t.Errorf("up %v, want %v: %+v", r.Up(), c.up, r)
			}
			if r.Versions["flagger"] != "1.43.0" {
				t.Errorf("versions %v", r.Versions)
			}
		})
	}
}

func TestReportListsPodsThatAreNotReady(t *testing.T) {
	kube := fake.NewClientset()
	pod(t, kube, names.VizNamespace, "prometheus-1", "docker.io/prom/prometheus:v3.11.0@sha256:0", false)
	r := Report{State: kindcluster.Running, Versions: map[string]string{}}
	if err := r.collect(t.Context(), kube, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if want := []Pod{{names.VizNamespace, "prometheus-1", "main CrashLoopBackOff"}}; !slices.Equal(r.NotReady, want) {
		t.Errorf("not ready %v, want %v", r.NotReady, want)
	}
	if r.Versions["prometheus"] != "v3.11.0" || r.Up() || r.Steps[0].State != steps.Waiting {
		t.Errorf("report %+v", r)
	}
}
