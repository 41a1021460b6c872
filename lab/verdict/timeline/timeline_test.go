package timeline_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"coalmine/lab/event"
	"coalmine/lab/verdict/timeline"
	script "coalmine/lab/verdict/timelinetest"
)

func build(s *script.Script) *timeline.Timeline { return timeline.Build(s.Events()) }

func wantAt(t *testing.T, what string, m timeline.Moment, at time.Duration) {
	t.Helper()
	if !m.Happened() || m.At != at {
		t.Errorf("%s = %v, want it seen at %v", what, m, at)
	}
}

func wantNever(t *testing.T, what string, m timeline.Moment) {
	t.Helper()
	if m.Happened() {
		t.Errorf("%s = %v, want it never seen", what, m)
	}
}

func TestRolledBack(t *testing.T) {
	tl := build(script.RolledBack(7))
	wantAt(t, "released", tl.Released, 70*time.Second)
	wantAt(t, "first bad", tl.FirstBad, 86*time.Second) // weight 5 from 85 s
	wantAt(t, "detected", tl.Detected, 135*time.Second) // first failed check
	wantAt(t, "abort", tl.Abort, 185*time.Second)       // phase Failed
	wantAt(t, "last bad", tl.LastBad, 185*time.Second)
	wantNever(t, "promoting", tl.Promoting)
	wantNever(t, "removed", tl.Removed)
	wantNever(t, "refusal", tl.Refusal)
	if tl.WeightAtAbort != 25 {
		t.Errorf("weight at abort %d, want 25", tl.WeightAtAbort)
	}
	// Premium gets 20 requests/s: 1 of them on the canary for 30 s, then 5 for 70 s; half of them,
	// rounded up, are bad.
	if h := tl.Sum(nil).Harm; h != 30*1+70*3 {
		t.Errorf("harm %d, want 240", h)
	}
	if tl.CanaryRequests != 30*5+70*25 {
		t.Errorf("canary requests %d, want 1900", tl.CanaryRequests)
	}
	if e := tl.Experiment; e.Owner != "payments" || e.End != "2026-03-08" || !e.Happened() {
		t.Errorf("experiment %+v", e)
	}
}

func TestMomentsNameTheirEvents(t *testing.T) {
	s := script.RolledBack(7)
	tl := build(s)
	for _, c := range []struct {
		mark timeline.Moment
		kind event.Kind
	}{
		{tl.Released, event.KindReleased}, {tl.FirstBad, event.KindTraffic}, {tl.LastBad, event.KindTraffic},
		{tl.Detected, event.KindCanary}, {tl.Abort, event.KindCanary}, {tl.FirstCanary, event.KindTraffic},
		{tl.TotalsAt, event.KindTrafficTotals}, {tl.End.Moment, event.KindRunEnded},
		{tl.Experiment.Moment, event.KindApplied},
	} {
		if got := s.Events()[c.mark.Seq-1].Fact.Kind(); got != c.kind {
			t.Errorf("mark %v rests on %s, want %s", c.mark, got, c.kind)
		}
	}
}

