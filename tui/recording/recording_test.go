package recording_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"coalmine/lab/event"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/series"
	"coalmine/lab/verdict/timeline"
	script "coalmine/lab/verdict/timelinetest"
	"coalmine/tui/recording"
)

// fold returns the state at a time by definition: all events up to it, from the first on.
func fold(events []event.Event, at time.Duration) recording.State {
	var s recording.State
	var tl timeline.Timeline
	for _, e := range events {
		if e.At <= at {
			s.Fold(e)
			tl.Fold(e)
		}
	}
	s.Shares = tl.SharesUntil(s.Last)
	if n := len(s.Shares); n > 0 {
		s.Share = s.Shares[n-1].Percent
	}
	return s
}

// logs are runs of many kinds, some far longer than the snapshot interval.
func logs() *rapid.Generator[[]event.Event] {
	return rapid.Custom(func(t *rapid.T) []event.Event {
		s := script.Ready("faulty", 1, rapid.Bool().Draw(t, "guarded")).Release()
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			step(t, s)
		}
		if rapid.Bool().Draw(t, "closed") {
			s.Complete().Traffic(3)
		}
		return s.Events()
	})
}

func step(t *rapid.T, s *script.Script) {
	name := rapid.SampledFrom([]string{script.Service, "other"}).Draw(t, "name")
	n := rapid.IntRange(0, 5).Draw(t, "n")
	v, least := float64(90+n), 92.0
	switch rapid.IntRange(0, 8).Draw(t, "what") {
	case 0:
		s.Canary(rapid.SampledFrom([]string{event.PhaseProgressing, event.PhasePromoting, event.PhaseFailed,
			event.PhaseSucceeded}).Draw(t, "phase"), 10*n, n)
	case 1:
		s.Gate(rapid.SampledFrom([]string{event.GateMTLS, event.GateRollbackDrill, event.GateVolume}).Draw(t,
			"gate"), n%2 == 0)
	case 2:
		s.Add(event.Query{Asker: name, Metric: fmt.Sprint("m", n), PromQL: "up", Value: &v, Min: &least})
	case 3:
		s.Add(event.Workload{Name: name, Version: "v2", Desired: 2, Ready: n})
	case 4:
		s.Add(event.RollbackDrill{Canary: name, Passed: n > 2, Forward: n, Back: n, Probes: 5})
	case 5:
		s.Add(event.Route{Name: name, Rules: []event.RouteRule{
			{Match: "header beta: yes", Backends: []event.RouteBackend{{Service: name + "-canary", Weight: n}}},
			{Backends: []event.RouteBackend{{Service: name + "-primary", Weight: 10},
				{Service: name + "-canary", Weight: n}}},
		}})
	case 6:
		s.Add(event.Applied{ObjectKind: rapid.SampledFrom([]string{"Server", "AuthorizationPolicy", "Canary"}).Draw(t,
			"kind"), Name: name, Owner: event.OwnerLearner})
	default:
		s.Traffic(rapid.IntRange(1, 60).Draw(t, "seconds"))
	}
}

// TestSeekEqualsFold: the state at any time equals the fold of all events up to it, whether they
// were appended at once or in pieces, and whatever was looked up before.
func TestSeekEqualsFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := logs().Draw(t, "log")
		r := recording.New()
		for rest := events; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "batch")
			r.Append(rest[:n]...)
			rest = rest[n:]
			for range 3 {
				at := time.Duration(rapid.Int64Range(-1e9, int64(events[len(events)-1].At)+1e9).Draw(t, "at"))
				so := events[:len(events)-len(rest)]
				if diff := cmp.Diff(fold(so, at), r.At(at)); diff != "" {
					t.Fatalf("at %v of %d events (-folded +sought):\n%s", at, len(so), diff)
				}
			}
			checkDerived(t, r, events[:len(events)-len(rest)])
		}
	})
}

