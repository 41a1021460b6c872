package dataplane_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/event"
	"coalmine/lab/mesh"
	"coalmine/lab/service"
	"coalmine/loadgen"
)

// only returns the cells that satisfy match.
func only(cells []event.Cell, match func(event.Cell) bool) []event.Cell {
	return slices.DeleteFunc(slices.Clone(cells), func(c event.Cell) bool { return !match(c) })
}

// sum adds up cells.
func sum(cells []event.Cell) event.Cell {
	var s event.Cell
	for _, c := range cells {
		s.N += c.N
		s.Retried += c.Retried
		s.ProxyRetried += c.ProxyRetried
		s.Errors += c.Errors
		s.Denied += c.Denied
		s.Limited += c.Limited
		s.Slow += c.Slow
		s.Wrong += c.Wrong
		s.Bad += c.Bad
		s.Hit += c.Hit
		s.Harm += c.Harm
		s.ByMesh += c.ByMesh
	}
	return s
}

func onCanary(c event.Cell) bool { return c.Workload == "canary" }

func TestCountsAddUp(t *testing.T) {
	s := open(t, nil)
	s.canary(service.Fault{Name: "slow", Share: 0.2,
		Effect: service.Effect{AddLatency: &service.Latency{P50: 300 * time.Millisecond, P99: 900 * time.Millisecond}}})
	answered, waits := 0, 0
	for i := range 40 {
		s.weigh(i % 3 * 50)
		s.Advance(time.Duration(i+1) * time.Second)
		for _, c := range s.Cells() {
			answered += c.N
			for _, b := range c.Latency {
				waits += b.Count
			}
			if c.Bad > c.N || c.Harm > c.Hit || c.Harm > c.Bad || c.Hit > c.N {
				t.Fatalf("impossible cell %+v", c)
			}
		}
	}
	totals := s.Totals()
	if totals.Planned != totals.Answered+totals.Open || totals.Answered != answered || waits != answered ||
		totals.Open == 0 {
		t.Errorf("%+v, cells %d, latencies %d", totals, answered, waits)
	}
	s.StopTraffic()
	s.Advance(2 * time.Minute)
	if totals = s.Totals(); totals.Open != 0 || totals.Planned != totals.Answered {
		t.Errorf("after the end: %+v", totals)
	}
	// Each request calls the frontend once and the backend once.
	for _, direction := range []string{"inbound", "outbound"} {
		got := s.series("__name__", "response_total", "direction", direction)
		if got != float64(2*totals.Answered) {
			t.Errorf("%s responses %g for %d requests", direction, got, totals.Answered)
		}
	}
	if got := s.series("__name__", "app_http_requests_total"); got != float64(2*totals.Answered) {
		t.Errorf("app requests %g for %d requests", got, totals.Answered)
	}
}

// run plays a rollout in steps and returns everything observable of it.
func run(t *testing.T, step time.Duration, change func(*loadgen.Workload, *dataplane.Config)) []byte {
	s := open(t, change)
	s.canary(
		service.Fault{Name: "errors", Share: 0.3, When: service.When{Cohorts: []string{"mobile"}},
			Effect: service.Effect{Status: 503}},
		service.Fault{Name: "hold", Share: 0.01, Effect: service.Effect{Hold: 2 * time.Second}},
	)
	var out bytes.Buffer
	for second := time.Second; second <= 30*time.Second; second += time.Second {
		for at := second - time.Second + step; at < second; at += step {
			s.Advance(at)
		}
		s.Advance(second)
		if second%(5*time.Second) == 0 {
			s.weigh(int(second / time.Second))
			s.MarkRollout()
		}
		write(t, &out, s.Cells())
	}
	write(t, &out, s.Totals())
	eachSeries(s.Plane, func(series mesh.Series, v float64) { fmt.Fprintln(&out, series.ID(), series.Labels(), v) })
	write(t, &out, s.Recent(10*time.Second))
	return out.Bytes()
}

// eachSeries calls f for every series that a scrape would find.
func eachSeries(p *dataplane.Plane, f func(mesh.Series, float64)) {
	p.Collect(func(m mesh.Metric) {
		values := make([]float64, m.Len())
		m.Values(values)
		for i, v := range values {
			f(m.Series(i), v)
		}
	})
}

func write(t *testing.T, out *bytes.Buffer, v any) {
	t.Helper()
	if err := json.NewEncoder(out).Encode(v); err != nil {
		t.Fatal(err)
	}
}

