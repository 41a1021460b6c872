package sim_test

import (
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/scenario"
	"coalmine/lab/service"
	"coalmine/loadgen"
)

// These tests compare the counts in the log with the plan, and the results of PromQL with the
// counts in the log.

// busy gives a run enough traffic for statistics.
func busy(spec *cluster.RunSpec) {
	s := *spec.Scenario
	s.Traffic.Rate = loadgen.Curve{Constant: 200}
	spec.Scenario = &s
}

// addQueries adds queries before a canary's checks. They pass with any value.
func addQueries(spec *cluster.RunSpec, queries map[string]string) {
	a := spec.Guardrails.CanaryFor("backend").Spec.Analysis
	var ms []flaggerv1.CanaryMetric
	for _, name := range slices.Sorted(maps.Keys(queries)) {
		ms = append(ms, flaggerv1.CanaryMetric{Name: name, Query: queries[name], Interval: "1m",
			ThresholdRange: &flaggerv1.CanaryThresholdRange{}})
	}
	a.Metrics = append(ms, a.Metrics...)
}

// lastResult returns the last result of a query, and when it was made.
func lastResult(t *testing.T, events []event.Event, name string) (float64, time.Duration) {
	t.Helper()
	for _, e := range slices.Backward(events) {
		if q, ok := e.Fact.(event.Query); ok && q.Metric == name && q.Value != nil {
			return *q.Value, e.At
		}
	}
	t.Fatalf("no result of %s", name)
	return 0, 0
}

// cells returns the matching cells of the windows between two times.
func cells(events []event.Event, from, to time.Duration, match func(event.Cell) bool) []event.Cell {
	var list []event.Cell
	for _, tr := range factsOf[event.Traffic](events) {
		if time.Duration(tr.From) < from || time.Duration(tr.To) > to {
			continue
		}
		for _, c := range tr.Cells {
			if match(c) {
				list = append(list, c)
			}
		}
	}
	return list
}

func requests(cs []event.Cell) int {
	n := 0
	for _, c := range cs {
		n += c.N
	}
	return n
}

func fromCanary(c event.Cell) bool { return c.Workload == "backend" }
func anyCell(event.Cell) bool      { return true }

// The canary's share of the requests at each step is its weight, within statistical error.
func TestSharesAreWeights(t *testing.T) {
	spec := withCanary(t, good, "", "interval: 30s\nthreshold: 2\nstepWeights: [5, 25, 50, 100]"+check("vector(1)"))
	busy(&spec)
	events, _ := play(t, spec)
	list := statuses(events)
	for i, s := range list {
		if s.Weight == 0 || s.Phase != event.PhaseProgressing {
			continue
		}
		from, to := s.at+3*time.Second, list[i+1].at // earlier requests have been answered by then
		n := float64(requests(cells(events, from, to, anyCell)))
		share, p := float64(requests(cells(events, from, to, fromCanary)))/n, float64(s.Weight)/100
		if sigma := math.Sqrt(p * (1 - p) / n); math.Abs(share-p) > 4.5*sigma {
			t.Errorf("weight %d: the canary got %.2f %% of %.0f requests, more than 4.5 σ off", s.Weight, 100*share, n)
		}
	}
	if at := firstStatus(t, list, "weight 100", func(s status) bool { return s.Weight == 100 }); at.at == 0 {
		t.Error("the canary never had all traffic")
	}
}

// heldAt50 is a run that stays at weight 50 for minutes, since its check always fails and a
// thousand failures are allowed.
func heldAt50(t *testing.T, version string) cluster.RunSpec {
	spec := withCanary(t, version, "", "interval: 30s\nthreshold: 1000\nstepWeights: [50]"+check("vector(0)"))
	busy(&spec)
	return spec
}