// checkDerived compares what a recording derives step by step with what is derived from all events
// at once.
func checkDerived(t *rapid.T, r *recording.Recording, so []event.Event) {
	tl := timeline.Build(so)
	if diff := cmp.Diff(narrative.Of(tl), r.Narrative(), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("the narrative of %d events (-built +kept):\n%s", len(so), diff)
	}
	if diff := cmp.Diff(series.Markers(tl), r.Markers(), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("the markers of %d events (-built +kept):\n%s", len(so), diff)
	}
	if diff := cmp.Diff(series.Lines(tl), r.Lines(), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("the lines of %d events (-built +kept):\n%s", len(so), diff)
	}
	sel := series.Selection{Cohort: "premium", Side: series.Canary}
	if diff := cmp.Diff(series.Of(tl).Points(sel, 0, time.Hour, 50), r.Points(sel, 0, time.Hour, 50),
		cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("the points of %d events (-built +kept):\n%s", len(so), diff)
	}
}

// TestStatesAreImmutable: a state that was returned does not change when events are appended.
func TestStatesAreImmutable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := logs().Draw(t, "log")
		r := recording.New()
		seen := map[int]recording.State{}
		for i, e := range events {
			r.Append(e)
			if i%37 == 0 {
				seen[i] = r.After(i + 1)
				r.After(rapid.IntRange(0, i).Draw(t, "earlier"))
			}
		}
		for i, s := range seen {
			if diff := cmp.Diff(fold(events[:i+1], events[i].At), s); diff != "" {
				t.Fatalf("the state after %d events has changed:\n%s", i+1, diff)
			}
		}
	})
}

func TestState(t *testing.T) {
	r := recording.FromEvents(script.RolledBack(7).Events())
	for at, want := range map[int]func(recording.State) string{
		75: func(s recording.State) string { // released, not noticed yet
			return say(s.Stage == event.StageRollout && s.Released.At == 70*time.Second && s.Harm == 0 &&
				s.Canary.Phase == event.PhaseInitialized)
		},
		100: func(s recording.State) string { // at 5 %
			return say(s.Canary.Weight == 5 && s.Harm == 15 && s.HarmBy["premium"] == 15 && s.Hurt == 1 &&
				s.FirstHarm.At == 86*time.Second)
		},
		140: func(s recording.State) string { // the first failed check
			return say(s.Canary.FailedChecks == 1 && len(s.Checks) == 1 && s.Checks[0].Failed() &&
				len(s.Shares) == 2 && s.Share == 25)
		},
		400: func(s recording.State) string {
			return say(s.End != nil && s.Totals != nil && s.Harm == 240 && s.Canary.Phase == event.PhaseFailed &&
				s.LastHarm.At == 185*time.Second)
		},
	} {
		if s := r.At(time.Duration(at) * time.Second); want(s) != "ok" {
			t.Errorf("at %d s: %+v", at, s)
		}
	}
}

func say(ok bool) string {
	if ok {
		return "ok"
	}
	return ""
}

func TestRecentTraffic(t *testing.T) {
	r := recording.FromEvents(script.RolledBack(7).Events())
	at := 130 * time.Second // 25 % since 115 s
	recent := r.Recent(at, 10*time.Second)
	canary := recent.Sum(r.Timeline().OnCanary())
	if canary.N != 250 || canary.Rate() != 25 || canary.Harm != 30 || canary.P99 != event.BucketBound(50) {
		t.Errorf("the canary got %+v", canary)
	}
	if none := r.Recent(5*time.Second, 10*time.Second).Sum(r.Timeline().OnCanary()); none.N != 0 || none.Rate() != 0 ||
		none.P99 != 0 {
		t.Errorf("before all traffic there was %+v", none)
	}
}

func TestTime(t *testing.T) {
	s := script.RolledBack(7)
	r := recording.FromEvents(s.Events())
	for _, e := range s.Events() {
		if at, ok := r.Time(e.Seq); !ok || at != e.At {
			t.Fatalf("event %d at %v, %v", e.Seq, at, ok)
		}
	}
	if _, ok := r.Time(len(s.Events()) + 1); ok {
		t.Error("an event that is not there has a time")
	}
	if _, ok := r.Time(0); ok {
		t.Error("event 0 has a time")
	}
}
