package conformance_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/sim"
	"coalmine/lab/event"
	"coalmine/lab/run"
	"coalmine/lab/run/conformance"
)

// These tests break a cluster on purpose, to show that each check can fail.

// broken plays runs in the sim and changes their events.
type broken struct {
	run.Player
	change func([]event.Event) []event.Event
}

func (b broken) Play(ctx context.Context, f cluster.RunSpec, sink func(event.Event)) error {
	events, err := conformance.Play(ctx, b.Player, f, nil)
	for _, e := range b.change(events) {
		sink(e)
	}
	return err
}

// once plays each run once, however often it is requested.
type once struct {
	run.Player
	mu   sync.Mutex
	logs map[string][]event.Event
}

func (o *once) Play(ctx context.Context, f cluster.RunSpec, sink func(event.Event)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.logs[f.Scenario.Name] == nil {
		events, err := conformance.Play(ctx, o.Player, f, nil)
		if err != nil {
			return err
		}
		o.logs[f.Scenario.Name] = events
	}
	for _, e := range o.logs[f.Scenario.Name] {
		sink(e)
	}
	return nil
}

// mutation is one way to break a cluster, and the check that must fail.
type mutation struct {
	name, run, check string
	change           func([]event.Event) []event.Event
}

// with changes a copy of each fact of a type; false drops it. Events are numbered again.
func with[F event.Fact](change func(at time.Duration, f *F) bool) func([]event.Event) []event.Event {
	return func(events []event.Event) []event.Event {
		var list []event.Event
		for _, e := range events {
			if f, ok := e.Fact.(F); ok {
				if t, ok := any(&f).(*event.Traffic); ok {
					t.Cells = slices.Clone(t.Cells)
				}
				if !change(e.At, &f) {
					continue
				}
				e.Fact = f
			}
			e.Seq = len(list) + 1
			list = append(list, e)
		}
		return list
	}
}

// cells changes each cell of the traffic.
func cells(change func(at time.Duration, c *event.Cell)) func([]event.Event) []event.Event {
	return with(func(at time.Duration, t *event.Traffic) bool {
		for i := range t.Cells {
			change(at, &t.Cells[i])
		}
		return true
	})
}

// without drops the facts for which has returns true.
func without[F event.Fact](has func(F) bool) func([]event.Event) []event.Event {
	return with(func(_ time.Duration, f *F) bool { return !has(*f) })
}

// later shifts the facts for which has returns true in time.
func later[F event.Fact](by time.Duration, has func(F) bool) func([]event.Event) []event.Event {
	return func(events []event.Event) []event.Event {
		list := slices.Clone(events)
		for i := range list {
			if f, ok := list[i].Fact.(F); ok && has(f) {
				list[i].At += by
			}
		}
		slices.SortStableFunc(list, func(a, b event.Event) int { return int(a.At - b.At) })
		for i := range list {
			list[i].Seq = i + 1
		}
		return list
	}
}

// twice repeats the facts of a type.
func twice[F event.Fact]() func([]event.Event) []event.Event {
	return func(events []event.Event) []event.Event {
		var list []event.Event
		for _, e := range events {
			n := 1
			if _, ok := e.Fact.(F); ok {
				n = 2
			}
			for range n {
				e.Seq = len(list) + 1
				list = append(list, e)
			}
		}
		return list
	}
}

func every[F event.Fact](F) bool { return true }

// tenth returns true for every tenth cell.
func tenth() func() bool {
	n := 0
	return func() bool { n++; return n%10 == 0 }
}

// toCanary gives a version's cells to the canary.
func toCanary(c *event.Cell, version string) {
	c.Workload, c.Version = strings.TrimSuffix(c.Workload, "-primary"), version
}

const (
	promote, abort, match, straight = conformance.RunPromote, conformance.RunAbort, conformance.RunMatch,
		conformance.RunStraight
)

