package control

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
)

// inBubble runs a test in virtual time, with a control plane that follows its fake cluster.
func inBubble(t *testing.T, test func(t *testing.T, w *world), objects ...runtime.Object) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, objects...)
		w.run()
		w.settle()
		test(t, w)
	})
}

// settle is the longest time from a change to its snapshot.
func (w *world) settle() {
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
}

// snapshot returns what a proxy gets now.
func (w *world) snapshot() wire.Snapshot {
	w.t.Helper()
	w.settle()
	answer := w.do(http.MethodGet, wire.PathConfig, nil, goodToken)
	var s wire.Snapshot
	if err := json.Unmarshal(answer.Body.Bytes(), &s); err != nil {
		w.t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	return s
}

// runningPod is an injected pod of Deployment backend-primary.
func runningPod(name, ip string) *corev1.Pod {
	p := deploymentPod()
	p.Name, p.Namespace = name, "develop"
	p.Spec.ServiceAccountName = "backend"
	p.Spec.InitContainers = []corev1.Container{{Name: names.ProxyContainer,
		RestartPolicy: new(corev1.ContainerRestartPolicyAlways),
		Ports:         []corev1.ContainerPort{{Name: "linkerd-admin", ContainerPort: names.AdminPort}},
		StartupProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/ready",
			Port: intstr.FromInt32(names.AdminPort)}}}}}
	p.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}
	p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromString("http")},
	}}
	p.Spec.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(8080)},
	}}
	p.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip,
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	return p
}

func (w *world) updatePod(p *corev1.Pod) {
	w.t.Helper()
	if _, err := w.core.CoreV1().Pods(p.Namespace).Update(w.t.Context(), p, metav1.UpdateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

func TestSnapshotOfAPod(t *testing.T) {
	pod := runningPod("backend-1", "10.244.0.5")
	pod.Annotations = map[string]string{mesh.DefaultPolicyAnnotation: mesh.Deny}
	inBubble(t, func(t *testing.T, w *world) {
		s := w.snapshot()
		if len(s.Pods) != 1 {
			t.Fatalf("pods %+v", s.Pods)
		}
		got, err := json.Marshal(s.Pods[0])
		if err != nil {
			t.Fatal(err)
		}
		const want = `{"name":"backend-1","namespace":"develop","ip":"10.244.0.5","serviceAccount":"backend","deployment":"backend-primary",` +
			`"labels":{"app":"backend-primary"},"ports":{"http":8080},"defaultPolicy":"deny","probePaths":{"8080":["/readyz","/"]},"ready":true,"meshed":true}`
		if string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}, meshedNamespace("develop"), replicaSet(), pod)
}

// TestPodsComeAndGo follows one pod through its life.
func TestPodsComeAndGo(t *testing.T) {
	pod := runningPod("backend-1", "")
	inBubble(t, func(t *testing.T, w *world) {
		last := w.snapshot()
		if len(last.Pods) != 0 {
			t.Errorf("a pod without an address is told of: %+v", last.Pods)
		}
		for _, step := range []struct {
			what        string
			change      func(p *corev1.Pod)
			pods, ready int
		}{
			{"has an address, not ready", func(p *corev1.Pod) {
				p.Status.PodIP, p.Status.Conditions[0].Status = "10.244.0.5", corev1.ConditionFalse
			}, 1, 0},
			{"ready", func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionTrue }, 1, 1},
			{"about to go, still ready", func(p *corev1.Pod) {
				p.DeletionTimestamp = &metav1.Time{Time: time.Now().Add(30 * time.Second)}
			}, 1, 0},
			{"ended", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }, 0, 0},
		} {
			step.change(pod)
			w.updatePod(pod)
			s := w.snapshot()
			ready := len(slices.DeleteFunc(slices.Clone(s.Pods), func(p wire.Pod) bool { return !p.Ready }))
			if len(s.Pods) != step.pods || ready != step.ready {
				t.Errorf("%s: %+v, want %d pods, %d ready", step.what, s.Pods, step.pods, step.ready)
			}
			if s.Generation <= last.Generation {
				t.Errorf("%s: generation %d after %d", step.what, s.Generation, last.Generation)
			}
			last = s
		}
		pod.Labels["new"] = "label"
		w.updatePod(pod)
		if s := w.snapshot(); s.Generation != last.Generation {
			t.Error("a change that does not concern proxies makes a new generation")
		}
	}, meshedNamespace("develop"), replicaSet(), pod)
}