func TestSameInputsSameBytes(t *testing.T) {
	for name, change := range map[string]func(*loadgen.Workload, *dataplane.Config){"plain": nil,
		"with retries and slow clients": impatient} {
		a, b := run(t, time.Second, change), run(t, time.Second, change)
		if !bytes.Equal(a, b) {
			t.Errorf("%s: two planes differ", name)
		}
		for _, step := range []time.Duration{100 * time.Millisecond, 37 * time.Millisecond} {
			if !bytes.Equal(a, run(t, step, change)) {
				t.Errorf("%s: steps of %v change the run", name, step)
			}
		}
	}
}

func TestWeightsReachTheCanary(t *testing.T) {
	s := open(t, nil)
	s.canary()
	s.weigh(20)
	s.MarkRollout()
	s.Advance(time.Minute)
	cells := s.Cells()
	n, canary := sum(cells).N, sum(only(cells, onCanary)).N
	if off := math.Abs(float64(canary) - 0.2*float64(n)); off > 5*math.Sqrt(float64(n)*0.2*0.8) {
		t.Errorf("%d of %d requests at weight 20", canary, n)
	}
	for _, c := range cells {
		if c.Workload == "" || (c.Workload == "canary") != (c.Version == "v2") {
			t.Errorf("cell %+v", c)
		}
	}
	totals := s.Totals()
	if totals.Assigned["regular"]["canary"] == 0 || totals.Assigned["regular"]["primary"] == 0 ||
		totals.Users["insider"] != 50 {
		t.Errorf("%+v", totals)
	}
	recent := s.Recent(10 * time.Second)
	total := 0
	for _, r := range recent {
		total += r.N
	}
	if total < 1500 || total > 2200 { // the last second has only started
		t.Errorf("%d requests in the last ten seconds of 200 per second: %+v", total, recent)
	}
}

func TestUnreadyCanaryLeavesItsShareToThePrimary(t *testing.T) {
	s := open(t, nil)
	s.canary()
	s.weigh(50)
	s.SetUnready("backend-0")
	s.Advance(4 * time.Second)
	// Its share of the first three seconds waits in vain, as with the real proxy.
	if got := sum(s.Cells()); math.Abs(float64(got.Errors)-300) > 60 || got.ByMesh != got.Errors {
		t.Errorf("%+v", got)
	}
	s.Advance(10 * time.Second)
	if got := sum(s.Cells()); got.N == 0 || got.Errors > 0 {
		t.Errorf("%+v", got)
	}
	if s.series("__name__", "request_total", "pod", "backend-0") != 0 {
		t.Error("the unready canary got requests")
	}
}

func TestMissingBackendServiceAnswers500(t *testing.T) {
	s := open(t, nil)
	backends := split(30)
	backends[1].Service = "nowhere"
	s.route(mesh.Rule{Backends: backends})
	s.Advance(20 * time.Second)
	got := sum(s.Cells())
	if share := float64(got.Errors) / float64(got.N); share < 0.25 || share > 0.35 {
		t.Errorf("%.2f of the requests fail", share)
	}
	if s.series("__name__", "outbound_http_route_request_statuses_total", "http_status", "500") != float64(got.Errors) {
		t.Error("the 500s are missing from the route's statuses")
	}
	// The frontend answers 502; the 500 of its own proxy is not in the backend's response_total.
	if s.series("__name__", "response_total", "dst_service", "nowhere") != 0 {
		t.Error("responses of a Service that does not exist")
	}
}

func TestNoMatchingRuleAnswers404(t *testing.T) {
	s := open(t, nil)
	s.route(mesh.Rule{Matches: []mesh.Match{{Method: "POST"}}, Backends: split(0)})
	s.Advance(10 * time.Second)
	cells := s.Cells()
	get := sum(only(cells, func(c event.Cell) bool { return c.Route != "pay" }))
	pay := sum(only(cells, func(c event.Cell) bool { return c.Route == "pay" }))
	if get.Errors != get.N || pay.Errors != 0 || pay.N == 0 { // the frontend answers 502 if the backend answers 404
		t.Errorf("GET %+v, POST %+v", get, pay)
	}
}