// frameMutations break the form of the log.
func frameMutations() []mutation {
	return []mutation{
		{"an event is lost", abort, "order", func(es []event.Event) []event.Event {
			return slices.Delete(slices.Clone(es), 50, 51)
		}},
		{"two events change places", abort, "order", func(es []event.Event) []event.Event {
			list := slices.Clone(es)
			list[50], list[80] = list[80], list[50]
			return list
		}},
		{"the log is cut off", match, "order", func(es []event.Event) []event.Event { return es[:len(es)-1] }},
		{"the lab failed", match, "order", with(func(_ time.Duration, e *event.RunEnded) bool {
			e.Outcome = event.OutcomeLabFault
			return true
		})},
		{"another mesh is named", promote, "description", with(func(_ time.Duration, s *event.RunStarted) bool {
			s.Mesh = "linkerd"
			return true
		})},
		{"the stage settle is not recorded", abort, "stages", without(func(s event.Stage) bool {
			return s.Name == event.StageSettle
		})},
		{"the release is late", abort, "stages", later(20*time.Second, every[event.Released])},
		{"the release is recorded twice", straight, "stages", twice[event.Released]()},
		{"the run ends early", abort, "stages", func(es []event.Event) []event.Event {
			list := slices.Clone(es)
			list[len(list)-1].At -= 10 * time.Second
			return list
		}},
		{"a second is lost", abort, "seconds", without(func(t event.Traffic) bool {
			return time.Duration(t.To).Truncate(time.Second) == time.Minute
		})},
		{"seconds are recorded twice", match, "seconds", twice[event.Traffic]()},
		{"seconds are recorded late", promote, "seconds", later(2*time.Second, every[event.Traffic])},
		{"the traffic ends early", promote, "seconds", without(func(t event.Traffic) bool {
			return time.Duration(t.To) > 3*time.Minute
		})},
		{"cells have more bad requests than requests", abort, "cells", cells(func(_ time.Duration, c *event.Cell) {
			c.Bad = c.N + 1
		})},
		{"latencies are lost", match, "cells", cells(func(_ time.Duration, c *event.Cell) { c.Latency = nil })},
		{"a version has no workload", match, "cells", cells(func(_ time.Duration, c *event.Cell) { c.Workload = "" })},
		{"requests are counted twice", promote, "totals", cells(func(_ time.Duration, c *event.Cell) { c.N *= 2 })},
		{"half of the plan is not sent", promote, "totals", with(func(_ time.Duration, t *event.TrafficTotals) bool {
			t.Planned /= 2
			return true
		})},
		{"users are not counted", match, "totals", with(func(_ time.Duration, t *event.TrafficTotals) bool {
			t.Users = nil
			return true
		})},
		{"hurt users are not counted", abort, "totals", with(func(_ time.Duration, t *event.TrafficTotals) bool {
			t.Hurt = nil
			return true
		})},
	}
}

