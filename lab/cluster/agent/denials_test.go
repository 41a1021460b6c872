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

// Users whom only the canary's policy keeps out are counted as the canary's, and as harmed by the new version. What both deny is
// nobody's.
func TestDenialsAreTheirDeniers(t *testing.T) {
	for name, c := range map[string]struct {
		apps string
		want event.Cell
	}{
		"the canary": {`"backend"`, event.Cell{Workload: "backend", Version: "v2", Harm: 1}},
		"both":       {`"backend","backend-primary"`, event.Cell{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := shop(t)
			s.Traffic.Rate = loadgen.Curve{Constant: 50}
			clients, route := rollout(10)
			addRoute(t, clients, route)
			create(t, clients, "v1beta3", "servers", `{"apiVersion":"policy.linkerd.io/v1beta3","kind":"Server","metadata":{"name":"backend","namespace":"develop"},
				"spec":{"podSelector":{"matchExpressions":[{"key":"app","operator":"In","values":[`+c.apps+`]}]},"port":"http","accessPolicy":"deny"}}`)
			flight := client.RunSpec{TrafficPods: map[string]int{"edge": 1}}
			d := open(t, agent.Config{Scenario: s, Spec: flight, Clients: clients})
			denier := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
			defer denier.Close()
			u := parse(t, denier.URL)
			crew := d.send(t.Context(), s, 1, flight.TrafficPods, map[string]*url.URL{"frontend": u, "backend": u}, func() http.RoundTripper { return http.DefaultTransport })
			start := d.begin()
			if err := d.WatchDenials(context.Background()); err != nil {
				t.Fatal(err)
			}
			desk := &client.Agent{Base: d.url}
			if _, err := desk.Stop(t.Context(), client.Stop{At: start.Begin + int64(time.Second)}); err != nil {
				t.Fatal(err)
			}
			crew.Wait()
			n := 0
			for _, f := range d.facts() {
				second, _ := f.(event.Traffic)
				for _, x := range second.Cells {
					n += x.N
					if x.Workload != c.want.Workload || x.Version != c.want.Version || x.Denied != x.N || x.Harm != x.N*c.want.Harm {
						t.Errorf("%+v", x)
					}
				}
			}
			if n == 0 {
				t.Error("nobody was denied")
			}
		})
	}
}