func TestFailfastAfterThreeSeconds(t *testing.T) {
	s := open(t, nil)
	s.SetUnready("backend-primary-0")
	s.SetUnready("backend-primary-1")
	s.Advance(2 * time.Second)
	if got := sum(s.Cells()).N; got != 0 {
		t.Errorf("%d responses while requests wait", got)
	}
	s.Advance(10 * time.Second)
	got := sum(s.Cells())
	if got.Errors != got.N || got.N == 0 {
		t.Errorf("%+v", got)
	}
	if s.series("__name__", "outbound_http_route_request_statuses_total", "error", "FAIL_FAST") == 0 ||
		s.series("__name__", "response_total", "dst_service", "backend") != 0 {
		t.Error("want failfast only in the route's statuses")
	}
	s.SetReady("backend-primary-0", s.Now())
	s.Advance(13 * time.Second)
	s.Cells()
	s.Advance(20 * time.Second)
	if got = sum(s.Cells()); got.Errors != 0 || got.N == 0 {
		t.Errorf("after the pod is ready again: %+v", got)
	}
}

func TestParkedRequestsProceedWhenAPodIsReady(t *testing.T) {
	s := open(t, nil)
	s.SetUnready("backend-primary-0")
	s.SetUnready("backend-primary-1")
	s.Advance(2 * time.Second)
	s.SetReady("backend-primary-1", s.Now())
	s.Advance(3 * time.Second)
	got := sum(s.Cells())
	if got.Errors != 0 || got.N < 400 || got.Slow < 200 {
		t.Errorf("%+v", got)
	}
}

// denial returns a Server on the canary's label that admits no client.
func denial() mesh.Policies {
	return mesh.Policies{Servers: []mesh.Server{{
		Name: "backend-http", Namespace: "develop", Port: 8080,
		Selector: mesh.Selector{MatchLabels: map[string]string{"app": "backend"}},
	}}}
}

func TestPolicyDeniesOnlyTheCanary(t *testing.T) {
	s := open(t, nil)
	s.canary()
	s.weigh(20)
	s.SetPolicies(denial())
	s.Advance(30 * time.Second)
	cells := s.Cells()
	canary, all := sum(only(cells, onCanary)), sum(cells)
	if canary.N == 0 || canary.Denied != canary.N || canary.Harm != canary.N || all.Denied != canary.N ||
		all.Hit != canary.N {
		t.Errorf("canary %+v, all %+v", canary, all)
	}
	n := float64(canary.N)
	if s.series("__name__", "response_total", "direction", "inbound", "deployment", "backend") != 0 ||
		s.series("__name__", "app_http_requests_total", "deployment", "backend") != 0 {
		t.Error("a denied request is in the canary's own counters")
	}
	if s.series("__name__", "inbound_http_authz_deny_total", "deployment", "backend", "srv_name", "backend-http") != n {
		t.Error("the deny counter is off")
	}
	if s.series("__name__", "response_total", "direction", "outbound", "dst_deployment", "backend", "status_code",
		"403", "classification", "success") != n {
		t.Error("the caller's proxy does not count the 403s as success")
	}
	callers := s.Callers("canary", time.Minute)
	if len(callers) != 1 || callers[0].Allowed || callers[0].TLS != "true" ||
		callers[0].Identity != mesh.Identity("frontend", "develop") || callers[0].Reason == "" {
		t.Errorf("%+v", callers)
	}
	s.SetPolicies(mesh.Policies{})
	s.Advance(31 * time.Second)
	s.Cells()
	s.Advance(40 * time.Second)
	if got := sum(s.Cells()); got.Denied != 0 {
		t.Errorf("still denied: %+v", got)
	}
}

func TestUnmeshedClientBypassesRoutes(t *testing.T) {
	s := open(t, func(w *loadgen.Workload, c *dataplane.Config) {
		c.Clients[0].Unmeshed = true
		c.DefaultService = "backend"
	})
	s.canary()
	s.weigh(50)
	s.Advance(10 * time.Second)
	cells := s.Cells()
	if got := sum(only(cells, onCanary)).N; got != 0 || sum(cells).N == 0 {
		t.Errorf("%d requests of an unmeshed client reached the canary", got)
	}
	if s.series("__name__", "response_total", "direction", "outbound") != 0 {
		t.Error("a client without proxy counts")
	}
	if s.series("__name__", "response_total", "direction", "inbound", "tls", "no_identity", "no_tls_reason",
		"no_tls_from_remote") == 0 {
		t.Error("the pods' proxies do not count requests without identity")
	}
}

func TestModelGetsTheShareOfItsVersion(t *testing.T) {
	s := open(t, nil)
	s.canary(service.Fault{Name: "at half", When: service.When{Weight: 50}, Effect: service.Effect{Status: 500}})
	for weight, want := range map[int]bool{49: false, 50: true} {
		s.weigh(weight)
		s.Advance(s.Now() + time.Second)
		s.Cells()
		s.Advance(s.Now() + 5*time.Second)
		if got := sum(s.Cells()).Errors > 0; got != want {
			t.Errorf("weight %d: errors %v", weight, got)
		}
	}
}

