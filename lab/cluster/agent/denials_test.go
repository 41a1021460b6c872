package agent_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"coalmine/lab/cluster/agent"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/event"
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
