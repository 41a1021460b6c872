package pane

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/lab/event"
	"coalmine/lab/verdict/series"
	"coalmine/lab/verdict/timeline"
	"coalmine/tui/canvas"
	"coalmine/tui/recording"
	"coalmine/tui/theme"
)

// drawn returns what a pane draws, as text.
func drawn(w, h int, draw func(canvas.Area)) string {
	c := canvas.New(w, h, theme.None())
	draw(c.All())
	return strings.Trim(strings.Join(c.Lines(), "\n"), "\n")
}

// guarded returns a state of a released rollout.
func guarded(c event.Canary) recording.State {
	return recording.State{
		Run:      event.RunStarted{Service: "checkout", Version: "v2", Baseline: "v1", Guarded: true},
		Released: timeline.Moment{Seq: 1},
		Canary:   c, CanaryMark: timeline.Moment{Seq: 2}, Canaries: recording.Pods{Desired: 2, Ready: 2},
	}
}

// sharing is a guarded rollout whose version has a share of the traffic.
func sharing(percent int, c event.Canary) recording.State {
	s := guarded(c)
	s.Share, s.Shares = percent, []timeline.Share{{Percent: percent}}
	return s
}

func TestPhaseText(t *testing.T) {
	starting := guarded(event.Canary{Phase: event.PhaseProgressing})
	starting.Canaries.Ready = 1
	waiting := guarded(event.Canary{Phase: event.PhaseInitialized})
	waiting.Released = timeline.Moment{}
	progressing := sharing(25, event.Canary{Phase: event.PhaseProgressing, Weight: 100})
	atGate := sharing(100, event.Canary{Phase: event.PhaseWaitingPromotion})
	alone := guarded(event.Canary{})
	alone.Run.Guarded = false
	for want, s := range map[string]recording.State{
		"no event yet":                             {},
		"Flagger is initializing the primary":      guarded(event.Canary{Phase: event.PhaseInitializing}),
		"initialized: all traffic on v1":           waiting,
		"v2 released, not yet detected by Flagger": guarded(event.Canary{Phase: event.PhaseInitialized}),
		"starting v2: 1 of 2 pods ready":           starting,
		"v2 is ready; no traffic yet":              guarded(event.Canary{Phase: event.PhaseProgressing}),
		"analysing v2 at 25 %":                     progressing,
		"iterations over: v2 at 100 %": sharing(100,
			event.Canary{Phase: event.PhaseProgressing, Iterations: 4, MaxIterations: 3}),
		"analysing v2: iteration 3 of 10": guarded(
			event.Canary{Phase: event.PhaseProgressing, Iterations: 3, MaxIterations: 10}),
		"waiting for a gate, with v2 at 100 %":         atGate,
		"promoting: updating the primary to v2":        guarded(event.Canary{Phase: event.PhasePromoting}),
		"finalising: all traffic moves to the primary": guarded(event.Canary{Phase: event.PhaseFinalising}),
		"promoted: all traffic on v2":                  guarded(event.Canary{Phase: event.PhaseSucceeded}),
		"rolled back: all traffic on v1":               guarded(event.Canary{Phase: event.PhaseFailed}),
		"Terminating":                                  guarded(event.Canary{Phase: "Terminating"}),
		"v2 receives all traffic at once":              alone,
	} {
		if got := drawn(80, 1, func(a canvas.Area) { Rollout(a, s) }); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestFailures(t *testing.T) {
	for want, c := range map[string]event.Canary{
		"failed checks ■■□□□ 2 of 5 before rollback": {FailedChecks: 2, Threshold: 5},
		"failed checks 2 of 50 before rollback":      {FailedChecks: 2, Threshold: 50},
		"failed checks ■■ 3 of 2 before rollback":    {FailedChecks: 3, Threshold: 2}, // something delays the rollback
		"no failed checks": {},
	} {
		got := drawn(60, 4, func(a canvas.Area) { Rollout(a, guarded(c)) })
		if !strings.Contains(got, "\n "+want) && !strings.Contains(got, "\n"+want) {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

func TestStepsKeepTheNewest(t *testing.T) {
	s := guarded(event.Canary{Phase: event.PhaseFailed})
	for w := 10; w <= 90; w += 10 {
		s.Shares = append(s.Shares, timeline.Share{Percent: w}, timeline.Share{Percent: w})
	}
	s.Shares = append(s.Shares, timeline.Share{})
	got := strings.Split(drawn(44, 4, func(a canvas.Area) { Rollout(a, s) }), "\n")
	if want := "steps … 70 % → 80 % → 90 % → back to 0 %"; got[len(got)-1] != want {
		t.Errorf("%q, want %q", got[len(got)-1], want)
	}
}

func TestHarmWithoutUsers(t *testing.T) {
	// A log without user counts is counted in requests, for both runs.
	s := guarded(event.Canary{})
	s.Harm = 12
	none := &Comparison{Now: recording.State{Harm: 30, Hurt: 7}, End: recording.State{Harm: 90, Hurt: 9}}
	got := drawn(60, 4, func(a canvas.Area) { Harm(a, s, none) })
	for _, want := range []string{"12 requests harmed", "unguarded         30", "90 by the end without guardrails"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing:\n%s", want, got)
		}
	}
}

// TestTimeLine: a click on the column of the present seeks to the present, within the resolution of
// a column.
func TestTimeLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.IntRange(80, 200).Draw(t, "w")
		end := time.Duration(rapid.Int64Range(int64(time.Second), int64(time.Hour)).Draw(t, "end"))
		now := time.Duration(rapid.Int64Range(0, int64(end)).Draw(t, "now"))
		row := []rune(strings.Split(drawn(w, 2, func(a canvas.Area) {
			a.Text(0, 0, 0, "x") // keeps the first line
			TimeLine(a, []series.Marker{{Moment: timeline.Moment{At: now, Seq: 1}, Kind: series.MarkerHarm}}, now, end)
		}), "\n")[1])
		x := 0
		for i, r := range row {
			if r == '●' {
				x = i
			}
		}
		at, ok := TimeAt(x, w, end)
		if column := end / time.Duration(w-2*TimeEdge-1); !ok || at < now-2*column || at > now+2*column {
			t.Fatalf("now is %v of %v; its column %d leads to %v, %v", now, end, x, at, ok)
		}
	})
	for _, x := range []int{-1, TimeEdge - 1, 80 - TimeEdge, 100} {
		if at, ok := TimeAt(x, 80, time.Minute); ok {
			t.Errorf("column %d outside the line leads to %v", x, at)
		}
	}
}

// The pane of checks says which gate kept Flagger from asking any metric.
func TestNoChecks(t *testing.T) {
	stopped := guarded(event.Canary{Phase: event.PhaseProgressing})
	stopped.Gates = []recording.Gate{
		{Moment: timeline.Moment{At: time.Minute, Seq: 5}, Gate: event.Gate{Name: "mtls", Passed: true}},
		{Moment: timeline.Moment{At: time.Minute, Seq: 6},
			Gate: event.Gate{Name: "policy", Reason: "nobody is denied"}},
	}
	asked := stopped
	asked.Checks = []recording.Check{{Query: event.Query{Metric: "success"}}}
	over := guarded(event.Canary{Phase: event.PhaseFailed})
	for want, s := range map[string]recording.State{
		"no metric asked: gate policy said no": stopped,
		"no checks yet":                        guarded(event.Canary{Phase: event.PhaseProgressing}),
		"no metric was asked":                  over,
		"✗ success           no value":         asked,
	} {
		got, _, _ := strings.Cut(drawn(40, 6, func(a canvas.Area) { Checks(a, s) }), "\n")
		if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
