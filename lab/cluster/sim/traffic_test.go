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

// browsing is traffic with sessions, bursts, items, slow clients, machines, and retries within a budget.
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

// lively is a flight with such traffic.
func lively(t *testing.T, version string) cluster.RunSpec {
	t.Helper()
	f := flight(t, "hidden-segment", scenario.Solution, version, 1)
	s := *f.Scenario
	s.Traffic = browsing(t)
	s.Timing = scenario.Timing{Baseline: 30 * time.Second, Horizon: 5 * time.Minute}
	f.Scenario = &s
	return f
}

// trafficTime is when traffic began and ended.
func trafficTime(t *testing.T, events []event.Event) (begin, end time.Duration) {
	t.Helper()
	for _, e := range events {
		switch f := e.Fact.(type) {
		case event.Stage:
			if f.Name == event.StageBaseline {
				begin = e.At
			}
		case event.TrafficTotals:
			end = e.At
		}
	}
	if begin == 0 || end <= begin {
		t.Fatalf("traffic from %v to %v", begin, end)
	}
	return begin, end
}

// What users got adds up to what was planned up to the end, but for what was still open.
func TestCellsAreThePlan(t *testing.T) {
	f := lively(t, "v2")
	events, log := play(t, f)
	if _, again := play(t, f); again != log {
		t.Fatalf("another log of the same run: %s", difference(log, again))
	}
	begin, end := trafficTime(t, events)
	plan := planOf(t, f.Scenario, f.Seed, f.Scenario.Timing.Baseline+f.Scenario.Timing.Horizon)
	planned, got, sum := arrivals(plan, end-begin), map[[2]string]int{}, event.Cell{}
	for _, c := range cells(events, 0, time.Hour, anyCell) {
		got[[2]string{c.Cohort, c.Route}] += c.N
		sum.N += c.N
		sum.Retried += c.Retried
	}
	totals := of[event.TrafficTotals](events)[0]
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
	// An attempt that failed is made again, unless the run ends first. The budgets allow a tenth, and one in each second.
	if totals.Retries > sum.Retried || totals.Retries < sum.Retried-totals.Open || totals.Retries == 0 || totals.Retries > totals.Planned/10+800 {
		t.Errorf("totals %+v, cells %+v", totals, sum)
	}
}

// storm is a flight in which a quarter of the requests fail once the canary has half of them, with users that try four times.
func storm(t *testing.T, budget *loadgen.Budget) cluster.RunSpec {
	f := held(t, bad)
	s := *f.Scenario
	s.Traffic.Cohorts = slices.Clone(s.Traffic.Cohorts)
	for i := range s.Traffic.Cohorts {
		s.Traffic.Cohorts[i].Retry = &loadgen.Retry{Attempts: 4, Base: 100 * time.Millisecond, Max: time.Second, Jitter: 1, Budget: budget}
	}
	f.Scenario = &s
	const of = `[1m])) / sum(rate(response_total{deployment="frontend",direction="inbound"`
	watching(&f, map[string]string{
		"asked":  `sum(rate(request_total{deployment="frontend",direction="inbound"}[1m]))`,
		"failed": `sum(rate(response_total{deployment="frontend",direction="inbound",classification="failure"}` + of + `}[1m]))`,
	})
	return f
}

// Retries hide failures from users, and load the services: the mesh sees them all. A budget bounds them.
func TestRetryStorm(t *testing.T) {
	type run struct{ asked, failed, bad, retries float64 }
	fly := func(budget *loadgen.Budget) run {
		events, _ := play(t, storm(t, budget))
		r := run{}
		var at time.Duration
		r.asked, at = answer(t, events, "asked")
		r.failed, _ = answer(t, events, "failed")
		users := event.Cell{}
		for _, c := range cells(events, at-time.Minute, at, anyCell) {
			users.N, users.Errors, users.Retried = users.N+c.N, users.Errors+c.Errors, users.Retried+c.Retried
		}
		r.bad, r.retries = float64(users.Errors)/float64(users.N), float64(users.Retried)/float64(users.N)
		return r
	}
	near := func(a, b, by float64) bool { return math.Abs(a-b) <= by*b }
	// Of 200 requests/s each attempt fails with a quarter's chance.
	if r := fly(nil); !near(r.asked, 200*(1+1./4+1./16+1./64), 0.05) || !near(r.failed, 0.25, 0.1) || r.bad > 0.01 || !near(r.retries, 0.328, 0.1) {
		t.Errorf("without a budget %+v", r)
	}
	// A tenth of retries, three quarters of them good, leaves 0.25 - 0.1·0.75 of the users with the failure.
	if r := fly(&loadgen.Budget{Ratio: 0.1}); !near(r.asked, 220, 0.05) || !near(r.failed, 0.25, 0.1) || !near(r.bad, 0.175, 0.15) || !near(r.retries, 0.1, 0.1) {
		t.Errorf("with a budget %+v", r)
	}
}