func TestPromoted(t *testing.T) {
	tl := build(script.Promoted("healthy", 1))
	wantAt(t, "promoting", tl.Promoting, 175*time.Second)
	wantAt(t, "promoted", tl.Promoted, 185*time.Second)
	wantNever(t, "abort", tl.Abort)
	wantNever(t, "detected", tl.Detected)
	var weights []int
	for _, s := range tl.Steps {
		weights = append(weights, s.Weight)
	}
	if diff := cmp.Diff([]int{5, 25, 50, 100}, weights); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestSignalsBeforeTheFirstHarmDoNotCount(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release()
	s.Fault = 0
	s.Canary("Progressing", 5, 0).Traffic(10).Canary("Progressing", 5, 1).Traffic(10)
	s.Fault = 0.5
	s.Traffic(10).Canary("Progressing", 5, 2).Traffic(5)
	wantAt(t, "detected", build(s).Detected, 100*time.Second)
}

func TestAnEarlySignalCountsIfItIsTheOnlyOneBeforeTheRollback(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release()
	s.Fault = 0
	s.Canary("Progressing", 5, 0).Traffic(10).Canary("Progressing", 5, 1)
	s.Fault = 0.5
	s.Traffic(10).Canary("Failed", 0, 1).Traffic(5)
	tl := build(s)
	wantAt(t, "detected", tl.Detected, 80*time.Second)
	if d := tl.Detected.Since(tl.FirstBad); d != 0 {
		t.Errorf("noticed %v after the first bad request, want 0", d)
	}
}

func route(weight int) event.Route {
	return event.Route{Name: script.Service, Rules: []event.RouteRule{{Backends: []event.RouteBackend{
		{Service: script.Service + "-primary", Weight: 100 - weight},
		{Service: script.Service + "-canary", Weight: weight},
	}}}}
}

func TestRouteToPrimaryIsTheRollback(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release().Add(route(0)).Canary("Progressing", 5, 0).Add(route(5)).Traffic(20)
	s.Add(route(0))
	s.Wait(2*time.Second).Canary("Failed", 0, 1).Traffic(5)
	wantAt(t, "abort", build(s).Abort, 90*time.Second)
}

func TestRouteToPrimaryOfAPromotionIsNotARollback(t *testing.T) {
	s := script.Ready("healthy", 1, true).Release().Canary("Progressing", 50, 0).Add(route(50)).Traffic(20)
	s.Add(route(0)).Canary("Promoting", 50, 0).Traffic(5).Canary("Finalising", 0, 0)
	tl := build(s)
	wantNever(t, "abort", tl.Abort)
	wantAt(t, "promoted", tl.Promoted, 95*time.Second)
}

func TestRestartedAnalysisIsNotARollback(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release().Canary("Progressing", 5, 0).Add(route(5)).Traffic(20)
	s.Add(route(0)).Canary("Progressing", 0, 0).Traffic(10).Canary("Progressing", 5, 0).Add(route(5)).Traffic(10)
	wantNever(t, "abort", build(s).Abort)
}

func TestIgnoresOtherServices(t *testing.T) {
	other := event.Canary{Name: "frontend", Target: "frontend", Phase: "Failed"}
	s := script.Ready("faulty", 1, true).Release().Canary("Progressing", 5, 0).Add(other).Traffic(5)
	s.Add(event.Route{Name: "frontend",
		Rules: []event.RouteRule{{Backends: []event.RouteBackend{{Service: "frontend-primary", Weight: 100}}}}})
	tl := build(s)
	wantNever(t, "abort", tl.Abort)
	if len(tl.Routes) != 0 {
		t.Errorf("routes %v, want none", tl.Routes)
	}
}

// A webhook of type rollback asks whether to roll back: failing holds nothing, and passing proves
// nothing good.
func TestRollbackWebhookPassesToRollBack(t *testing.T) {
	hook := func(passed bool) *timeline.Timeline {
		s := script.Ready("healthy", 1, true).Release().Canary("Progressing", 0, 0)
		s.Add(event.Gate{Canary: script.Service, Name: event.GatePolicy, Hook: event.HookRollback, Passed: passed})
		return build(s.Wait(10*time.Second).Traffic(1).Canary("Failed", 0, 0))
	}
	no := hook(false)
	wantNever(t, "refusal", no.Refusal)
	if no.Detected != no.Abort {
		t.Errorf("detected %v: a no must not count as a sign before the abort %v", no.Detected, no.Abort)
	}
	yes := hook(true)
	wantNever(t, "policy precondition", yes.Preconditions.Policy)
	if !yes.Detected.Happened() || yes.Detected.At >= yes.Abort.At {
		t.Errorf("detected %v: a yes is the sign, before the abort %v", yes.Detected, yes.Abort)
	}
}

func TestGateHoldsTheCanary(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release().Canary("Progressing", 0, 0)
	s.Gate("mtls", false).Wait(10 * time.Second).Traffic(1)
	tl := build(s)
	wantAt(t, "detected", tl.Detected, 70*time.Second)
	wantAt(t, "refusal", tl.Refusal, 70*time.Second)
}

func TestFailedRollbackWebhookHoldsNothing(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release().Canary("Progressing", 5, 0).Traffic(10)
	s.Gate("cohort", false).Canary("Progressing", 25, 0).Traffic(10)
	wantNever(t, "detected", build(s).Detected)
}

func TestFailedPreRolloutCheckIsARefusal(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release().Canary("Progressing", 0, 0).Wait(30*time.Second).Canary(
		"Progressing", 0, 1)
	wantAt(t, "refusal", build(s).Refusal, 100*time.Second)
	s = script.Ready("faulty", 1, true).Release().Canary("Progressing", 0, 0).Gate("volume", false).Canary(
		"Progressing", 0, 1)
	wantNever(t, "refusal of a volume gate", build(s).Refusal)
}

func TestPreconditionsMustComeBeforeCanaryTraffic(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release().Canary("Progressing", 0, 0).Gate("mtls", true)
	s.Add(event.RollbackDrill{Canary: script.Service, Passed: true}).Canary("Progressing", 5, 0).Traffic(5).Gate(
		"policy", true)
	p := build(s).Preconditions
	wantAt(t, "mtls", p.MTLS, 70*time.Second)
	wantAt(t, "rehearsal", p.RollbackDrill, 70*time.Second)
	wantNever(t, "policy", p.Policy)
}

func TestRemovedCanary(t *testing.T) {
	gone := map[string]event.Fact{
		"Canary":     event.Deleted{ObjectKind: "Canary", Name: script.Service},
		"Deployment": event.Deleted{ObjectKind: "Deployment", Name: script.Service},
		"pods":       event.Workload{Name: script.Service, Version: script.Version},
	}
	for name, f := range gone {
		s := script.Ready("faulty", 1, true).Release().Canary("Progressing", 5, 0).Traffic(10).Add(f).Traffic(10)
		wantAt(t, name+" removed", build(s).Removed, 80*time.Second)
		s = script.Ready("faulty", 1, true).Release().Canary("Progressing", 5, 0).Traffic(10).Add(f).Canary(
			"Failed", 0, 1)
		if name == "pods" {
			wantNever(t, "pods removed in a rollback", build(s).Removed)
		}
		s = script.RolledBack(1).Add(f)
		wantNever(t, name+" removed after the end", build(s).Removed)
	}
}

func TestWaits(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release().Canary("Progressing", 5, 0).Traffic(10)
	s.Canary("WaitingPromotion", 5, 0).Traffic(20).Canary("Progressing", 5, 0)
	s.Gate("approve", false).Traffic(10).Gate("approve", true)
	w := build(s).Waits
	if len(w) != 2 || w[0].Until.Since(w[0].From) != 20*time.Second || w[1].Until.Since(w[1].From) != 10*time.Second {
		t.Errorf("waits %+v, want 20 s and 10 s", w)
	}
}

func TestFailedChecksOverTheThresholdAreAWait(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release().Canary("Progressing", 5, 5).Traffic(10)
	if w := build(s).Waits; len(w) != 0 {
		t.Errorf("waits %+v at the threshold, want none", w)
	}
	if w := build(s.Canary("Progressing", 5, 6).Traffic(10)).Waits; len(w) != 1 || w[0].Until.Happened() {
		t.Errorf("waits %+v beyond the threshold, want one that lasts", w)
	}
}

// Flagger keeps a canary at no pods until a release: a Deployment in that state was not removed.
func TestCanaryWithoutTrafficIsNotRemoved(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release().Add(event.Workload{Name: script.Service, Version: script.Version})
	wantNever(t, "removed", build(s).Removed)
}

func TestIgnoresEventsAfterTheEnd(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release().Canary("Progressing", 5, 0).Traffic(10).End(event.OutcomeCompleted)
	n := build(s).Sum(nil).N
	s.Add(event.Deleted{ObjectKind: "Canary", Name: script.Service}).Canary("Failed", 0, 1).Traffic(10)
	tl := build(s)
	wantNever(t, "removed", tl.Removed)
	wantNever(t, "abort", tl.Abort)
	if got := tl.Sum(nil).N; got != n {
		t.Errorf("%d requests, want the run's %d", got, n)
	}
}

func TestSecondsAfterAStepAreNotSteady(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release().Canary("Progressing", 50, 0).Traffic(20).Canary("Progressing", 60,
		0).Traffic(3)
	st := build(s).Steps
	if len(st) != 2 || st[0].Served != 2000 || st[0].SteadyServed != 1500 || st[0].SteadyCanary != 750 ||
		st[1].SteadyServed != 0 || st[1].Canary != 180 {
		t.Errorf("steps %+v", st)
	}
}

func onPrimary(k timeline.Key) bool { return k.Workload == script.Service+"-primary" }

func TestPromotedPrimaryIsNotTheCanary(t *testing.T) {
	tl := build(script.Promoted("healthy", 1))
	n := tl.Sum(func(k timeline.Key) bool { return onPrimary(k) && k.Version == script.Version }).N
	if n == 0 || tl.CanaryRequests != 30*(5+25+50) {
		t.Errorf("promoted primary %d, canary %d requests, want some and 2400", n, tl.CanaryRequests)
	}
	if got := tl.Sum(tl.OnCanary()).N; got != tl.CanaryRequests+10*50 {
		t.Errorf("the canary served %d requests, want those of the analysis and of 10 s of promotion", got)
	}
}

func TestActualShareOfRoutingByMatch(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release()
	s.Add(event.Canary{Name: script.Service, Phase: "Progressing", Iterations: 1, MaxIterations: 10, Threshold: 5})
	s.Weight = 20
	s.Traffic(10).Canary("Failed", 0, 1)
	tl := build(s)
	if tl.WeightAtAbort != 20 || !tl.Steps[0].Matched {
		t.Errorf("weight at abort %d, steps %+v: want 20 by match", tl.WeightAtAbort, tl.Steps)
	}
}

func TestSeriesAddUpToTheSums(t *testing.T) {
	tl := build(script.RolledBack(3))
	for _, keep := range []func(timeline.Key) bool{nil, timeline.InCohort("premium"), tl.OnCanary(), onPrimary} {
		var n, harm int
		for _, p := range tl.Series(keep) {
			n, harm = n+p.N, harm+p.Harm
			if p.N > 0 && p.P99 != event.BucketBound(50) {
				t.Fatalf("p99 %v, want %v", p.P99, event.BucketBound(50))
			}
		}
		if s := tl.Sum(keep); s.N != n || s.Harm != harm || n == 0 {
			t.Errorf("series hold %d requests, %d harm; the sums are %d, %d", n, harm, s.N, s.Harm)
		}
	}
}

// randomLog draws a log that some cluster could write.
func randomLog(t *rapid.T) []event.Event {
	s := script.Ready("faulty", 1, true).Release()
	for range rapid.IntRange(0, 30).Draw(t, "steps") {
		switch rapid.IntRange(0, 6).Draw(t, "what") {
		case 0, 1:
			phase := rapid.SampledFrom([]string{"Progressing", "Waiting", "Promoting", "Finalising", "Succeeded",
				"Failed", "WaitingPromotion"})
			s.Canary(phase.Draw(t, "phase"), rapid.IntRange(0, 100).Draw(t, "weight"),
				rapid.IntRange(0, 6).Draw(t, "failed"))
		case 2, 3:
			s.Traffic(rapid.IntRange(1, 20).Draw(t, "seconds"))
		case 4:
			s.Gate(rapid.SampledFrom([]string{"mtls", "policy", "approve", "volume"}).Draw(t, "gate"),
				rapid.Bool().Draw(t, "passed"))
		case 5:
			s.Add(route(rapid.IntRange(0, 100).Draw(t, "share")))
		case 6:
			s.Add(event.Workload{Name: script.Service, Desired: rapid.IntRange(0, 2).Draw(t, "pods")})
		}
	}
	return s.Complete().Events()
}

func TestHarmIsConserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := randomLog(t)
		tl := timeline.Build(events)
		want := timeline.Counts{}
		for _, e := range events {
			if f, ok := e.Fact.(event.Traffic); ok {
				for _, c := range f.Cells {
					want.N, want.Harm, want.Bad = want.N+c.N, want.Harm+c.Harm, want.Bad+c.Bad
				}
			}
		}
		var cohorts timeline.Counts
		for _, name := range tl.Cohorts() {
			s := tl.Sum(timeline.InCohort(name))
			cohorts.N, cohorts.Harm, cohorts.Bad = cohorts.N+s.N, cohorts.Harm+s.Harm, cohorts.Bad+s.Bad
		}
		all := tl.Sum(nil)
		if all.N != want.N || all.Harm != want.Harm || all.Bad != want.Bad || cohorts != want {
			t.Fatalf("sums %+v, cohorts %+v, want %+v", all, cohorts, want)
		}
		if tl.CanaryRequests > tl.ServiceRequests || tl.ServiceRequests > all.N {
			t.Fatalf("canary %d, service %d of %d requests", tl.CanaryRequests, tl.ServiceRequests, all.N)
		}
	})
}

