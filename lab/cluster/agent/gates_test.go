package agent_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	flaggerfake "github.com/fluxcd/flagger/pkg/client/clientset/versioned/fake"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"coalmine/lab/cluster/agent"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/names"
	"coalmine/lab/event"
	"coalmine/lab/mesh"
	"coalmine/loadgen/traceheader"
)

const guardrails = `apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: checkout-watch, namespace: develop}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: backend}
  service:
    port: 80
    targetPort: 8080
    gatewayRefs: [{group: core, kind: Service, name: backend, namespace: develop, port: 80}]
  analysis:
    interval: 10s
    threshold: 2
    stepWeights: [10, 50]
    metrics:
      - {name: success, interval: 30s, templateRef: {name: ratio}, thresholdRange: {min: 99}}
      - {name: errors, interval: 30s, templateRef: {name: ratio}, thresholdRange: {max: 1}}
    webhooks:
      - {name: mtls, type: pre-rollout, url: "http://gate.coalmine/mtls", timeout: 30s}
---
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {name: ratio, namespace: develop}
spec:
  provider: {type: prometheus, address: "http://prometheus.linkerd-viz:9090"}
  query: |
    sum(rate(response_total{namespace="{{ namespace }}",deployment=~"{{ target }}"}[{{ interval }}]))
`

// guarded is a run under the guardrails above.
func guarded() client.RunSpec {
	return client.RunSpec{Guardrails: map[string]string{"canary.yaml": guardrails}, Version: "v2", Seed: 1,
		ApproveAfter: time.Hour}
}

// pod returns a ready pod of a Deployment.
func pod(name, deployment, version, ip string, proxy bool) *corev1.Pod {
	controller := true
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "develop", Labels: map[string]string{"app": deployment, "version": version,
				"pod-template-hash": "abc"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: deployment + "-abc",
				Controller: &controller}},
		},
		Spec: corev1.PodSpec{
			ServiceAccountName: "backend",
			Containers: []corev1.Container{{Name: "backend",
				Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}}},
		},
		Status: corev1.PodStatus{PodIP: ip, Conditions: []corev1.PodCondition{{Type: corev1.PodReady,
			Status: corev1.ConditionTrue}}},
	}
	if proxy {
		p.Spec.InitContainers = []corev1.Container{{Name: names.ProxyContainer}}
	}
	return p
}

func service(name, app string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "develop"},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": app}}}
}

// rollout is what Flagger has in the cluster while it shifts traffic, in a run with seed 1.
func rollout(t testing.TB, weight int32) (agent.Clients, *v1beta1.HTTPRoute) {
	s := shop(t)
	c := fakes(
		pod("canary-1", "backend", s.NeutralVersion("backend", "v2", 1), "127.0.0.1", true),
		pod("primary-1", "backend-primary", s.NeutralVersion("backend", "v1", 1), "127.0.0.1", true),
		service("backend", "backend-primary"), service("backend-canary", "backend"),
		service("backend-primary", "backend-primary"),
	)
	kind, rest := v1beta1.Kind("Service"), 100-weight
	backend := func(name string, w int32) v1beta1.HTTPBackendRef {
		return v1beta1.HTTPBackendRef{BackendRef: v1beta1.BackendRef{
			BackendObjectReference: v1beta1.BackendObjectReference{Name: v1beta1.ObjectName(name)}, Weight: &w,
		}}
	}
	return c, &v1beta1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Name: "backend", Namespace: "develop"},
		Spec: v1beta1.HTTPRouteSpec{
			CommonRouteSpec: v1beta1.CommonRouteSpec{ParentRefs: []v1beta1.ParentReference{{Kind: &kind,
				Name: "backend"}}},
			Rules: []v1beta1.HTTPRouteRule{{BackendRefs: []v1beta1.HTTPBackendRef{backend("backend-primary",
				rest), backend("backend-canary", weight)}}},
		},
	}
}

