package sim_test

import (
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/scenario"
	"coalmine/loadgen"
)

// browsing is traffic with sessions, bursts, items, slow clients, bots, and retries within a
// budget.
func browsing(t testing.TB) loadgen.Workload {
	t.Helper()
	w, err := scenario.NamedWorkload("browse")
	if err != nil {
		t.Fatal(err)
	}
	w.Traffic.Rate = loadgen.Curve{Constant: 60}
	w.Traffic.Bursts = &loadgen.Bursts{Factor: 3, Calm: 20 * time.Second, Burst: 10 * time.Second}
	return w.Traffic
}

// lively is a run with such traffic.
func lively(t *testing.T, version string) cluster.RunSpec {
	t.Helper()
	spec := runSpec(t, "hidden-segment", scenario.Solution, version, 1)
	s := *spec.Scenario
	s.Traffic = browsing(t)
	s.Timing = scenario.Timing{Baseline: 30 * time.Second, Horizon: 5 * time.Minute}
	spec.Scenario = &s
	return spec
}

// trafficTime returns when traffic started and ended.
func trafficTime(t *testing.T, events []event.Event) (start, end time.Duration) {
	t.Helper()
	for _, e := range events {
		switch f := e.Fact.(type) {
		case event.Stage:
			if f.Name == event.StageBaseline {
				start = e.At
			}
		case event.TrafficTotals:
			end = e.At
		}
	}
	if start == 0 || end <= start {
		t.Fatalf("traffic from %v to %v", start, end)
	}
	return start, end
}

// What users got adds up to what was planned up to the end, except for requests still open.
func TestCellsMatchThePlan(t *testing.T) {
	spec := lively(t, "v2")
	events, log := play(t, spec)
	if _, again := play(t, spec); again != log {
		t.Fatalf("the log differs: %s", difference(log, again))
	}
	start, end := trafficTime(t, events)
	plan := planOf(t, spec.Scenario, spec.Seed, spec.Scenario.Timing.Baseline+spec.Scenario.Timing.Horizon)
	planned, got, sum := arrivals(plan, end-start), map[[2]string]int{}, event.Cell{}
	for _, c := range cells(events, 0, time.Hour, anyCell) {
		got[[2]string{c.Cohort, c.Route}] += c.N
		sum.N += c.N
		sum.Retried += c.Retried
		sum.ProxyRetried += c.ProxyRetried
	}
	totals := factsOf[event.TrafficTotals](events)[0]
	open := 0
	for _, key := range slices.Collect(maps.Keys(planned)) {
		open += planned[key] - got[key]
		if got[key] > planned[key] || got[key] < planned[key]-totals.Open {
			t.Errorf("%v: %d requests of %d planned", key, got[key], planned[key])
		}
	}
	if len(planned) < 10 || len(got) > len(planned) || open != totals.Open {
		t.Errorf("cells of %v, the plan has %v; %d open, totals %+v", got, planned, open, totals)
	}
	if totals.Planned != totals.Answered+totals.Open || totals.Answered != sum.N {
		t.Errorf("totals %+v, cells %+v", totals, sum)
	}
	// A failed attempt is retried, unless the run ends first. The budgets allow a tenth, and one
	// per second.
	if totals.Retries > sum.Retried || totals.Retries < sum.Retried-totals.Open || totals.Retries == 0 ||
		totals.Retries > totals.Planned/10+800 {
		t.Errorf("totals %+v, cells %+v", totals, sum)
	}
}

// storm is a run in which a quarter of the requests fail once the canary has half of them, and
// clients try four times.
func storm(t *testing.T, budget *loadgen.Budget) cluster.RunSpec {
	spec := heldAt50(t, bad)
	s := *spec.Scenario
	s.Traffic.Cohorts = slices.Clone(s.Traffic.Cohorts)
	for i := range s.Traffic.Cohorts {
		s.Traffic.Cohorts[i].Retry = &loadgen.Retry{Attempts: 4, Base: 100 * time.Millisecond, Max: time.Second,
			Jitter: 1, Budget: budget}
	}
	spec.Scenario = &s
	const of = `[1m])) / sum(rate(response_total{deployment="frontend",direction="inbound"`
	addQueries(&spec, map[string]string{
		"requested": `sum(rate(request_total{deployment="frontend",direction="inbound"}[1m]))`,
		"failed": `sum(rate(response_total{deployment="frontend",direction="inbound",classification="failure"}` +
			of + `}[1m]))`,
	})
	return spec
}

// Retries hide failures from users but load the services, and the mesh sees all of them. A budget
// limits them.
func TestRetryStorm(t *testing.T) {
	type run struct{ requested, failed, bad, retries float64 }
	attempt := func(budget *loadgen.Budget) run {
		events, _ := play(t, storm(t, budget))
		r := run{}
		var at time.Duration
		r.requested, at = lastResult(t, events, "requested")
		r.failed, _ = lastResult(t, events, "failed")
		users := event.Cell{}
		for _, c := range cells(events, at-time.Minute, at, anyCell) {
			users.N, users.Errors, users.Retried = users.N+c.N, users.Errors+c.Errors, users.Retried+c.Retried
		}
		r.bad, r.retries = float64(users.Errors)/float64(users.N), float64(users.Retried)/float64(users.N)
		return r
	}
	near := func(a, b, by float64) bool { return math.Abs(a-b) <= by*b }
	// Of 200 requests/s each attempt fails with a probability of a quarter.
	if r := attempt(nil); !near(r.requested, 200*(1+1./4+1./16+1./64), 0.05) || !near(r.failed, 0.25, 0.1) ||
		r.bad > 0.01 || !near(r.retries, 0.328, 0.1) {
		t.Errorf("without a budget %+v", r)
	}
	// With a tenth of retries, three quarters of them successful, 0.25 - 0.1·0.75 of the users see
	// a failure.
	if r := attempt(&loadgen.Budget{Ratio: 0.1}); !near(r.requested, 220, 0.05) || !near(r.failed, 0.25, 0.1) ||
		!near(r.bad, 0.175, 0.15) || !near(r.retries, 0.1, 0.1) {
		t.Errorf("with a budget %+v", r)
	}
}
