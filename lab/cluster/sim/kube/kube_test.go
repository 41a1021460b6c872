package kube_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"pgregory.net/rapid"

	"coalmine/lab/cluster/sim/kube"
)

const ns = "develop"

// rig is a controller over a fake API server with a manual clock.
type rig struct {
	t      interface{ Fatal(...any) }
	client *fake.Clientset
	c      *kube.Controller
	now    time.Duration
	pods   map[string]kube.Pod
}

func newRig(t interface{ Fatal(...any) }) *rig {
	client := fake.NewSimpleClientset()
	start := func(*corev1.PodTemplateSpec) time.Duration { return 5 * time.Second }
	return &rig{t: t, client: client, c: kube.New(client, ns, 7, start), pods: map[string]kube.Pod{}}
}

func (r *rig) deploy(name, image string, replicas int32) {
	ctx, api := context.Background(), r.client.AppsV1().Deployments(ns)
	d, err := api.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		d = &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns}}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app"}}
		if _, err := api.Create(ctx, d, metav1.CreateOptions{}); err != nil {
			r.t.Fatal(err)
		}
	}
	d.Spec.Replicas = &replicas
	d.Spec.Template.Spec.Containers[0].Image = image
	if _, err := api.Update(ctx, d, metav1.UpdateOptions{}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) reconcile() []kube.Change {
	changes, err := r.c.Reconcile(context.Background(), r.now)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, c := range changes {
		switch c.Kind {
		case kube.PodRemoved:
			delete(r.pods, c.Pod.Name)
		default:
			r.pods[c.Pod.Name] = c.Pod
		}
	}
	return changes
}

func (r *rig) pass(d time.Duration) {
	for end := r.now + d; r.now < end; r.now += 100 * time.Millisecond {
		r.reconcile()
	}
}

func (r *rig) ready(image string) int {
	n := 0
	for _, p := range r.pods {
		if p.Ready && p.Template.Spec.Containers[0].Image == image {
			n++
		}
	}
	return n
}

func (r *rig) status(name string) appsv1.DeploymentStatus {
	d, err := r.client.AppsV1().Deployments(ns).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	return d.Status
}

func reason(s appsv1.DeploymentStatus, t appsv1.DeploymentConditionType) string {
	i := slices.IndexFunc(s.Conditions, func(c appsv1.DeploymentCondition) bool { return c.Type == t })
	if i < 0 {
		return ""
	}
	return s.Conditions[i].Reason
}

func TestPodsBecomeReadyAfterStartUp(t *testing.T) {
	r := newRig(t)
	r.deploy("backend", "v1", 3)
	r.pass(4 * time.Second)
	if n := r.ready("v1"); n != 0 {
		t.Fatalf("%d pods ready before their start-up time", n)
	}
	if got := reason(r.status("backend"), appsv1.DeploymentProgressing); got != "ReplicaSetUpdated" {
		t.Errorf("progressing: %s", got)
	}
	r.pass(3 * time.Second)
	if n := r.ready("v1"); n != 3 {
		t.Fatalf("%d of 3 pods ready after 7 s", n)
	}
	s := r.status("backend")
	if s.ReadyReplicas != 3 || s.UpdatedReplicas != 3 || s.UnavailableReplicas != 0 ||
		reason(s, appsv1.DeploymentProgressing) != "NewReplicaSetAvailable" {
		t.Errorf("status %+v", s)
	}
	if _, waiting := r.c.NextReady(); waiting {
		t.Error("NextReady() is set although all pods are ready")
	}
}

