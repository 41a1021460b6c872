package kind

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"coalmine/lab/cluster/names"
	"coalmine/lab/guardrail"
	"coalmine/manifests"
)

// testerCluster is an API server that runs a pod in the given state for each Deployment of a load
// tester.
type testerCluster struct {
	kube   *fake.Clientset
	status corev1.PodStatus
}

// newTesterCluster returns a cluster without pods. The fake API does not delete collections itself.
func newTesterCluster(status corev1.PodStatus) *testerCluster {
	kube := fake.NewClientset()
	kube.PrependReactor("delete-collection", "*", func(a k8stesting.Action) (bool, runtime.Object, error) {
		if l := a.(k8stesting.DeleteCollectionAction).GetListRestrictions().Labels.String(); l !=
			testerPods().LabelSelector {
			return true, nil, errors.New("deletes all with " + l)
		}
		name := names.LoadTesterService
		if a.GetResource().Resource == "pods" {
			name += "-1"
		}
		return true, nil, kube.Tracker().Delete(a.GetResource(), a.GetNamespace(), name)
	})
	return &testerCluster{kube: kube, status: status}
}

// Apply implements [applier].
func (c *testerCluster) Apply(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, o := range objects {
		var err error
		switch o.GetKind() {
		case "Service":
			s := from[corev1.Service](o)
			_, err = c.kube.CoreV1().Services(s.Namespace).Create(ctx, s, metav1.CreateOptions{})
		case "Deployment":
			d := from[appsv1.Deployment](o)
			_, err = c.kube.AppsV1().Deployments(d.Namespace).Create(ctx, d, metav1.CreateOptions{})
			pod := &corev1.Pod{ObjectMeta: d.Spec.Template.ObjectMeta, Spec: d.Spec.Template.Spec, Status: c.status}
			pod.Name, pod.Namespace = d.Name+"-1", d.Namespace
			_, created := c.kube.CoreV1().Pods(d.Namespace).Create(ctx, pod, metav1.CreateOptions{})
			err = errors.Join(err, created)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func from[T any](o *unstructured.Unstructured) *T {
	var v T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &v); err != nil {
		panic(err)
	}
	return &v
}

// left counts the objects of a load tester that are in the cluster.
func (c *testerCluster) left(t *testing.T) int {
	t.Helper()
	ctx := t.Context()
	d, err := c.kube.AppsV1().Deployments(names.LabNamespace).List(ctx, testerPods())
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.kube.CoreV1().Pods(names.LabNamespace).List(ctx, testerPods())
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.kube.CoreV1().Services(names.LabNamespace).List(ctx, testerPods())
	if err != nil {
		t.Fatal(err)
	}
	return len(d.Items) + len(p.Items) + len(s.Items)
}

// setOf is guardrails with one Canary.
func setOf(c *flaggerv1.Canary) *guardrail.Set {
	return &guardrail.Set{Objects: []guardrail.Object{{Kind: flaggerv1.CanaryKind, Name: c.Name, Value: c}}}
}

func readyPod() corev1.PodStatus {
	return corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
}

func waitingPod(reason string) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{
		Name: "loadtester", Image: "registry/tester:1", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}}}
}