// A log read back from its file gives the same timeline as the events that were folded live.
func TestLiveAndRecordedTimelinesAreEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := randomLog(t)
		live := new(timeline.Timeline)
		for _, e := range events {
			b, err := e.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			var back event.Event
			if err := back.UnmarshalJSON(b); err != nil {
				t.Fatal(err)
			}
			live.Fold(back)
			live.Series(nil) // views look in between
			live.Sum(nil)
		}
		if diff := cmp.Diff(timeline.Build(events), live, cmpopts.IgnoreUnexported(timeline.Timeline{}),
			cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("replayed (-want +got):\n%s", diff)
		}
	})
}

func TestMomentsAreInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tl := timeline.Build(randomLog(t))
		if tl.FirstBad.Happened() != tl.LastBad.Happened() || tl.LastBad.At < tl.FirstBad.At {
			t.Fatalf("first bad %v, last bad %v", tl.FirstBad, tl.LastBad)
		}
		if tl.Abort.Happened() && !tl.Detected.Happened() {
			t.Fatalf("rolled back at %v, never noticed", tl.Abort)
		}
		if tl.Promoted.Happened() && !tl.Promoting.Happened() {
			t.Fatalf("promoted at %v, never decided", tl.Promoted)
		}
	})
}

// A canary whose every answer made clients retry has served requests: it is not starved.
func TestRetriedRequestsCountAsServed(t *testing.T) {
	events := script.RolledBack(7).Events()
	for i, e := range events {
		traffic, ok := e.Fact.(event.Traffic)
		if !ok {
			continue
		}
		cells := make([]event.Cell, len(traffic.Cells))
		for j, c := range traffic.Cells {
			if cells[j] = c; c.Workload == script.Service {
				cells[j] = event.Cell{Cohort: c.Cohort, Route: c.Route, Workload: c.Workload, Version: c.Version,
					Retried: c.N}
			}
		}
		traffic.Cells = cells
		events[i].Fact = traffic
	}
	tl := timeline.Build(events)
	if tl.CanaryRequests != 30*5+70*25 || !tl.FirstCanary.Happened() {
		t.Errorf("canary requests %d, first %v; want 1900, seen", tl.CanaryRequests, tl.FirstCanary)
	}
}

func TestSilenceOfAStep(t *testing.T) {
	s := script.Ready("healthy", 1, true).Release()
	s.Canary(event.PhaseProgressing, 5, 0)
	s.Weight = 0 // clients' proxies do not know the canary
	s.Traffic(22)
	s.Weight = 5
	s.Traffic(30).Canary(event.PhaseProgressing, 25, 0).Traffic(10)
	s.Weight = 0
	tl := build(s)
	for i, want := range []time.Duration{22 * time.Second, 0} {
		if got := tl.Steps[i].Silence(); got != want {
			t.Errorf("step %d: silent for %v, want %v", i, got, want)
		}
	}
}