// create creates an object of Linkerd's.
func create(t testing.TB, c agent.Clients, version, resource, manifest string) {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON([]byte(manifest)); err != nil {
		t.Fatal(err)
	}
	r := schema.GroupVersionResource{Group: "policy.linkerd.io", Version: version, Resource: resource}
	if _, err := c.Dynamic.Resource(r).Namespace("develop").Create(t.Context(), u, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (s *servedAgent) gate(path string) (int, string) {
	return post(s.t, s.gates+"/hooks/checkout-watch/pre-rollout/"+path,
		`{"name":"checkout-watch","namespace":"develop","phase":"Progressing"}`)
}

func TestGates(t *testing.T) {
	for name, c := range map[string]struct {
		change func(c agent.Clients, proxy *string)
		path   string
		status int
		reason string
	}{
		"mutual TLS": {path: "mtls", status: 200, reason: "clients so far: 1, all with mutual TLS"},
		"a stranger called": {path: "mtls", status: 412, reason: "a client called pod canary-1 without mutual TLS",
			change: func(_ agent.Clients, proxy *string) {
				*proxy += "\n" +
					`request_total{direction="inbound",target_addr="10.1.2.3:8080",tls="no_identity",no_tls_reason="no_tls_from_remote"} 3`
			}},
		"the kubelet, the scrape and others' ports are no callers": {path: "mtls", status: 200,
			reason: "clients so far: 1", change: func(_ agent.Clients, proxy *string) {
				*proxy += "\n" + strings.Join([]string{
					`request_total{direction="inbound",target_addr="10.1.2.3:8080",tls="no_identity",authz_name="probe",route_name="probe"} 3`,
					`request_total{direction="inbound",target_addr="10.1.2.3:4191",tls="no_identity"} 3`,
					`request_total{direction="inbound",target_addr="10.1.2.3:8080",tls="no_identity",srv_name="x"} 0`,
					`request_total{direction="outbound",target_addr="10.1.2.3:8080",tls="no_identity"} 3`,
				}, "\n")
			}},
		"no proxy": {path: "mtls", status: 412, reason: "pod canary-1 has no proxy",
			change: func(c agent.Clients, _ *string) {
				unmesh(c)
			}},
		"no policy":    {path: "policy", status: 412, reason: "admits a client without identity"},
		"not enough":   {path: "volume?min=5", status: 412, reason: "the canary answered 0 requests"},
		"not approved": {path: "approve", status: 412, reason: "not approved yet"},
		"no such gate": {path: "nothing", status: 412, reason: "there is no gate"},
		"an event":     {path: "events", status: 200, reason: "received"},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := `request_total{direction="inbound",target_addr="10.1.2.3:8080",tls="true",client_id="frontend.develop.serviceaccount.identity.linkerd.cluster.local"} 9`
			clients, route := rollout(t, 10)
			if c.change != nil {
				c.change(clients, &proxy)
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintln(w, "# TYPE request_total counter\n"+proxy)
			}))
			defer server.Close()
			addRoute(t, clients, route)
			a := open(t, agent.Config{Scenario: shop(t), Spec: guarded(), Clients: clients})
			a.ProxiesAt(portOf(t, server.URL))
			status, reason := a.gate(c.path)
			if status != c.status || !strings.Contains(reason, c.reason) {
				t.Fatalf("%d %s", status, reason)
			}
			if fault := a.Status().Fault; fault != "" {
				t.Error(fault)
			}
			var want []event.Fact
			if c.path != "events" && c.path != "nothing" {
				gate, _, _ := strings.Cut(c.path, "?")
				want = append(want, event.Gate{Canary: "checkout-watch", Name: gate, Hook: "pre-rollout",
					URL:   "http://gate.coalmine/" + c.path,
					Phase: "Progressing", Passed: status == 200, Status: status, Reason: reason})
			}
			if diff := cmp.Diff(want, a.facts()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func portOf(t testing.TB, address string) int {
	t.Helper()
	var port int
	_, text, err := net.SplitHostPort(parse(t, address).Host)
	if err == nil {
		_, err = fmt.Sscan(text, &port)
	}
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func addRoute(t testing.TB, c agent.Clients, r *v1beta1.HTTPRoute) {
	t.Helper()
	if _, err := c.Flagger.GatewayapiV1beta1().HTTPRoutes("develop").Create(t.Context(), r,
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// policyOn creates a Server for the pods with the labels app, and a policy for identities.
func policyOn(t *testing.T, clients agent.Clients, apps, identities string) {
	t.Helper()
	create(t, clients, "v1beta3", "servers", `{"apiVersion":"policy.linkerd.io/v1beta3","kind":"Server","metadata":{"name":"backend","namespace":"develop"},
		"spec":{"podSelector":{"matchExpressions":[{"key":"app","operator":"In","values":[`+apps+`]}]},"port":"http","accessPolicy":"deny"}}`)
	create(t, clients, "v1alpha1", "meshtlsauthentications", `{"apiVersion":"policy.linkerd.io/v1alpha1","kind":"MeshTLSAuthentication",
		"metadata":{"name":"frontend","namespace":"develop"},"spec":{"identities":[`+identities+`]}}`)
	create(t, clients, "v1alpha1", "authorizationpolicies", `{"apiVersion":"policy.linkerd.io/v1alpha1","kind":"AuthorizationPolicy",
		"metadata":{"name":"frontend","namespace":"develop"},"spec":{"targetRef":{"group":"policy.linkerd.io","kind":"Server","name":"backend"},
		"requiredAuthenticationRefs":[{"group":"policy.linkerd.io","kind":"MeshTLSAuthentication","name":"frontend"}]}}`)
}

// TestPolicyGate: the gate policy decides by the objects in the cluster.
func TestPolicyGate(t *testing.T) {
	frontend, both := `"`+mesh.Identity("frontend", "develop")+`"`, `"backend","backend-primary"`
	for name, c := range map[string]struct {
		apps, identities string
		unmeshed         bool
		status           int
		reason           string
		path             string // of a route of the Server
	}{
		"in place":       {both, frontend, false, 200, "2 pods admit 1 clients and no stranger", ""},
		"client missing": {both, `"x.develop"`, false, 412, "canary pod canary-1 denies frontend", ""},
		"primary open": {`"backend"`, frontend, false, 412,
			"primary pod primary-1 admits a client without identity", ""},
		"any identity": {both, `"*"`, false, 412, "canary pod canary-1 admits the stranger nobody.develop.", ""},
		"any of a suffix": {both, frontend + `,"*.nowhere.serviceaccount.identity.linkerd.cluster.local"`, false,
			412, "admits the stranger nobody.nowhere.", ""},
		"pod without proxy": {both, frontend, true, 412, "canary pod canary-1 has no proxy and admits any client",
			""},
		"a route for all paths": {both, frontend, false, 200, "2 pods admit 1 clients and no stranger", "/"},
		"a route for others":    {both, frontend, false, 412, "canary pod canary-1 denies frontend", "/nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			clients, route := rollout(t, 10)
			addRoute(t, clients, route)
			policyOn(t, clients, c.apps, c.identities)
			if c.path != "" {
				addRoute(t, clients, routeOfServer(c.path))
			}
			if c.unmeshed {
				unmesh(clients)
			}
			a := open(t, agent.Config{Scenario: shop(t), Spec: guarded(), Clients: clients})
			if status, reason := a.gate("policy"); status != c.status || !strings.Contains(reason, c.reason) {
				t.Errorf("%d %s", status, reason)
			}
			if fault := a.Status().Fault; fault != "" {
				t.Error(fault)
			}
		})
	}
}

// routeOfServer is a route of the Server backend for a path and what is below it.
func routeOfServer(path string) *v1beta1.HTTPRoute {
	group, kind, prefix := v1beta1.Group("policy.linkerd.io"), v1beta1.Kind("Server"), v1beta1.PathMatchPathPrefix
	return &v1beta1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Name: "inbound", Namespace: "develop"},
		Spec: v1beta1.HTTPRouteSpec{
			CommonRouteSpec: v1beta1.CommonRouteSpec{ParentRefs: []v1beta1.ParentReference{{Group: &group, Kind: &kind,
				Name: "backend"}}},
			Rules: []v1beta1.HTTPRouteRule{{Matches: []v1beta1.HTTPRouteMatch{{
				Path: &v1beta1.HTTPPathMatch{Type: &prefix, Value: &path}}}}},
		},
	}
}

// unmesh replaces the canary's pod by one without a proxy.
func unmesh(c agent.Clients) {
	pods := c.Kube.CoreV1().Pods("develop")
	_ = pods.Delete(context.Background(), "canary-1", metav1.DeleteOptions{})
	_, _ = pods.Create(context.Background(), pod("canary-1", "backend", "v2", "127.0.0.1", false),
		metav1.CreateOptions{})
}

// TestGateErrors: a gate that cannot inspect the cluster says no, and the lab is at fault.
func TestGateErrors(t *testing.T) {
	down := func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, errors.New("etcd is gone") }
	for _, c := range []struct {
		path     string
		resource string
	}{{"mtls", "pods"}, {"policy", "pods"}, {"policy", "meshtlsauthentications"}, {"rollback-drill", "httproutes"}} {
		t.Run(c.path+" without "+c.resource, func(t *testing.T) {
			clients, route := rollout(t, 10)
			addRoute(t, clients, route)
			clients.Kube.(*fake.Clientset).PrependReactor("list", c.resource, down)
			clients.Flagger.(*flaggerfake.Clientset).PrependReactor("list", c.resource, down)
			clients.Dynamic.(*dynamicfake.FakeDynamicClient).PrependReactor("list", c.resource, down)
			a := open(t, agent.Config{Scenario: shop(t), Spec: guarded(), Clients: clients})
			if status, reason := a.gate(c.path); status != 412 ||
				!strings.Contains(reason, "the lab could not find out") || !strings.Contains(reason, "etcd is gone") {
				t.Errorf("%d %s", status, reason)
			}
			if fault := a.Status().Fault; !strings.Contains(fault, "etcd is gone") {
				t.Errorf("fault %q", fault)
			}
		})
	}
}

// routedServices routes requests as the mesh does: by the drill's route while it exists, and to a
// workload otherwise.
func routedServices(t testing.TB, c agent.Clients, otherwise string) *url.URL {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if otherwise == "" { // the client's proxy does not know the canary
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		routes, err := c.Flagger.GatewayapiV1beta1().HTTPRoutes("develop").List(r.Context(), metav1.ListOptions{})
		if err != nil {
			t.Error(err)
		}
		to := otherwise
		for _, x := range routes.Items {
			for _, rule := range x.Spec.Rules {
				if len(rule.Matches) > 0 && r.Header.Get(
					string(rule.Matches[0].Headers[0].Name)) == rule.Matches[0].Headers[0].Value &&
					rule.BackendRefs[0].Name == "backend-canary" {
					to = "backend"
				}
			}
		}
		if r.Header.Get(traceheader.DrillToHeader) == "backend" {
			w.Header().Set(traceheader.WorkloadHeader, "backend="+to)
		}
	}))
	t.Cleanup(server.Close)
	return parse(t, server.URL)
}

