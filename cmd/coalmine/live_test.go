package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/guardrail"
	"coalmine/lab/run/folder"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/score"
	"coalmine/tui/liverun"
	"coalmine/tui/liveruntest"
)

func faultyOf(t *liverun.Trial) *liverun.Run {
	for _, r := range t.Runs {
		if r.Role == score.RoleFaulty {
			return r
		}
	}
	return nil
}

// TestLiveTextTellsEachEventOnce: an event is told as soon as it is written, and once, but for the
// last user hurt, who is known at the end.
func TestLiveTextTellsEachEventOnce(t *testing.T) {
	r := faultyOf(liveruntest.Caught())
	var w bytes.Buffer
	spec := cluster.RunSpec{
		Scenario:   &scenario.Scenario{Timing: scenario.Timing{Baseline: time.Minute, Horizon: 5 * time.Minute}},
		Guardrails: &guardrail.Set{},
	}
	log := (&liveText{w: &w}).follow(folder.Run{Role: "faulty", Seed: 1}, spec, nowhere{})
	entries := r.Rec.Narrative()
	for _, e := range r.Rec.Events() {
		log.Write(e)
		for _, n := range entries {
			if n.Seq == e.Seq && n.Kind != narrative.Harm && !strings.Contains(w.String(), "  "+n.Text+"\n") {
				t.Errorf("after event %d, %q is not in:\n%s", e.Seq, n.Text, w.String())
			}
		}
	}
	harm := 0
	for _, n := range entries {
		want := 0
		for _, other := range entries {
			if other.Text == n.Text {
				want++
			}
		}
		if got := strings.Count(w.String(), "  "+n.Text+"\n"); got != want {
			t.Errorf("%q is told %d times, want %d", n.Text, got, want)
		}
		if n.Kind == narrative.Harm {
			harm++
		}
	}
	if harm < 2 {
		t.Errorf("the run has %d entries about harm, want the first and the last", harm)
	}
	for _, want := range []string{"starts on", "waits 60 s while traffic meets the old version",
		"the run ends 5 min after the release"} {
		if !strings.Contains(w.String(), want) {
			t.Errorf("%q is not in:\n%s", want, w.String())
		}
	}
}