// What Prometheus reports about the canary is what the canary's users got.
func TestPromQLMatchesTheLog(t *testing.T) {
	spec := heldAt50(t, bad)
	s := *spec.Scenario
	s.Services = slices.Clone(s.Services)
	front := s.Service("frontend") // so fast that users wait only for the backend
	front.Versions = map[string]scenario.Version{"v1": {Behaviour: service.Behaviour{
		Routes: map[string]service.RouteBehaviour{
			"": {Latency: service.Latency{P50: 50 * time.Microsecond, P99: 60 * time.Microsecond}, Calls: "backend"}}}}}
	spec.Scenario = &s
	const series = `{deployment="backend",direction="inbound"}[1m]`
	addQueries(&spec, map[string]string{
		"success": `sum(rate(response_total{deployment="backend",direction="inbound",classification="success"}[1m])) / sum(rate(response_total` + series + `)) * 100`,
		"rate":    `sum(rate(response_total` + series + `))`,
		"p99":     `histogram_quantile(0.99, sum(rate(response_latency_ms_bucket` + series + `)) by (le))`,
	})
	events, _ := play(t, spec)
	success, at := lastResult(t, events, "success")
	rate, _ := lastResult(t, events, "rate")
	p99, _ := lastResult(t, events, "p99")
	// The newest scrape is the one at the last full ten seconds. A minute has six scrapes, 50 s
	// from first to last.
	newest := at.Truncate(10 * time.Second)
	if newest == at {
		newest -= 10 * time.Second
	}
	seen := cells(events, newest-50*time.Second, newest+time.Second/2, fromCanary)
	n, errors := requests(seen), 0
	var waits [][]event.BucketCount
	for _, c := range seen {
		errors += c.Errors
		waits = append(waits, c.Latency)
	}
	if got, want := success, 100-100*float64(errors)/float64(n); math.Abs(got-want) > 0.5 {
		t.Errorf("PromQL says %.2f %% success, users saw %.2f %% of %d", got, want, n)
	}
	if want := float64(n) / 50; math.Abs(rate-want) > 0.02*want {
		t.Errorf("PromQL says %.2f requests/s, users sent %.2f", rate, want)
	}
	low, high := linkerdBucket(event.Quantile(0.99, waits...))
	if p99 < low*0.9 || p99 > high*1.1 {
		t.Errorf("PromQL says a p99 of %.0f ms, users waited %v: outside of its bucket from %.0f to %.0f", p99,
			event.Quantile(0.99, waits...), low, high)
	}
}

// linkerdBucket returns the bounds of the bucket of response_latency_ms that contains a latency, in
// milliseconds.
func linkerdBucket(d time.Duration) (low, high float64) {
	ms := float64(d) / float64(time.Millisecond)
	bounds := []float64{0, 1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 100, 200, 300, 400, 500, 1000, 2000, 3000, 4000,
		5000, 10000}
	i, _ := slices.BinarySearch(bounds, ms)
	return bounds[i-1], bounds[i]
}

// A denied request is not among the pod's responses: it is in the deny counter and on the client's
// side.
func TestDeniedRequests(t *testing.T) {
	f := heldAt50(t, good)
	s := *f.Scenario
	s.Environment = denyCanary
	f.Scenario = &s
	addQueries(&f, map[string]string{
		"inbound":  `sum(response_total{deployment="backend",direction="inbound"}) or vector(0)`,
		"denied":   `sum(inbound_http_authz_deny_total{deployment="backend"})`,
		"outbound": `sum(response_total{dst_deployment="backend",direction="outbound",status_code="403",classification="success"})`,
	})
	events, _ := play(t, f)
	inbound, at := lastResult(t, events, "inbound")
	denied, _ := lastResult(t, events, "denied")
	outbound, _ := lastResult(t, events, "outbound")
	if inbound != 0 || denied == 0 || outbound != denied {
		t.Errorf("inbound %v, denied %v, outbound %v: want 0, and the other two equal", inbound, denied, outbound)
	}
	users := 0
	for _, c := range cells(events, 0, at.Truncate(10*time.Second)+time.Second/2, fromCanary) {
		users += c.Denied
		if c.Denied != c.N || c.Bad != c.N {
			t.Errorf("not all of %+v were denied", c)
		}
	}
	if math.Abs(float64(users)-denied) > 5 { // requests in flight through the frontend
		t.Errorf("%d users were denied, the counter says %v", users, denied)
	}
}