func TestProbes(t *testing.T) {
	s := open(t, nil)
	s.canary()
	s.weigh(0)
	s.SetPolicies(denial())
	probe := func(r dataplane.ProbeRequest) dataplane.ProbeResult {
		t.Helper()
		got, err := s.Probe(r)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := probe(dataplane.ProbeRequest{Client: "frontend", Service: "backend", Path: "/"}); got.Status != 200 ||
		got.Workload != "primary" {
		t.Errorf("%+v", got)
	}
	if got := probe(dataplane.ProbeRequest{Client: "web", Pod: "backend-0", Path: "/"}); got.Status != 403 ||
		got.Verdict.Reason == "" {
		t.Errorf("%+v", got)
	}
	s.SetPolicies(mesh.Policies{Default: mesh.AllAuthenticated})
	if got := probe(dataplane.ProbeRequest{Pod: "backend-0", Path: "/"}); got.Status != 403 {
		t.Errorf("a client without identity: %+v", got)
	}
	extra := &mesh.Rule{
		Matches:  []mesh.Match{{Headers: []mesh.ValueMatch{{Name: "x-drill", Value: "1"}}}},
		Backends: split(100),
	}
	drill := dataplane.ProbeRequest{Client: "web", Service: "backend", Path: "/", ExtraRule: extra}
	if got := probe(drill); got.Workload != "primary" {
		t.Errorf("a drill's rule applies to other requests: %+v", got)
	}
	drill.Headers = []mesh.Header{{Name: "X-Drill", Value: "1"}}
	if got := probe(drill); got.Workload != "canary" || got.Version != "v2" {
		t.Errorf("drill: %+v", got)
	}
	for _, r := range []dataplane.ProbeRequest{{Client: "nobody", Service: "backend"},
		{Client: "web", Service: "nowhere"}, {Pod: "nothing"}} {
		if _, err := s.Probe(r); err == nil {
			t.Errorf("no error for %+v", r)
		}
	}
	if totals := s.Totals(); totals.Planned != 0 || s.series("__name__", "request_total") != 0 {
		t.Error("probes are counted")
	}
}

func TestCyclicCallsEnd(t *testing.T) {
	s := open(t, nil)
	loop := service.Behaviour{Routes: map[string]service.RouteBehaviour{"": {Latency: latency(time.Millisecond,
		2*time.Millisecond), Calls: "loop"}}}
	s.SetServices(append(services(), dataplane.Service{Name: "loop", Namespace: "develop",
		Selector: map[string]string{"app": "loop"}, Port: 80}))
	s.add("loop-0", "loop", "loop", "v1", "", loop)
	s.RemovePod("frontend-0")
	s.RemovePod("frontend-1")
	entry := loop
	s.add("frontend-9", "frontend", "frontend", "v1", "primary", entry)
	s.Advance(5 * time.Second)
	if got := sum(s.Cells()); got.Errors != got.N || got.N == 0 {
		t.Errorf("%+v", got)
	}
}

func TestCertificateExpiry(t *testing.T) {
	s := open(t, nil)
	want := float64(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC).Unix())
	const name = "control_identity_cert_expiration_timestamp_seconds"
	if got := s.series("__name__", name, "pod", "frontend-0"); got != want {
		t.Errorf("expires at %g, want %g", got, want)
	}
}

func TestConfigErrors(t *testing.T) {
	if _, err := dataplane.New(dataplane.Config{}); err == nil {
		t.Error("no error without a plan")
	}
	w := workload()
	w.Cohorts[0].Client = "nobody"
	plan, err := loadgen.NewPlan(w, 1, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	_, err = dataplane.New(dataplane.Config{Plan: plan, Clients: []dataplane.Client{{Name: "web"}}})
	if err == nil || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("error %v", err)
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	s := open(t, nil)
	s.canary()
	s.weigh(20)
	s.Advance(5 * time.Minute) // every user, rule and status has occurred
	s.Cells()
	before := s.Totals().Answered
	allocs := testing.AllocsPerRun(5, func() { s.Advance(s.Now() + 20*time.Second) })
	if n := s.Totals().Answered - before; allocs > float64(n)/6/100 {
		t.Errorf("%g allocations for %d requests", allocs, n/6)
	}
}