// TestRollbackDrill: probes take the paths of users' requests, and the route is deleted whatever
// the result.
func TestRollbackDrill(t *testing.T) {
	s := shop(t)
	spec := guarded()
	spec.TrafficPods = map[string]int{"edge": 2, "lounge": 1}
	for name, c := range map[string]struct {
		clients   map[string]int
		routed    bool
		otherwise string
		status    int
		want      event.RollbackDrill
	}{
		"passes": {spec.TrafficPods, true, "backend-primary", 200,
			event.RollbackDrill{Passed: true, Forward: 20, Back: 20}},
		"does not come back": {spec.TrafficPods, true, "backend", 412, event.RollbackDrill{Forward: 20}},
		"without a route of Flagger's it would lead users astray": {spec.TrafficPods, false, "backend-primary", 412,
			event.RollbackDrill{}},
		"the proxies do not know the canary": {spec.TrafficPods, true, "", 412, event.RollbackDrill{}},
	} {
		t.Run(name, func(t *testing.T) {
			clients, route := rollout(t, 0)
			if c.routed {
				addRoute(t, clients, route)
			}
			a := open(t, agent.Config{Scenario: s, Spec: spec, Clients: clients})
			ctx, cancel := context.WithCancel(t.Context())
			address := routedServices(t, clients, c.otherwise)
			pods := a.send(ctx, s, 1, c.clients, map[string]*url.URL{"frontend": address, "backend": address},
				func() http.RoundTripper {
					return http.DefaultTransport
				})
			status, reason := a.gate("rollback-drill")
			cancel()
			pods.Wait()
			if status != c.status {
				t.Errorf("%d %s", status, reason)
			}
			gate, ok := a.facts()[1].(event.Gate)
			if late := c.otherwise == ""; !ok || gate.Late != late ||
				late != strings.Contains(reason, "did not know the canary yet") {
				t.Errorf("%+v", a.facts())
			}
			c.want.Canary, c.want.Probes, c.want.Reason = "checkout-watch", 20, reason
			if diff := cmp.Diff(event.Fact(c.want), a.facts()[0]); diff != "" {
				t.Error(diff)
			}
			routes, err := clients.Flagger.GatewayapiV1beta1().HTTPRoutes("develop").List(t.Context(),
				metav1.ListOptions{})
			if err != nil || len(routes.Items) > 1 {
				t.Errorf("%d routes are left, %v", len(routes.Items), err)
			}
		})
	}
}

func TestWeights(t *testing.T) {
	clients, route := rollout(t, 10)
	addRoute(t, clients, route)
	s := shop(t)
	old, release := s.NeutralVersion("backend", "v1", 1), s.NeutralVersion("backend", "v2", 1)
	var clock struct {
		sync.Mutex
		time.Time
	}
	clock.Time = time.Unix(1000, 0)
	a := open(t, agent.Config{Scenario: s, Clients: clients, Now: func() time.Time {
		clock.Lock()
		defer clock.Unlock()
		return clock.Time
	}})
	c := &client.Agent{Base: a.url}
	check := func(want map[string]float64) {
		t.Helper()
		for version, percent := range want {
			if w, err := c.Weight(t.Context(), "backend", version); err != nil || w.Percent != percent {
				t.Errorf("%s: %v, %v", version, w, err)
			}
		}
	}
	check(map[string]float64{old: 90, release: 10, "r-none": 0, "v2": 0})
	// A canary that is not ready leaves its share to the primary.
	if err := clients.Kube.CoreV1().Pods("develop").Delete(t.Context(), "canary-1",
		metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	clock.Lock()
	clock.Time = clock.Add(time.Second)
	clock.Unlock()
	check(map[string]float64{old: 100, release: 0})
}