func TestScaleDownAndDelete(t *testing.T) {
	r := newRig(t)
	r.deploy("backend", "v1", 4)
	r.pass(7 * time.Second)
	r.deploy("backend", "v1", 0)
	r.reconcile()
	if len(r.pods) != 0 {
		t.Fatalf("%d pods left after scaling to zero", len(r.pods))
	}
	r.deploy("backend", "v1", 2)
	r.pass(7 * time.Second)
	if err := r.client.AppsV1().Deployments(ns).Delete(context.Background(), "backend",
		metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	r.reconcile()
	if len(r.pods) != 0 {
		t.Fatalf("%d pods left after the Deployment was deleted", len(r.pods))
	}
}

// A pod that was evicted is replaced by a new one, which has to start up.
func TestEvict(t *testing.T) {
	r := newRig(t)
	r.deploy("backend", "v1", 2)
	r.pass(7 * time.Second)
	var name string
	for name = range r.pods {
	}
	if !r.c.Evict(name) || r.c.Evict(name) {
		t.Fatal("a pod is not evicted exactly once")
	}
	delete(r.pods, name) // the caller knows
	r.reconcile()
	if n := r.ready("v1"); n != 1 || len(r.pods) != 2 {
		t.Fatalf("%d pods, %d ready, right after the eviction", len(r.pods), n)
	}
	r.pass(7 * time.Second)
	if n := r.ready("v1"); n != 2 || r.pods[name].Name != "" {
		t.Errorf("%d pods ready 7 s after the eviction, of %v", n, r.pods)
	}
}

func TestRestart(t *testing.T) {
	r := newRig(t)
	r.deploy("backend", "v1", 1)
	r.pass(7 * time.Second)
	var name string
	for name = range r.pods {
	}
	// Recorded (app-exits): the kubelet waits 0, 10, 20, 40 s. A start takes 5 to 6 s.
	for i, backoff := range []time.Duration{0, 10 * time.Second, 20 * time.Second, 40 * time.Second} {
		if !r.c.Restart(name, r.now) {
			t.Fatal("Restart: no such pod")
		}
		r.pass(backoff + 4*time.Second)
		if r.status("backend").ReadyReplicas != 0 {
			t.Errorf("restart %d: ready before back-off and start-up time have passed", i)
		}
		r.pass(3 * time.Second)
		if r.status("backend").ReadyReplicas != 1 {
			t.Errorf("restart %d: not ready again", i)
		}
	}
	r.pass(10 * time.Minute)
	r.c.Restart(name, r.now)
	r.pass(7 * time.Second)
	if r.status("backend").ReadyReplicas != 1 {
		t.Error("the back-off does not begin again after ten good minutes")
	}
}

func TestProbesKeepAPodUnready(t *testing.T) {
	r := newRig(t)
	r.deploy("backend", "v1", 1)
	r.pass(7 * time.Second)
	for name := range r.pods {
		r.c.SetProbed(name, false)
	}
	r.pass(time.Minute)
	if r.status("backend").ReadyReplicas != 0 {
		t.Error("ready though its probes fail")
	}
	for name := range r.pods {
		r.c.SetProbed(name, true)
	}
	r.pass(time.Second)
	if r.status("backend").ReadyReplicas != 1 {
		t.Error("not ready though its probes succeed")
	}
}

func TestRecreateRemovesOldPodsFirst(t *testing.T) {
	r := newRig(t)
	r.deploy("backend", "v1", 2)
	d, _ := r.client.AppsV1().Deployments(ns).Get(context.Background(), "backend", metav1.GetOptions{})
	d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
	if _, err := r.client.AppsV1().Deployments(ns).Update(context.Background(), d, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	r.pass(7 * time.Second)
	r.deploy("backend", "v2", 2)
	r.reconcile()
	if r.ready("v1") != 0 || len(r.pods) != 2 {
		t.Errorf("%d old pods ready, %d pods in all", r.ready("v1"), len(r.pods))
	}
}

// TestRollingUpdate checks the guarantees of the strategy at every step: at most a quarter more
// pods than desired, at most a quarter fewer available, and all pods new in the end.
func TestRollingUpdate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "replicas")
		r := newRig(t)
		r.deploy("backend", "v1", int32(n))
		r.pass(7 * time.Second)
		r.deploy("backend", "v2", int32(n))
		surge, unavailable := (n+3)/4, n/4
		for range 1200 {
			r.reconcile()
			if len(r.pods) > n+surge {
				t.Fatalf("%d pods, %d desired", len(r.pods), n)
			}
			if have := r.ready("v1") + r.ready("v2"); have < n-unavailable {
				t.Fatalf("%d pods available, %d desired", have, n)
			}
			if r.ready("v2") == n && len(r.pods) == n {
				return
			}
			r.now += 100 * time.Millisecond
		}
		t.Fatalf("not complete after two minutes: %d of %d pods new", r.ready("v2"), n)
	})
}

func TestSameSeedSameNames(t *testing.T) {
	names := func() string {
		r := newRig(t)
		r.deploy("frontend", "v1", 2)
		r.deploy("backend", "v1", 3)
		text := ""
		for range 80 {
			for _, c := range r.reconcile() {
				text += fmt.Sprintln(r.now, c.Kind, c.Pod.Name)
			}
			r.now += 100 * time.Millisecond
		}
		return text
	}
	if a, b := names(), names(); a != b {
		t.Errorf("two runs differ:\n%s\n%s", a, b)
	}
}

func TestScaleDownRemovesTheYoungest(t *testing.T) {
	r := newRig(t)
	r.deploy("backend", "v1", 1)
	r.pass(7 * time.Second)
	var oldest string
	for oldest = range r.pods {
	}
	r.deploy("backend", "v1", 4)
	r.pass(7 * time.Second)
	r.deploy("backend", "v1", 1)
	r.reconcile()
	if _, stays := r.pods[oldest]; !stays || len(r.pods) != 1 {
		t.Errorf("pods left %v, want only the oldest, %s", r.pods, oldest)
	}
}

// Flagger reads the condition Progressing and its last update time.
func TestProgressDeadline(t *testing.T) {
	r := newRig(t)
	r.deploy("backend", "v1", 2)
	api := r.client.AppsV1().Deployments(ns)
	d, err := api.Get(context.Background(), "backend", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d.Spec.ProgressDeadlineSeconds = new(int32(2))
	if _, err := api.Update(context.Background(), d, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	progressing := func(want string) metav1.Time {
		t.Helper()
		s := r.status("backend")
		if got := reason(s, appsv1.DeploymentProgressing); got != want {
			t.Errorf("after %v the Deployment is %s, want %s", r.now, got, want)
		}
		return s.Conditions[0].LastUpdateTime
	}
	r.pass(2 * time.Second)
	progressing("ReplicaSetUpdated")
	r.pass(time.Second)
	since := progressing("ProgressDeadlineExceeded")
	r.pass(time.Second)
	r.deploy("backend", "v1", 3) // the status changes, the condition does not
	r.reconcile()
	if again := progressing("ReplicaSetUpdated"); again.Equal(&since) {
		t.Error("a changed condition has its old update time")
	}
	since = progressing("ReplicaSetUpdated")
	r.deploy("backend", "v1", 4)
	r.reconcile()
	if again := progressing("ReplicaSetUpdated"); !again.Equal(&since) {
		t.Error("an unchanged condition has a new update time")
	}
	r.pass(7 * time.Second)
	progressing("NewReplicaSetAvailable")
}
