package sim_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/cluster/sim"
	"coalmine/lab/scenario"
	"coalmine/lab/scenario/services"
	"coalmine/lab/service"
	"coalmine/loadgen"
)

// planOf returns the plan of a scenario's traffic.
func planOf(t testing.TB, s *scenario.Scenario, seed uint64, d time.Duration) *loadgen.Plan {
	t.Helper()
	plan, err := loadgen.NewPlan(s.Traffic, seed, d)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// playLoad plays a load and returns the outcomes of all attempts.
func playLoad(t testing.TB, l sim.Load) (sim.LoadReport, []loadgen.Outcome) {
	t.Helper()
	var outcomes []loadgen.Outcome
	l.OnAttempt = func(o *loadgen.Outcome) { outcomes = append(outcomes, *o) }
	report, err := l.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return report, outcomes
}

// arrivals counts a plan's arrivals by cohort and route.
func arrivals(plan *loadgen.Plan, until time.Duration) map[[2]string]int {
	counts := map[[2]string]int{}
	for c := plan.Arrivals(); ; {
		a, ok := c.Next()
		if !ok || a.At >= until {
			return counts
		}
		counts[[2]string{plan.Cohorts()[a.Cohort].Name, plan.Routes()[a.Route].Name}]++
	}
}

// TestLoadFollowsTheModels compares the outcomes of a load with a direct calculation.
func TestLoadFollowsTheModels(t *testing.T) {
	own := runSpec(t, "hidden-segment", "", "", 0).Scenario
	browse := *own
	browse.Traffic = browsing(t)
	for name, s := range map[string]*scenario.Scenario{"the scenario's traffic": own,
		"sessions, retries and slow clients": &browse} {
		t.Run(name, func(t *testing.T) {
			plan := planOf(t, s, 7, 2*time.Minute)
			report, outcomes := playLoad(t, sim.Load{Scenario: s, Plan: plan,
				Versions: map[string]string{"backend": "v2"}, Uptime: time.Minute})
			models, err := services.Compile(s, plan)
			if err != nil {
				t.Fatal(err)
			}
			counts, hits, retries := map[[2]string]int{}, 0, 0
			for _, o := range outcomes {
				if diff := cmp.Diff(calculated(t, models, plan, o), o); diff != "" {
					t.Fatal(diff)
				}
				if o.Hit {
					hits++
				}
				if !o.Final {
					retries++
					continue
				}
				counts[[2]string{plan.Cohorts()[o.Arrival.Cohort].Name, plan.Routes()[o.Arrival.Route].Name}]++
			}
			if diff := cmp.Diff(arrivals(plan, time.Hour), counts); diff != "" {
				t.Errorf("the plan's counts, and those played: %s", diff)
			}
			if report.Arrivals != len(outcomes)-retries || report.Attempts != len(outcomes) || report.Open != 0 ||
				report.Elapsed < plan.Duration() {
				t.Errorf("%d reported, %d retries, %+v", len(outcomes), retries, report)
			}
			if hits == 0 || (retries == 0) == (s == &browse) {
				t.Errorf("%d hits, %d retries", hits, retries)
			}
		})
	}
}

// calculated returns the outcome of an attempt by the models of a frontend v1 that calls a backend
// v2. When it was made, and whether it was the last, is taken from o.
func calculated(t *testing.T, models services.Models, plan *loadgen.Plan, o loadgen.Outcome) loadgen.Outcome {
	a, state := o.Arrival, service.State{Weight: 100}
	r := service.Request{Seq: a.Seq, User: a.User, Cohort: a.Cohort, Route: a.Route, Attempt: uint8(o.Attempt)}
	front, back := models.Of("frontend", "v1").Begin(r, state), models.Of("backend", "v2").Begin(r, state)
	if names := models.Of("backend", "v2").Hit(r, state); (len(names) > 0) != back.Hit {
		t.Fatalf("request %d: %v hit it", a.Seq, names)
	}
	want := loadgen.Outcome{
		Arrival: a, Attempt: o.Attempt, Final: o.Final, Intended: o.Intended, Sent: o.Intended,
		Latency: o.Intended - a.At + front.Before + back.Before + back.After + front.After,
		Status:  200, Version: "v2", Hit: back.Hit, BytesIn: service.DefaultSize,
	}
	if back.Status == 500 {
		want.Status = 502
	}
	if rate := plan.Cohorts()[a.Cohort].Bandwidth; rate > 0 {
		want.Latency += service.DefaultSize * time.Second / time.Duration(rate)
	}
	return want
}

// The same load has the same outcomes, and so have its shards as long as requests do not interact.
func TestLoadIsDeterministic(t *testing.T) {
	s := runSpec(t, "hidden-segment", "", "", 0).Scenario
	plan := planOf(t, s, 3, time.Minute)
	job := sim.Load{Scenario: s, Plan: plan, Versions: map[string]string{"backend": "v2"}}
	_, want := playLoad(t, job)
	before := runtime.GOMAXPROCS(1)
	_, got := playLoad(t, job)
	runtime.GOMAXPROCS(before)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	var parts []loadgen.Outcome
	for i := range 3 {
		job.Shard = loadgen.Shard{Index: i + 1, Count: 3}
		report, part := playLoad(t, job)
		if report.Arrivals != len(part) || len(part) < len(want)/4 {
			t.Errorf("shard %v has %d of %d requests: %+v", job.Shard, len(part), len(want), report)
		}
		parts = append(parts, part...)
	}
	bySeq := func(a, b loadgen.Outcome) int { return int(a.Arrival.Seq) - int(b.Arrival.Seq) }
	slices.SortFunc(want, bySeq)
	slices.SortFunc(parts, bySeq)
	if diff := cmp.Diff(want, parts); diff != "" {
		t.Errorf("the shards differ from the whole: %.1000s", diff)
	}
}

func TestLoadStops(t *testing.T) {
	s := runSpec(t, "hidden-segment", "", "", 0).Scenario
	ctx, cancel := context.WithCancelCause(context.Background())
	enough := errors.New("enough")
	attempts := 0
	report, err := sim.Load{Scenario: s, Plan: planOf(t, s, 3, time.Hour), OnAttempt: func(*loadgen.Outcome) {
		if attempts++; attempts == 1000 {
			cancel(enough)
		}
	}}.Run(ctx)
	if !errors.Is(err, enough) || attempts > 1500 || report.Arrivals != attempts+report.Open ||
		report.Elapsed > 10*time.Second {
		t.Errorf("error %v, %d reported, %+v", err, attempts, report)
	}
}

// leaking is a scenario whose backend v9 runs out of memory after some hundred requests.
func leaking(t *testing.T) *scenario.Scenario {
	s := *runSpec(t, "hidden-segment", "", "", 0).Scenario
	s.Services = slices.Clone(s.Services)
	back := s.Service("backend")
	b := back.Versions["v1"].Behaviour
	b.Memory, b.StartUp = service.Memory{Base: 100, Limit: 200}, 10*time.Second
	b.Faults = []service.Fault{{Name: "leak", Effect: service.Effect{GrowMemory: 0.1}}}
	back.Versions = map[string]scenario.Version{"v1": back.Versions["v1"], "v9": {Behaviour: b}}
	s.Release = scenario.Release{Service: "backend", Faulty: "v9", Healthy: "v1"}
	return &s
}

func TestLoadRestartsKilledPods(t *testing.T) {
	s := leaking(t)
	report, outcomes := playLoad(t, sim.Load{Scenario: s, Plan: planOf(t, s, 3, time.Minute),
		Versions: map[string]string{"backend": "v9"}})
	// At 200 requests/s memory lasts for 5 s, the kubelet notices after 0.8 s, and a start takes 10 s.
	up := map[time.Duration]int{}
	for _, o := range outcomes {
		if !o.Failed() {
			up[o.Done()/(5*time.Second)]++
		}
	}
	if report.Open != 0 || up[0] < 800 || up[1]+up[2] > 100 || up[3] < 700 || up[4] > 300 || up[6] < 500 {
		t.Errorf("answers by five seconds %v, %+v", up, report)
	}
}

// The pods' uptime may count from before the load.
func TestLoadAgainstOldPods(t *testing.T) {
	s := *runSpec(t, "hidden-segment", "", "", 0).Scenario
	s.Services = slices.Clone(s.Services)
	back := s.Service("backend")
	b := back.Versions["v1"].Behaviour
	b.Faults = []service.Fault{{Name: "after a minute", When: service.When{Uptime: time.Minute},
		Effect: service.Effect{Status: 500}}}
	back.Versions = map[string]scenario.Version{"v1": back.Versions["v1"], "v2": back.Versions["v2"],
		"v3": {Behaviour: b}}
	for uptime, first := range map[time.Duration]time.Duration{0: time.Minute, 50 * time.Second: 10 * time.Second} {
		_, outcomes := playLoad(t, sim.Load{Scenario: &s, Plan: planOf(t, &s, 3, 70*time.Second),
			Versions: map[string]string{"backend": "v3"}, Uptime: uptime})
		at := slices.IndexFunc(outcomes, func(o loadgen.Outcome) bool { return o.Hit })
		if at < 0 || outcomes[at].Done() < first || outcomes[at].Done() > first+time.Second {
			t.Errorf("after %v of uptime the first hit is outcome %d", uptime, at)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	s := runSpec(t, "hidden-segment", "", "", 0).Scenario
	plan := planOf(t, s, 3, time.Minute)
	for want, l := range map[string]sim.Load{
		"needs a scenario and a plan": {Plan: plan},
		`has no service "backed": it has frontend, backend`: {Scenario: s, Plan: plan,
			Versions: map[string]string{"backed": "v2"}},
		`service backend has no version "v7": it has v1, v2, v3`: {Scenario: s, Plan: plan,
			Versions: map[string]string{"backend": "v7"}},
		`has client "nobody", which is not among the clients`: {Scenario: s, Plan: foreign(t, s)},
	} {
		if _, err := l.Run(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// foreign is a plan with a client that the scenario does not have.
func foreign(t *testing.T, s *scenario.Scenario) *loadgen.Plan {
	other := *s
	other.Traffic.Cohorts = slices.Clone(other.Traffic.Cohorts)
	other.Traffic.Cohorts[0].Client = "nobody"
	return planOf(t, &other, 1, time.Second)
}

// BenchmarkLoad plays ten minutes at 200 requests/s to two services.
func BenchmarkLoad(b *testing.B) {
	s := runSpec(b, "hidden-segment", "", "", 0).Scenario
	plan := planOf(b, s, 7, 10*time.Minute)
	before, _ := usage(b)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		l := sim.Load{Scenario: s, Plan: plan, Versions: map[string]string{"backend": "v2"},
			OnAttempt: func(*loadgen.Outcome) {
				n++
			}}
		if _, err := l.Run(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	after, _ := usage(b)
	b.ReportMetric((after-before).Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(float64(n)/(after-before).Seconds(), "requests/cpu-s")
}