// serviceMutations break services, routing and the record of harm.
func serviceMutations() []mutation {
	stray := tenth()
	return []mutation{
		{"the primary is never ready", promote, "deploy", without(func(w event.Workload) bool {
			return w.Name == "backend-primary" && w.Ready > 0
		})},
		{"the canary keeps its pods", match, "deploy", without(func(w event.Workload) bool { return w.Desired == 0 })},
		{"the canary is never Initialized", match, "deploy", without(func(c event.Canary) bool {
			return c.Phase == event.PhaseInitialized
		})},
		{"an object is not recorded", abort, "applied", without(func(a event.Applied) bool {
			return a.ObjectKind == "Server"
		})},
		{"annotations are lost", match, "applied", with(func(_ time.Duration, a *event.Applied) bool {
			a.Annotations = nil
			return true
		})},
		{"the source of an object is lost", promote, "applied", with(func(_ time.Duration, a *event.Applied) bool {
			a.Source = ""
			return true
		})},
		{"the canary answers before the release", promote, "baseline", cells(func(at time.Duration, c *event.Cell) {
			if at < 40*time.Second && c.Cohort == "merchants" {
				toCanary(c, "v1")
			}
		})},
		{"the old version fails", match, "baseline", cells(func(at time.Duration, c *event.Cell) {
			c.Errors, c.Bad = 1, 1
		})},
		{"everything takes a tenth of a second", straight, "baseline", cells(func(_ time.Duration, c *event.Cell) {
			c.Latency = []event.BucketCount{{Bucket: event.LatencyBucket(100 * time.Millisecond), Count: c.N}}
		})},
		{"nothing takes any time", abort, "baseline", cells(func(_ time.Duration, c *event.Cell) {
			c.Latency = []event.BucketCount{{Bucket: event.LatencyBucket(time.Millisecond), Count: c.N}}
		})},
		{"routes are not recorded", promote, "routes", without(func(r event.Route) bool {
			return r.Rules[0].Backends[1].Weight == 60
		})},
		{"routes follow late", abort, "routes", later(8*time.Second, every[event.Route])},
		{"routes have other weights", promote, "routes", with(func(_ time.Duration, r *event.Route) bool {
			r.Rules = []event.RouteRule{{Backends: []event.RouteBackend{{Service: "backend-primary", Weight: 80},
				{Service: "backend-canary", Weight: 20}}}}
			return true
		})},
		{"weights are not kept", promote, "weights", cells(func(_ time.Duration, c *event.Cell) {
			if c.Version == "v3" && c.Cohort == "shoppers" && c.Workload == "backend" {
				c.Workload, c.Version = "backend-primary", "v1"
			}
		})},
		{"the canary gets a tenth too much", abort, "weights", cells(func(_ time.Duration, c *event.Cell) {
			if c.Version == "v1" && c.Denied == 0 && stray() {
				toCanary(c, "v2")
			}
		})},
		{"testers are not routed to the canary", match, "header", toPrimary("testers")},
		{"a cookie is found only when it is the first", match, "cookie", toPrimary("insiders-middle")},
		{"a cookie is found only before others", match, "cookie", toPrimary("insiders-last")},
		{"nobody serves the testers", match, "header", cells(func(_ time.Duration, c *event.Cell) {
			if c.Cohort == "testers" {
				c.Workload, c.Version = "", ""
			}
		})},
		{"a cookie is found inside of others", match, "outsiders", cells(func(at time.Duration, c *event.Cell) {
			if c.Cohort == "readers" && at > 70*time.Second && at < 90*time.Second {
				toCanary(c, "v3")
			}
		})},
		{"the harm is everywhere", abort, "truth", cells(func(_ time.Duration, c *event.Cell) {
			c.Hit, c.Harm, c.Bad = 1, 1, max(c.Bad, 1)
		})},
		{"the harm is not recorded", straight, "truth", cells(func(_ time.Duration, c *event.Cell) {
			c.Hit, c.Harm = 0, 0
		})},
		{"hits do no harm", straight, "truth", cells(func(_ time.Duration, c *event.Cell) { c.Harm = 0 })},
		{"a healthy version harms", promote, "truth", cells(func(_ time.Duration, c *event.Cell) { c.Hit = 1 })},
		{"a gate is open", abort, "closed-gates", with(func(_ time.Duration, g *event.Gate) bool {
			g.Passed = true
			return true
		})},
		{"a stranger is not seen", match, "closed-gates", with(func(_ time.Duration, g *event.Gate) bool {
			g.Reason = "denies edge"
			return true
		})},
		{"a gate lets it through", conformance.RunRefused, "refusals", with(func(_ time.Duration, g *event.Gate) bool {
			g.Passed = g.Passed || g.Name == event.GateMTLS
			return true
		})},
		{"a gate is not asked", conformance.RunRefused, "refusals", without(func(g event.Gate) bool {
			return g.Name == event.GateRollbackDrill
		})},
		{"requests are not sent again", conformance.RunLimits, "limits", cells(func(_ time.Duration, c *event.Cell) {
			if c.Route == "flaky" {
				c.Bad = c.N / 2
			}
		})},
		{"hidden paths are open", conformance.RunLimits, "limits", cells(func(_ time.Duration, c *event.Cell) {
			if c.Route == "hidden" {
				c.Bad = 0
			}
		})},
		{"denied requests are hit", abort, "denied-by-mesh", cells(func(_ time.Duration, c *event.Cell) {
			c.Hit = max(c.Hit, c.Denied)
		})},
		{"the mesh is not counted", abort, "denied-by-mesh", cells(func(_ time.Duration, c *event.Cell) {
			c.ByMesh = 0
		})},
	}
}

// toPrimary sends a cohort to the primary.
func toPrimary(cohort string) func([]event.Event) []event.Event {
	return cells(func(_ time.Duration, c *event.Cell) {
		if c.Cohort == cohort {
			c.Workload, c.Version = "shop-primary", "v1"
		}
	})
}

