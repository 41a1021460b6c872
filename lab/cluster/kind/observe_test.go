package kind

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	gatewayv1beta1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	flaggerfake "github.com/fluxcd/flagger/pkg/client/clientset/versioned/fake"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/names"
	"coalmine/lab/event"
	"coalmine/lab/scenario"
	"coalmine/lab/service"
)

// notes are the facts of an observer, as kind, source and JSON.
type notes struct {
	mu    sync.Mutex
	facts []string
	times []time.Time
}

func (n *notes) note(at time.Time, source string, f event.Fact) {
	data, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.facts, n.times = append(n.facts, fmt.Sprintf("%s %s %s", f.Kind(), source, data)), append(n.times, at)
}

func (n *notes) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.facts)
}

func canaryObject(phase string, weight int) *flaggerv1.Canary {
	return &flaggerv1.Canary{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: names.DevelopNamespace},
		Spec: flaggerv1.CanarySpec{
			TargetRef: flaggerv1.LocalObjectReference{Name: "backend"},
			Analysis:  &flaggerv1.CanaryAnalysis{Threshold: 5},
		},
		Status: flaggerv1.CanaryStatus{Phase: flaggerv1.CanaryPhase(phase), CanaryWeight: weight},
	}
}

func routeObject(name, cookie string) *gatewayv1beta1.HTTPRoute {
	kind, regex := gatewayv1beta1.Kind("Service"), gatewayv1beta1.HeaderMatchRegularExpression
	weight := int32(100)
	return &gatewayv1beta1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: names.DevelopNamespace},
		Spec: gatewayv1beta1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1beta1.CommonRouteSpec{ParentRefs: []gatewayv1beta1.ParentReference{{Kind: &kind,
				Name: "backend"}}},
			Rules: []gatewayv1beta1.HTTPRouteRule{{
				Matches: []gatewayv1beta1.HTTPRouteMatch{{Headers: []gatewayv1beta1.HTTPHeaderMatch{{Type: &regex,
					Name: "Cookie", Value: ".*" + cookie + ".*"}}}},
				BackendRefs: []gatewayv1beta1.HTTPBackendRef{{BackendRef: gatewayv1beta1.BackendRef{
					BackendObjectReference: gatewayv1beta1.BackendObjectReference{Name: "backend-canary"},
					Weight:                 &weight,
				}}},
			}},
		},
	}
}

// runOf returns a run with seed 1 that releases a version of the backend.
func runOf(version string) cluster.RunSpec {
	return cluster.RunSpec{Version: version, Seed: 1, Scenario: &scenario.Scenario{
		Release: scenario.Release{Service: "backend"},
		Services: []scenario.Service{{Name: "backend", Baseline: "v1", Versions: map[string]scenario.Version{
			"leaky": {Behaviour: service.Behaviour{Memory: service.Memory{Base: 1, Limit: 100}}}, "tight": {},
		}}},
	}}
}

// envOf returns the variables of pods of the backend at a version.
func envOf(version string) []corev1.EnvVar {
	return []corev1.EnvVar{{Name: serviceVariable, Value: "backend"},
		{Name: versionVariable, Value: runOf(version).Scenario.NeutralVersion("backend", version, 1)}}
}

func deploymentObject(desired, ready int32) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "backend", Namespace: names.DevelopNamespace, Generation: 2},
		Spec: appsv1.DeploymentSpec{Replicas: &desired, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Env: envOf("v2")}},
		}}},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 2, UpdatedReplicas: ready, ReadyReplicas: ready},
	}
}