func TestABurstOfChangesIsOneSnapshot(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		before := w.snapshot()
		for _, name := range []string{"a", "b", "c", "d"} {
			if _, err := w.core.CoreV1().Pods("develop").Create(t.Context(), runningPod(name, "10.244.0.9"),
				metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		after := w.snapshot()
		if len(after.Pods) != 4 || after.Generation != before.Generation+1 {
			t.Errorf("%d pods in generation %d after %d, want 4 in one step", len(after.Pods), after.Generation,
				before.Generation)
		}
	}, meshedNamespace("develop"), replicaSet())
}

func TestOnlyMeshedNamespacesAreInTheSnapshot(t *testing.T) {
	elsewhere := runningPod("elsewhere", "10.244.0.6")
	elsewhere.Namespace, elsewhere.Spec.InitContainers = "other", nil
	single := runningPod("single", "10.244.0.7")
	single.Namespace = "partly"
	headless := service("headless", "None")
	inBubble(t, func(t *testing.T, w *world) {
		s := w.snapshot()
		var pods []string
		for _, p := range s.Pods {
			pods = append(pods, p.Name)
		}
		if !slices.Equal(pods, []string{"backend-1", "single"}) {
			t.Errorf("pods %v: want the meshed namespace's, and of the other ones only where a pod has a proxy", pods)
		}
		want := []wire.Port{{Port: 80, TargetName: "http"}, {Port: 81, Target: 81}}
		if len(s.Services) != 1 || s.Services[0].Name != "backend" || !slices.Equal(s.Services[0].Ports, want) {
			t.Errorf("services %+v", s.Services)
		}
		var roots []string
		list, err := w.core.CoreV1().ConfigMaps("").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list.Items {
			roots = append(roots, c.Namespace+"/"+c.Name)
		}
		slices.Sort(roots)
		if !slices.Equal(roots, []string{"develop/" + wire.TrustRootsConfigMap, "partly/" + wire.TrustRootsConfigMap}) {
			t.Errorf("trust roots in %v", roots)
		}
	}, meshedNamespace("develop"), namespace("other", nil), namespace("partly", nil), trustSecret(t, bubbleEnd()),
		runningPod("backend-1", "10.244.0.5"), elsewhere, single, service("backend", "10.96.0.5"), headless)
}

// bubbleEnd is a time that virtual time does not reach.
func bubbleEnd() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) }

func service(name, ip string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "develop"}, Spec: corev1.ServiceSpec{
		ClusterIP: ip, Selector: map[string]string{"app": name},
		Ports: []corev1.ServicePort{
			{Port: 80, TargetPort: intstr.FromString("http"), Protocol: corev1.ProtocolTCP}, {Port: 81},
			{Port: 53, Protocol: corev1.ProtocolUDP},
		},
	}}
}