// rolloutMutations break Flagger, its rollouts and its queries.
func rolloutMutations() []mutation {
	return []mutation{
		{"a phase is left out", promote, "phases", without(func(c event.Canary) bool {
			return c.Phase == event.PhaseFinalising
		})},
		{"a step is left out", promote, "phases", without(func(c event.Canary) bool { return c.Weight == 30 })},
		{"a failed check is left out", abort, "phases", without(func(c event.Canary) bool {
			return c.FailedChecks == 2
		})},
		{"the end is left out", match, "phases", without(func(c event.Canary) bool {
			return c.Phase == event.PhaseSucceeded
		})},
		{"another threshold", abort, "phases", with(func(_ time.Duration, c *event.Canary) bool {
			c.Threshold = 9
			return true
		})},
		{"the faulty version is not rolled back", abort, "abort", without(func(c event.Canary) bool {
			return c.Phase == event.PhaseFailed
		})},
		{"failed checks are late", abort, "abort", without(func(c event.Canary) bool {
			return c.FailedChecks > 0 && c.FailedChecks < 4
		})},
		{"the rollback is late", abort, "abort", later(20*time.Second, func(c event.Canary) bool {
			return c.Phase == event.PhaseFailed
		})},
		{"the canary answers after the rollback", abort, "abort", cells(func(at time.Duration, c *event.Cell) {
			if at > 150*time.Second {
				toCanary(c, "v2")
			}
		})},
		{"the canary stays after the rollback", abort, "abort", without(func(w event.Workload) bool {
			return w.Desired == 0 && w.Version == "v2"
		})},
		{"the healthy version is not promoted", match, "promote", without(func(c event.Canary) bool {
			return c.Phase == event.PhaseSucceeded
		})},
		{"the primary keeps the old version", promote, "promote", cells(func(_ time.Duration, c *event.Cell) {
			if c.Workload == "backend-primary" {
				c.Version = "v1"
			}
		})},
		{"the primary's Deployment keeps the old version", match, "promote", without(func(w event.Workload) bool {
			return w.Name == "shop-primary" && w.Version == "v3"
		})},
		{"the update leaves an old pod", straight, "update", cells(func(_ time.Duration, c *event.Cell) {
			if c.Route == "item" {
				c.Version = "v1"
			}
		})},
		{"requests reach no pod during the update", straight, "update", cells(func(at time.Duration, c *event.Cell) {
			if at > 22*time.Second && at < 26*time.Second {
				c.Workload, c.Version = "", ""
			}
		})},
		{"a run without guardrails has a route", straight, "update", func(es []event.Event) []event.Event {
			return append([]event.Event{{Seq: 1, Fact: event.Route{Name: "backend"}}}, es...)
		}},
		{"series have no value", abort, "metrics", with(func(_ time.Duration, q *event.Query) bool {
			if q.Metric == "route-share" {
				q.Value = nil
			}
			return true
		})},
		{"series have other values", abort, "metrics", with(func(_ time.Duration, q *event.Query) bool {
			if q.Metric == "inbound-tls" {
				none := 0.0
				q.Value = &none
			}
			return true
		})},
		{"queries are not recorded", abort, "queries", without(func(q event.Query) bool {
			return q.Metric == "latency"
		})},
		{"failed queries are not recorded", abort, "queries", without(func(q event.Query) bool {
			return q.Value == nil
		})},
		{"queries are recorded as templates", match, "queries", with(func(_ time.Duration, q *event.Query) bool {
			q.PromQL = "rate(x[{{ interval }}])"
			return true
		})},
		{"queries have no bounds", promote, "queries", with(func(_ time.Duration, q *event.Query) bool {
			q.Min = nil
			return true
		})},
		{"policy allows everyone", abort, "policy", cells(func(_ time.Duration, c *event.Cell) { c.Denied = 0 })},
		{"policy denies everyone", promote, "policy", cells(func(_ time.Duration, c *event.Cell) {
			c.Denied, c.Bad = c.N, c.N
		})},
		{"probes fail", abort, "policy", without(func(w event.Workload) bool {
			return w.Version == "v2" && w.Ready > 0
		})},
		{"the deny counter counts something else", abort, "policy", with(func(_ time.Duration, q *event.Query) bool {
			if q.Metric == "denied" && q.Value != nil {
				half := *q.Value / 2
				q.Value = &half
			}
			return true
		})},
		{"gates give no reason", promote, "gates", with(func(_ time.Duration, g *event.Gate) bool {
			g.Reason = ""
			return true
		})},
		{"a gate is not recorded", promote, "gates", without(func(g event.Gate) bool {
			return g.Name == event.GateCohort
		})},
		{"approval is immediate", promote, "gates", without(func(g event.Gate) bool {
			return g.Hook == "confirm-rollout" && !g.Passed
		})},
		{"a no is recorded as a yes", promote, "gates", with(func(_ time.Duration, g *event.Gate) bool {
			g.Passed = true
			return true
		})},
		{"the canary does not wait", promote, "gates", without(func(c event.Canary) bool {
			return c.Phase == event.PhaseWaiting
		})},
		{"probes of the drill are lost", promote, "rollback-drill",
			with(func(_ time.Duration, r *event.RollbackDrill) bool {
				r.Back--
				return true
			})},
		{"the drill is not recorded", promote, "rollback-drill", without(every[event.RollbackDrill])},
		{"the drill routes users", promote, "rollback-drill", cells(func(at time.Duration, c *event.Cell) {
			if at > 69*time.Second && at < 71*time.Second {
				toCanary(c, "v3")
			}
		})},
		{"alerts are lost", abort, "alerts", without(every[event.Alert])},
		{"alerts lose their severity", abort, "alerts", with(func(_ time.Duration, a *event.Alert) bool {
			a.Severity = "info"
			return true
		})},
		{"Flagger's warnings are lost", abort, "flagger", without(func(f event.Flagger) bool {
			return f.Type == "Warning"
		})},
		{"Flagger's events have no canary", match, "flagger", with(func(_ time.Duration, f *event.Flagger) bool {
			f.Canary = ""
			return true
		})},
	}
}