const denyCanary = `
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata: {name: backend, namespace: develop}
spec:
  podSelector: {matchLabels: {app: backend}}
  port: 8080
`

// Users, requests and cells of a run add up to the plan.
func TestTotalsMatchThePlan(t *testing.T) {
	spec := withCanary(t, bad, "", "interval: 10s\nthreshold: 3\nstepWeights: [20, 40]"+success)
	events, _ := play(t, spec)
	totals := factsOf[event.TrafficTotals](events)[0]
	plan, err := loadgen.NewPlan(spec.Scenario.Traffic, spec.Seed,
		spec.Scenario.Timing.Baseline+spec.Scenario.Timing.Horizon)
	if err != nil {
		t.Fatal(err)
	}
	users, planned := map[string]map[uint32]bool{}, 0
	for c := plan.Arrivals(); ; planned++ {
		a, more := c.Next()
		if !more {
			break
		}
		name := plan.Cohorts()[a.Cohort].Name
		if users[name] == nil {
			users[name] = map[uint32]bool{}
		}
		users[name][a.User] = true
	}
	if totals.Planned != planned || totals.Open != totals.Planned-totals.Answered {
		t.Errorf("%+v of %d planned arrivals", totals, planned)
	}
	if n := requests(cells(events, 0, time.Hour, anyCell)); n != totals.Answered {
		t.Errorf("cells hold %d requests, %d were answered", n, totals.Answered)
	}
	hurt := 0
	for name, seen := range users {
		if totals.Users[name] != len(seen) {
			t.Errorf("%d users of cohort %s, the plan has %d", totals.Users[name], name, len(seen))
		}
		hurt += totals.Hurt[name]
	}
	harm := 0
	for _, c := range cells(events, 0, time.Hour, anyCell) {
		harm += c.Harm
	}
	if hurt == 0 || hurt > harm {
		t.Errorf("%d users were hurt by %d harmed requests", hurt, harm)
	}
}

// Without guardrails a release is a rolling update: no request fails during it, and afterwards all
// reach the new version.
func TestUnguardedRelease(t *testing.T) {
	spec := withCanary(t, good, "", "interval: 10s\nthreshold: 3\nstepWeights: [20]"+success)
	spec.Guardrails = nil
	busy(&spec)
	events, _ := play(t, spec)
	var released, finished time.Duration
	desired := 0
	for _, e := range events {
		switch w := e.Fact.(type) {
		case event.Released:
			released = e.At
		case event.Workload:
			if released == 0 || w.Name != "backend" {
				continue
			}
			desired = w.Desired
			if w.Ready < w.Desired {
				t.Errorf("at %v only %d of %d pods were ready: the default strategy allows none of two to be missing",
					e.At, w.Ready, w.Desired)
			}
			finished = e.At
		}
	}
	if desired != 2 || finished <= released {
		t.Fatalf("%d pods, released at %v, last change at %v", desired, released, finished)
	}
	for _, c := range cells(events, released, finished+5*time.Second, func(c event.Cell) bool {
		return c.Route != "report"
	}) {
		if wait := event.Quantile(1, c.Latency); wait > time.Second {
			t.Errorf("a request waited %v for a pod during the update", wait)
		}
	}
	lost := cells(events, released, finished+time.Second, func(c event.Cell) bool { return c.Workload == "" })
	if n := requests(lost); n > 0 {
		t.Errorf("%d requests reached no pod during the update", n)
	}
	after := cells(events, finished+5*time.Second, time.Hour, anyCell)
	old := slices.DeleteFunc(slices.Clone(after), func(c event.Cell) bool { return c.Version == good })
	if requests(after) == 0 || requests(old) > 0 {
		t.Errorf("%d of %d requests after the update had another version: %+v", requests(old), requests(after),
			old[:min(len(old), 3)])
	}
}