// TestDeployLoadTester expects a load tester that cannot become ready to be removed again, with the
// reason and what the run waited for.
func TestDeployLoadTester(t *testing.T) {
	for name, c := range map[string]struct {
		set    *guardrail.Set
		status corev1.PodStatus
		want   loadTester
		left   int
		after  time.Duration
	}{
		"ready":        {setOf(hooked()), readyPod(), loadTester{ready: true}, 3, 0},
		"no guardrail": {nil, readyPod(), loadTester{}, 0, 0},
		"not asked":    {setOf(&flaggerv1.Canary{}), readyPod(), loadTester{}, 0, 0},
		"no image": {setOf(hooked()), waitingPod("ImagePullBackOff"),
			loadTester{why: "its image registry/tester:1 cannot be pulled (ImagePullBackOff)"}, 0, 0},
		"pulled for too long": {setOf(hooked()), waitingPod("ContainerCreating"),
			loadTester{why: "waited 3m0s for Flagger's load tester to be ready: " +
				"pod flagger-loadtester-1 is in phase Pending"},
			0, testerReadyTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newTesterCluster(c.status)
				said := ""
				lab := &Cluster{mesh: names.Linkerd, clients: clients{kube: api.kube, applier: api},
					waiting: func(what string) { said += what + "\n" }}
				began := time.Now()
				got, err := lab.deployLoadTester(t.Context(), c.set)
				if err != nil || got != c.want || api.left(t) != c.left || time.Since(began) != c.after {
					t.Errorf("%+v, %v after %v, %d objects are left", got, err, time.Since(began), api.left(t))
				}
				if waited := strings.HasPrefix(said, "Flagger's load tester to be ready: "); waited != (c.after > 0) {
					t.Errorf("said %q", said)
				}
				if errs := lab.deleteLoadTester(t.Context()); len(errs) > 0 || api.left(t) > 0 {
					t.Errorf("the end of the run leaves %d objects, %v", api.left(t), errs)
				}
			})
		})
	}
}

// TestInterruptedLoadTester expects an interrupt to end the wait, and not to be taken for a load tester
// that cannot be had.
func TestInterruptedLoadTester(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newTesterCluster(waitingPod("ContainerCreating"))
		lab := &Cluster{mesh: names.Linkerd, clients: clients{kube: api.kube, applier: api}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := lab.deployLoadTester(ctx, setOf(hooked())); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// TestLoadTesterManifest expects the pinned image, in the mesh, behind the Service that webhooks call.
func TestLoadTesterManifest(t *testing.T) {
	api := newTesterCluster(readyPod())
	lab := &Cluster{mesh: names.Linkerd, clients: clients{kube: api.kube, applier: api}}
	if _, err := lab.deployLoadTester(t.Context(), setOf(hooked())); err != nil {
		t.Fatal(err)
	}
	pins, err := manifests.Versions()
	if err != nil {
		t.Fatal(err)
	}
	s, err := api.kube.CoreV1().Services(names.LabNamespace).Get(t.Context(), names.LoadTesterService,
		metav1.GetOptions{})
	if err != nil || s.Spec.Ports[0].Port != 80 {
		t.Fatalf("%+v, %v", s, err)
	}
	pods, err := api.kube.CoreV1().Pods(names.LabNamespace).List(t.Context(), testerPods())
	if err != nil || len(pods.Items) != 1 {
		t.Fatal(pods, err)
	}
	p := &pods.Items[0]
	if p.Spec.Containers[0].Image != pins.LoadTester.Image || p.Annotations[names.InjectAnnotation] != "enabled" {
		t.Errorf("%+v", p)
	}
	for key, value := range s.Spec.Selector {
		if p.Labels[key] != value {
			t.Errorf("Service selects %v, pod has %v", s.Spec.Selector, p.Labels)
		}
	}
	if roleOf(p) != roleLoadTester {
		t.Errorf("role %q", roleOf(p))
	}
}

// TestOpenTesterGate expects the gate of the Canary to be opened, once, and refusals to be reported after
// a while.
func TestOpenTesterGate(t *testing.T) {
	var bodies []string
	status := http.StatusAccepted
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, r.Method+" "+r.URL.Path+" "+string(body))
		w.WriteHeader(status)
	}))
	defer s.Close()
	c := clients{testerURL: s.URL + "/proxy", transport: http.DefaultTransport}
	if err := c.openTesterGate(t.Context(), "backend"); err != nil || len(bodies) != 1 ||
		bodies[0] != `POST /proxy/gate/open {"name":"backend","namespace":"develop"}` {
		t.Errorf("%q, %v", bodies, err)
	}
	status = http.StatusForbidden
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.openTesterGate(ctx, "backend"); err == nil || err.Error() != "403 Forbidden" {
		t.Errorf("a refusal: %v", err)
	}
}
