package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
)

// failFirst serves 503 to the first requests, then the body that it got.
func (s *shop) failFirst(n int64) *atomic.Int64 {
	var requests atomic.Int64
	s.canary.serve(8080, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if requests.Add(1) <= n {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "%s", body)
	})
	return &requests
}

func toCanary(retry *mesh.Retry, limits mesh.Timeouts) mesh.Rule {
	return mesh.Rule{Backends: []mesh.Backend{to("backend-canary", 1)}, Retry: retry, Timeouts: limits}
}

func TestRetries(t *testing.T) {
	twice := &mesh.Retry{Statuses: []mesh.StatusRange{{First: 500, Last: 599}}, Limit: 2}
	large := strings.Repeat("x", mesh.MaxRetryBody+1)
	for name, c := range map[string]struct {
		fails    int64
		body     string
		status   int
		requests int64
		series   string
	}{
		"succeeds at last": {2, "order", 200, 3, "outbound_http_route_retry_successes_total"},
		"fails too often":  {9, "order", 503, 3, "outbound_http_route_retry_limit_exceeded_total"},
		"too large":        {1, large, 503, 1, `outbound_http_route_backend_response_statuses_total`},
		"no failure":       {0, "order", 200, 1, `outbound_http_route_request_statuses_total`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			requests := s.failFirst(c.fails)
			s.route(toCanary(twice, mesh.Timeouts{}))
			got := ask(t, s.http, "POST", "/", c.body)
			if got.status != c.status || requests.Load() != c.requests || c.status == 200 && got.body != c.body {
				t.Errorf("%d %.20q after %d requests", got.status, got.body, requests.Load())
			}
			if text, err := s.client.admin("/metrics"); err != nil || !strings.Contains(text, c.series) {
				t.Errorf("%v: no %s", err, c.series)
			}
		})
	}
}

func TestTimeouts(t *testing.T) {
	s := newShop(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	s.canary.serve(8080, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	s.route(toCanary(nil, mesh.Timeouts{Request: 50 * time.Millisecond}))
	const why = "timed out waiting for response headers: request timeout: 50ms"
	if got := ask(t, s.http, "GET", "/", ""); got.status != 504 ||
		!strings.HasSuffix(got.header.Get("L5d-Proxy-Error"), why) {
		t.Errorf("%+v", got)
	}
	s.route(toCanary(nil, mesh.Timeouts{Response: 50 * time.Millisecond}))
	if got := ask(t, s.http, "GET", "/", ""); got.status != 504 {
		t.Errorf("%+v", got)
	}
	text, err := s.client.admin("/metrics")
	for _, label := range []string{mesh.ErrorRequestTimeout, mesh.ErrorResponseStreamTimeout} {
		if err != nil || !strings.Contains(text, `error="`+label+`"`) {
			t.Errorf("%v: no error %s", err, label)
		}
	}
	s.route(toCanary(nil, mesh.Timeouts{}), mesh.Rule{})
	s.canary.greet()
	if got := ask(t, s.http, "GET", "/", ""); got.status != 200 {
		t.Errorf("without a timeout: %+v", got)
	}
}

// Routes of a Server and its rate limit turn requests away, each with its status and counter.
func TestInboundRoutesAndRateLimits(t *testing.T) {
	s := newShop(t)
	s.route(toCanary(nil, mesh.Timeouts{}))
	s.change(policies)
	s.change(func(w *wire.Snapshot) {
		w.Policies.Routes = []mesh.InboundRoute{{Servers: []string{"canary"}, Group: "policy.linkerd.io",
			Route: mesh.Route{Name: "items", Namespace: "develop", Rules: []mesh.Rule{{
				Matches: []mesh.Match{{Path: mesh.PathMatch{Kind: mesh.PathPrefix, Value: "/items"}}}}}}}}
		w.Policies.RateLimits = []mesh.RateLimit{{Name: "few", Namespace: "develop", Server: "canary", Total: 2}}
	})
	s.follow()
	if got := ask(t, s.http, "GET", "/other", ""); got.status != 404 || got.header.Get("L5d-Proxy-Error") != "" {
		t.Errorf("%+v", got)
	}
	statuses := map[int]int{}
	for range 10 {
		statuses[ask(t, s.http, "GET", "/items/1", "").status]++
	}
	if statuses[200] < 2 || statuses[429] == 0 || statuses[200]+statuses[429] != 10 {
		t.Errorf("%v", statuses)
	}
	text, err := s.canary.admin("/metrics")
	for _, series := range []string{"inbound_http_route_not_found_total", "inbound_http_local_ratelimit_total"} {
		if err != nil || !strings.Contains(text, series) {
			t.Errorf("%v: no %s", err, series)
		}
	}
}

// A canary that fails in a row gets nothing until its penalty is over, and then one request.
func TestCircuitBreaking(t *testing.T) {
	s := newShop(t)
	s.change(func(snapshot *wire.Snapshot) {
		for i := range snapshot.Services {
			snapshot.Services[i].Ports[0].Policy.Accrual = &mesh.Accrual{MaxFailures: 3,
				MinPenalty: time.Second, MaxPenalty: time.Second}
		}
	})
	requests := s.failFirst(4) // three, and the first after a penalty
	s.route(mesh.Rule{Backends: []mesh.Backend{to("backend-primary", 1), to("backend-canary", 1)}})
	failed := 0
	s.client.eventually("an open circuit breaker", func() bool {
		if ask(t, s.http, "GET", "/", "").status != 200 {
			failed++
		}
		return failed == 3
	})
	for range 20 {
		if got := ask(t, s.http, "GET", "/", ""); got.status != 200 || requests.Load() != 3 {
			t.Errorf("%d after %d requests to the canary", got.status, requests.Load())
		}
	}
	s.client.eventually("the canary again", func() bool {
		if ask(t, s.http, "GET", "/", "").status != 200 {
			failed++
		}
		return requests.Load() > 4
	})
	if failed != 4 {
		t.Errorf("%d requests failed", failed)
	}
}