func TestTrustRootsAreKept(t *testing.T) {
	ended := meshedNamespace("ended")
	ended.Status.Phase = corev1.NamespaceTerminating
	first, second := trustSecret(t, bubbleEnd()), trustSecret(t, bubbleEnd())
	inBubble(t, func(t *testing.T, w *world) {
		maps := w.core.CoreV1().ConfigMaps("develop")
		roots := func(when string, want *corev1.Secret) {
			t.Helper()
			w.settle()
			m, err := maps.Get(t.Context(), wire.TrustRootsConfigMap, metav1.GetOptions{})
			if err != nil || m.Data[names.TrustRoots] != string(want.Data[names.TrustRoots]) {
				t.Errorf("%s: %v, %v", when, m, err)
			}
		}
		roots("at first", first)
		if err := maps.Delete(t.Context(), wire.TrustRootsConfigMap, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		roots("after they were deleted", first)
		second.ResourceVersion = "2"
		if _, err := w.core.CoreV1().Secrets(names.MeshNamespace).Update(t.Context(), second,
			metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		roots("after a new anchor", second)
		if list, err := w.core.CoreV1().ConfigMaps("ended").List(t.Context(), metav1.ListOptions{}); err != nil ||
			len(list.Items) > 0 {
			t.Errorf("trust roots in a namespace that is about to go: %v %v", list, err)
		}
	}, meshedNamespace("develop"), ended, first)
}

func TestRoutesAndPoliciesReachProxies(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		route := object(t, `{"apiVersion":"gateway.networking.k8s.io/v1beta1","kind":"HTTPRoute","metadata":{"name":"backend","namespace":"develop"},
			"spec":{"parentRefs":[{"group":"core","kind":"Service","name":"backend","port":80}],"rules":[{"timeouts":{"request":"1s"},
			"backendRefs":[{"name":"backend-primary","port":80,"weight":95},{"name":"backend-canary","port":80,"weight":5}]}]}}`)
		routes := w.custom.Resource(routeResource()).Namespace("develop")
		if _, err := routes.Create(t.Context(), route, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		s := w.snapshot()
		if len(s.Routes) != 1 || s.Routes[0].Rules[0].Backends[1].Weight != 5 {
			t.Fatalf("routes %+v", s.Routes)
		}
		for _, p := range policies() {
			text := map[string]string{
				"servers": `"kind":"Server","spec":{"podSelector":{},"port":8080,"accessPolicy":"deny"}`,
				"authorizationpolicies": `"kind":"AuthorizationPolicy","spec":{"targetRef":{"group":"policy.linkerd.io","kind":"Server","name":"x"},
					"requiredAuthenticationRefs":[{"group":"policy.linkerd.io","kind":"MeshTLSAuthentication","name":"x"}]}`,
				"meshtlsauthentications": `"kind":"MeshTLSAuthentication","spec":{"identities":["*"]}`,
				"networkauthentications": `"kind":"NetworkAuthentication","spec":{"networks":[{"cidr":"10.0.0.0/8"}]}`,
				"httplocalratelimitpolicies": `"kind":"HTTPLocalRateLimitPolicy","spec":{"targetRef":{"group":"policy.linkerd.io","kind":"Server","name":"x"},
					"total":{"requestsPerSecond":5}}`,
				"httproutes": `"kind":"HTTPRoute","spec":{"parentRefs":[{"group":"policy.linkerd.io","kind":"Server","name":"x"}],
					"rules":[{"matches":[{"path":{"value":"/items"}}]}]}`,
			}[p.resource.Resource]
			o := object(t, `{"apiVersion":"`+p.resource.GroupVersion().String()+
				`","metadata":{"name":"x","namespace":"develop"},`+text+`}`)
			if _, err := w.custom.Resource(p.resource).Namespace("develop").Create(t.Context(), o,
				metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		got := w.snapshot().Policies
		if len(got.Servers) != 1 || len(got.Authorizations) != 1 || len(got.MeshTLS) != 1 || len(got.Networks) != 1 ||
			len(got.Routes) != 1 || len(got.RateLimits) != 1 {
			t.Errorf("policies %+v", got)
		}
		own := object(t, `{"apiVersion":"policy.linkerd.io/v1beta3","kind":"HTTPRoute","metadata":{"name":"own","namespace":"develop"},
			"spec":{"parentRefs":[{"group":"core","kind":"Service","name":"frontend","port":80}],
			"rules":[{"backendRefs":[{"name":"backend","port":80}]}]}}`)
		linkerds := w.custom.Resource(policies()[len(policies())-1].resource).Namespace("develop")
		if _, err := linkerds.Create(t.Context(), own, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if s := w.snapshot(); len(s.Routes) != 2 || s.Routes[1].Group != "policy.linkerd.io" ||
			s.Routes[1].Parents[0].Service != "frontend" {
			t.Errorf("routes %+v", s.Routes)
		}
		if err := linkerds.Delete(t.Context(), "own", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := routes.Delete(t.Context(), "backend", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if s := w.snapshot(); len(s.Routes) != 0 {
			t.Errorf("a deleted route holds on: %+v", s.Routes)
		}
	}, meshedNamespace("develop"))
}

// TestUnreadableObjectsAreIgnored has one object of each kind that is wrong in a way that a schema
// need not catch, beside a correct one.
func TestUnreadableObjectsAreIgnored(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		create := func(resource int, kind, name, spec string) {
			t.Helper()
			gvr := routeResource()
			if resource >= 0 {
				gvr = policies()[resource].resource
			}
			o := object(t, `{"apiVersion":"`+gvr.GroupVersion().String()+`","kind":"`+kind+`","metadata":{"name":"`+
				name+`","namespace":"develop"},"spec":`+spec+`}`)
			if _, err := w.custom.Resource(gvr).Namespace("develop").Create(t.Context(), o,
				metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		create(-1, "HTTPRoute", "regex",
			`{"parentRefs":[{"kind":"Service","name":"a"}],"rules":[{"matches":[{"headers":[{"type":"RegularExpression","name":"a","value":"("}]}]}]}`)
		create(-1, "HTTPRoute", "weight", `{"rules":[{"backendRefs":[{"name":"a","weight":"much"}]}]}`)
		create(0, "Server", "unknown", `{"podSelector":{},"port":1,"externalWorkloadSelector":{}}`)
		create(0, "Server", "operator", `{"podSelector":{"matchExpressions":[{"key":"a","operator":"Near"}]},"port":1}`)
		create(0, "Server", "fine", `{"podSelector":{},"port":1}`)
		create(3, "NetworkAuthentication", "cidr", `{"networks":[{"cidr":"everywhere"}]}`)
		s := w.snapshot()
		if len(s.Routes) != 0 || len(s.Policies.Servers) != 1 || s.Policies.Servers[0].Name != "fine" ||
			len(s.Policies.Networks) != 0 {
			t.Errorf("told: %+v %+v", s.Routes, s.Policies)
		}
		for _, name := range []string{"develop/regex", "develop/weight", "develop/unknown", "develop/operator",
			"develop/cidr"} {
			if !strings.Contains(w.log.String(), name) {
				t.Errorf("%s is not in the snapshot", name)
			}
		}
	}, meshedNamespace("develop"))
}

// TestNoSnapshotBeforeEverythingIsListed: proxies must not get a partial snapshot. One kind of
// objects stands for those that the API server is slow to list.
func TestNoSnapshotBeforeEverythingIsListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, meshedNamespace("develop"), runningPod("backend-1", "10.244.0.5"), trustSecret(t, bubbleEnd()))
		var listed atomic.Bool
		w.control.cluster.watched = append(w.control.cluster.watched, watchedKind{"slowpokes", listed.Load})
		w.run()
		w.settle()
		if answer := w.do(http.MethodGet, wire.PathConfig, nil,
			goodToken); answer.Code != http.StatusServiceUnavailable {
			t.Errorf("without slowpokes: %d %s, want 503", answer.Code, answer.Body)
		}
		if why := w.control.notReady(); !strings.Contains(why, "slowpokes") || strings.Contains(why, "pods") {
			t.Errorf("unready because %q", why)
		}
		listed.Store(true)
		if s := w.snapshot(); len(s.Pods) != 1 || w.control.notReady() != "" {
			t.Errorf("pods %+v, unready because %q", s.Pods, w.control.notReady())
		}
	})
}