// Watch events become facts as in the sim.
func TestWatches(t *testing.T) {
	ctx := context.Background()
	kube, flagger, n := fake.NewClientset(), flaggerfake.NewSimpleClientset(), &notes{}
	changed := make(chan struct{}, 100)
	o := newObserver(runOf("v2"), n.note)
	canaries := flagger.FlaggerV1beta1().Canaries(names.DevelopNamespace)
	routes := flagger.GatewayapiV1beta1().HTTPRoutes(names.DevelopNamespace)
	deployments := kube.AppsV1().Deployments(names.DevelopNamespace)
	if _, err := deployments.Create(ctx, deploymentObject(2, 2), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	h := newHealth(cluster.RunSpec{}, func() bool { return false })
	w, err := clients{kube: kube, flagger: flagger}.watchObjects(ctx, o, h, func() { changed <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	<-changed // the existing Deployment
	for _, step := range []struct {
		do   func() error
		want string // "" for no fact
	}{
		{func() error { _, err := canaries.Create(ctx, canaryObject("", 0), metav1.CreateOptions{}); return err }, ""},
		{func() error {
			_, err := canaries.UpdateStatus(ctx, canaryObject("Progressing", 20), metav1.UpdateOptions{})
			return err
		},
			`canary.status a/flagger/shop.develop {"name":"shop","namespace":"develop","target":"backend","phase":"Progressing","weight":20,"iterations":0,"failed_checks":0,"threshold":5}`},
		{func() error {
			c := canaryObject("Progressing", 20)
			c.Status.SessionAffinityCookie = "bucket=drawn-at-random"
			_, err := canaries.UpdateStatus(ctx, c, metav1.UpdateOptions{})
			return err
		}, ""},
		{func() error {
			_, err := routes.Create(ctx, routeObject("backend", "bucket=drawn-at-random"), metav1.CreateOptions{})
			return err
		},
			`route b/driver {"name":"backend","rules":[{"match":"header Cookie ~ .*bucket=bucket-value.*","backends":[{"service":"backend-canary","weight":100}]}]}`},
		{func() error {
			r := routeObject("backend", "bucket=drawn-at-random")
			r.Annotations = map[string]string{"somebody": "was here"}
			_, err := routes.Update(ctx, r, metav1.UpdateOptions{})
			return err
		}, ""},
		{func() error {
			_, err := routes.Create(ctx, routeObject("backend"+names.DrillSuffix, ""), metav1.CreateOptions{})
			return err
		}, ""},
		{func() error { return routes.Delete(ctx, "backend"+names.DrillSuffix, metav1.DeleteOptions{}) }, ""},
		{func() error {
			d := deploymentObject(3, 2)
			d.Generation = 3 // no controller has seen it yet
			_, err := deployments.Update(ctx, d, metav1.UpdateOptions{})
			return err
		}, ""},
		{func() error {
			_, err := deployments.Update(ctx, deploymentObject(3, 2), metav1.UpdateOptions{})
			return err
		},
			`workload b/driver {"name":"backend","version":"v2","desired":3,"updated":2,"ready":2}`},
		{func() error { return routes.Delete(ctx, "backend", metav1.DeleteOptions{}) },
			`object.deleted b/driver {"object_kind":"HTTPRoute","namespace":"develop","name":"backend"}`},
		{func() error { return canaries.Delete(ctx, "shop", metav1.DeleteOptions{}) },
			`object.deleted a/flagger/shop.develop {"object_kind":"Canary","namespace":"develop","name":"shop"}`},
	} {
		before := len(n.all())
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		<-changed
		got := n.all()[before:]
		if want := step.want; want == "" && len(got) > 0 || want != "" && (len(got) != 1 || got[0] != want) {
			t.Errorf("facts %q, want %q", got, want)
		}
	}
	if first := n.all()[0]; first != `workload b/driver {"name":"backend","version":"v2","desired":2,"updated":2,"ready":2}` {
		t.Errorf("first %s", first)
	}
	if o.Phase() != "" {
		t.Errorf("phase %q of a deleted canary", o.Phase())
	}
}

// The agent's facts have the same sources as the sim's, and the agent's times.
func TestAgentFacts(t *testing.T) {
	n := &notes{}
	o := newObserver(runOf("v2"), n.note)
	for i, f := range []event.Fact{
		event.Query{Asker: "shop", PromQL: "up"}, event.Flagger{Canary: "shop"}, event.Gate{Canary: "shop"},
		event.Alert{Canary: "shop"}, event.RollbackDrill{Canary: "shop"},
		event.Traffic{}, event.TrafficTotals{},
	} {
		data, err := event.EncodeFact(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.agentFact(client.Fact{N: i + 1, At: int64(i), Kind: f.Kind(), Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	var sources []string
	for i, f := range n.all() {
		sources = append(sources, strings.Fields(f)[1])
		if n.times[i].UnixNano() != int64(i) {
			t.Errorf("%s at %v", f, n.times[i])
		}
	}
	want := []string{"a/flagger/shop.develop", "a/flagger/shop.develop", "a/flagger/shop.develop",
		"a/flagger/shop.develop", "a/flagger/shop.develop", "b/driver", "c/run"}
	if !slices.Equal(sources, want) {
		t.Errorf("sources %q", sources)
	}
	if err := o.agentFact(client.Fact{N: 8, Kind: "newer", Data: []byte("{}")}); err == nil ||
		!strings.Contains(err.Error(),
			"fact 8 of the agent") {
		t.Error(err)
	}
}