func mutations() []mutation {
	return slices.Concat(frameMutations(), serviceMutations(), rolloutMutations())
}

func TestEachCheckCanFail(t *testing.T) {
	cluster := sim.Cluster{Version: "test"}
	well := &once{Player: run.InProcess{Cluster: cluster}, logs: map[string][]event.Event{}}
	for _, m := range mutations() {
		t.Run(m.name+"/"+m.run, func(t *testing.T) {
			check := checkNamed(t, m.check)
			f, err := conformance.Spec(m.run, 1)
			if err != nil {
				t.Fatal(err)
			}
			for name, player := range map[string]run.Player{"well": well, "broken": broken{well, m.change}} {
				events, err := conformance.Play(t.Context(), player, f, nil)
				if err != nil {
					t.Fatal(err)
				}
				found := check.Run(conformance.NewLog(f, cluster.Describe(), conformance.Virtual(), events))
				if (len(found) > 0) != (name == "broken") {
					t.Errorf("check %s of the %s cluster found %q", m.check, name, found)
				}
			}
		})
	}
}

func checkNamed(t *testing.T, name string) conformance.Check {
	t.Helper()
	for _, c := range conformance.Checks() {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("there is no check %s", name)
	return conformance.Check{}
}

func TestEachCheckIsSeenToFail(t *testing.T) {
	for _, c := range conformance.Checks() {
		if !slices.ContainsFunc(mutations(), func(m mutation) bool {
			return m.check == c.Name && slices.Contains(c.Runs, m.run)
		}) {
			t.Errorf("no mutation shows that check %s can fail", c.Name)
		}
		if c.Contract == "" || len(c.Runs) == 0 {
			t.Errorf("check %s has no contract or no runs", c.Name)
		}
	}
}

// TestOtherSeedsPass: the statistical bounds hold for other seeds, too. A suite that fails by
// chance is worth nothing.
func TestOtherSeedsPass(t *testing.T) {
	cluster := sim.Cluster{Version: "test"}
	for seed := uint64(2); seed <= 12; seed++ {
		for _, name := range conformance.Names() {
			f, err := conformance.Spec(name, seed)
			if err != nil {
				t.Fatal(err)
			}
			events, err := conformance.Play(t.Context(), run.InProcess{Cluster: cluster}, f, nil)
			if err != nil {
				t.Fatal(err)
			}
			log := conformance.NewLog(f, cluster.Describe(), conformance.Virtual(), events)
			for _, c := range conformance.Checks() {
				if !slices.Contains(c.Runs, name) {
					continue
				}
				for _, found := range c.Run(log) {
					t.Errorf("seed %d, run %s, check %s: %s", seed, name, c.Name, found)
				}
			}
		}
	}
}

func TestShortFlightComesToItsVerdict(t *testing.T) {
	for version, want := range map[string]string{"v2": "rolled-back", "v3": "promoted"} {
		f, err := conformance.Spec(conformance.RunShort, 1)
		if err != nil {
			t.Fatal(err)
		}
		f.Version = version
		events, err := conformance.Play(t.Context(), run.InProcess{Cluster: sim.Cluster{}}, f, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := conformance.Verdict(events); got != want {
			t.Errorf("version %s: %s, want %s", version, got, want)
		}
		if got := conformance.Verdict(events[:len(events)-1]); got != "" {
			t.Errorf("version %s, cut off: %q, want none", version, got)
		}
	}
}
