package agent_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coalmine/lab/cluster/agent"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/event"
	"coalmine/lab/mesh"
	"coalmine/loadgen"
)

// TestDenialsAreAttributed: requests that only the canary's policy denies are counted as the
// canary's, and as harmed by the new version unless it is the guardrails' policy. Those that both
// deny are attributed to neither.
func TestDenialsAreAttributed(t *testing.T) {
	for name, c := range map[string]struct {
		apps       string
		guardrails bool
		want       event.Cell
	}{
		"the canary":               {`"backend"`, false, event.Cell{Workload: "backend", Version: "v2", Harm: 1}},
		"the canary by guardrails": {`"backend"`, true, event.Cell{Workload: "backend", Version: "v2", ByMesh: 1}},
		"both":                     {`"backend","backend-primary"`, false, event.Cell{ByMesh: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := shop(t)
			s.Traffic.Rate = loadgen.Curve{Constant: 50}
			clients, route := rollout(t, 10)
			addRoute(t, clients, route)
			server := `{"apiVersion":"policy.linkerd.io/v1beta3","kind":"Server","metadata":{"name":"backend","namespace":"develop"},
				"spec":{"podSelector":{"matchExpressions":[{"key":"app","operator":"In","values":[` + c.apps + `]}]},"port":"http","accessPolicy":"deny"}}`
			create(t, clients, "v1beta3", "servers", server)
			spec := client.RunSpec{Version: "v2", Seed: 1, TrafficPods: map[string]int{"edge": 1}}
			if c.guardrails {
				spec.Guardrails = map[string]string{"canary.yaml": guardrails, "policy.yaml": server}
			}
			a := open(t, agent.Config{Scenario: s, Spec: spec, Clients: clients})
			denier := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusForbidden)
			}))
			defer denier.Close()
			u := parse(t, denier.URL)
			pods := a.send(t.Context(), s, 1, spec.TrafficPods, map[string]*url.URL{"frontend": u, "backend": u},
				func() http.RoundTripper {
					return http.DefaultTransport
				})
			start := a.begin()
			if err := a.WatchDenials(context.Background()); err != nil {
				t.Fatal(err)
			}
			agentClient := &client.Agent{Base: a.url}
			if _, err := agentClient.Stop(t.Context(), client.Stop{At: start.Begin + int64(time.Second)}); err != nil {
				t.Fatal(err)
			}
			pods.Wait()
			n := 0
			for _, f := range a.facts() {
				second, _ := f.(event.Traffic)
				for _, x := range second.Cells {
					n += x.N
					if x.Workload != c.want.Workload || x.Version != c.want.Version || x.Denied != x.N ||
						x.Harm != x.N*c.want.Harm || x.ByMesh != x.N*c.want.ByMesh {
						t.Errorf("%+v", x)
					}
				}
			}
			if n == 0 {
				t.Error("no request was denied")
			}
		})
	}
}

// TestDenialsAreCountedByProxies: the counters of the proxies decide whose doing a denial is, also
// where the policies that the agent knows deny nobody.
func TestDenialsAreCountedByProxies(t *testing.T) {
	for name, c := range map[string]struct {
		ip, labels string
		guardrails bool
		want       client.WorkloadVersion
		release    bool
	}{
		"the canary": {"127.0.0.2", `srv_group="policy.linkerd.io",srv_kind="server",srv_name="backend"`, false,
			client.WorkloadVersion{Workload: "backend", Version: "v2"}, true},
		"the canary by guardrails": {"127.0.0.2", `srv_group="policy.linkerd.io",srv_kind="server",srv_name="backend"`,
			true, client.WorkloadVersion{Workload: "backend", Version: "v2"}, false},
		"the primary": {"127.0.0.1", `srv_group="",srv_kind="default",srv_name="deny"`, false,
			client.WorkloadVersion{Workload: "backend-primary", Version: "v1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := shop(t)
			clients, route := rollout(t, 10)
			addRoute(t, clients, route)
			pods := clients.Kube.CoreV1().Pods("develop")
			canary, err := pods.Get(t.Context(), "canary-1", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			canary.Status.PodIP = "127.0.0.2"
			if _, err := pods.UpdateStatus(t.Context(), canary, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			spec := client.RunSpec{Version: "v2", Seed: 1, TrafficPods: map[string]int{"edge": 1}}
			if c.guardrails {
				spec.Guardrails = map[string]string{"canary.yaml": guardrails, "policy.yaml": `{"apiVersion":
					"policy.linkerd.io/v1beta3","kind":"Server","metadata":{"name":"backend","namespace":"develop"},"spec":
					{"podSelector":{"matchLabels":{"app":"none"}},"port":"http","accessPolicy":"deny"}}`}
			}
			a := open(t, agent.Config{Scenario: s, Spec: spec, Clients: clients})
			denied := 5
			a.ProxiesAt(proxiesAt(t, func(ip string) string {
				n := 7 // from before
				if ip == c.ip {
					n = denied
				}
				return fmt.Sprintf("# TYPE inbound_http_authz_deny_total counter\ninbound_http_authz_deny_total{"+
					`target_port="8080",%s,srv_port="8080",tls="true",client_id="%s"} %d`+"\n", c.labels,
					mesh.Identity("frontend", "develop"), n)
			}))
			for _, n := range []int{5, 5, 8} {
				denied = n
				by, release, err := a.Denials(t.Context(), "edge")
				if err != nil {
					t.Fatal(err)
				}
				want, wantRelease := client.WorkloadVersion{}, false
				if n == 8 {
					want, wantRelease = c.want, c.release
				}
				if by != want || release != wantRelease {
					t.Errorf("with %d denied requests: denied by %+v, the release's doing %v", n, by, release)
				}
			}
		})
	}
}

// proxiesAt serves the metrics of pods' proxies at all addresses of this machine, and returns their
// port.
func proxiesAt(t *testing.T, metrics func(ip string) string) int {
	t.Helper()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			ip, _, _ := net.SplitHostPort(r.Context().Value(http.LocalAddrContextKey).(net.Addr).String())
			_, _ = io.WriteString(w, metrics(ip))
		})}}
	s.Start()
	t.Cleanup(s.Close)
	return l.Addr().(*net.TCPAddr).Port
}
