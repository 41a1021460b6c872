package model_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coalmine/lab/event"
	"coalmine/lab/report/model"
	"coalmine/lab/report/reporttest"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
	script "coalmine/lab/verdict/timelinetest"
)

func measures(d *model.Trial) []string {
	var all []string
	for _, m := range d.Scorecard() {
		all = append(all, m.Name+": "+m.Value+" ("+m.Detail+")")
	}
	return all
}

func TestScorecard(t *testing.T) {
	for name, c := range map[string]struct {
		trial *model.Trial
		want  []string
	}{
		// First bad at 86 s, first failed check at 135 s, last bad at 185 s.
		"caught": {reporttest.Caught(), []string{
			"MTTD: 49 s (noticed in 2 of 2 faulty releases that hurt users)",
			"MTTR: 99 s (rolled back in 2 of 2 faulty releases that hurt users)",
			"Signal quality: 5 of 5 (2 of 2 faulty releases caught, 2 of 2 healthy releases let through)",
			"Blast radius: 1.0 % (48 of 4 700 users hurt; 430 without guardrails)",
			"Guardrails respected: no (in 2 of 4 runs; healthy-seed1: mtls was not proved before canary traffic)",
		}},
		"missed": {reporttest.Missed(), []string{
			"MTTD: never (noticed in 0 of 2 faulty releases that hurt users)",
			"MTTR: never (rolled back in 0 of 2 faulty releases that hurt users)",
			"Signal quality: 1 of 5 (0 of 2 faulty releases caught, 2 of 2 healthy releases let through)",
			"Blast radius: 4.2 % (204 of 4 900 users hurt; 430 without guardrails)",
			"Guardrails respected: no (in 0 of 4 runs; faulty-seed1: mtls was not proved before canary traffic)",
		}},
		"false alarm": {reporttest.FalseAlarm(), []string{
			"MTTD: 49 s (noticed in 1 of 1 faulty releases that hurt users)",
			"MTTR: 99 s (rolled back in 1 of 1 faulty releases that hurt users)",
			"Signal quality: 1 of 5 (1 of 1 faulty releases caught, 0 of 1 healthy releases let through)",
			"Blast radius: 1.0 % (24 of 2 350 users hurt; 215 without guardrails)",
			"Guardrails respected: no (in 1 of 2 runs; healthy-seed1: mtls was not proved before canary traffic)",
		}},
		"cut": {reporttest.Cut(), []string{
			"MTTD: inconclusive (no faulty release was played to the end)",
			"MTTR: inconclusive (no faulty release was played to the end)",
			"Signal quality: inconclusive (it takes a faulty and a healthy release that were played to the end)",
			"Blast radius: inconclusive (no faulty release was played until its users were counted)",
			"Guardrails respected: inconclusive (no run was played to the end)",
		}},
	} {
		if diff := cmp.Diff(c.want, measures(c.trial)); diff != "" {
			t.Errorf("%s: the scorecard differs (-want +got):\n%s", name, diff)
		}
	}
}

func TestRemovedCanaryIsABreach(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release().Traffic(15).Canary(event.PhaseProgressing, 25, 0).Traffic(30)
	s.Add(event.Deleted{ObjectKind: "Canary", Name: script.Service}).Traffic(10).Complete()
	d := reporttest.Trial(reporttest.Result(score.RoleFaulty, s))
	if got := measures(d)[4]; got != "Guardrails respected: no (in 0 of 1 runs; faulty-seed1: the canary was removed)" {
		t.Error(got)
	}
}

func TestImpact(t *testing.T) {
	d := reporttest.Caught()
	r, ok := d.Highlight()
	if !ok {
		t.Fatal("no run")
	}
	var got []string
	for _, i := range d.Impacts(r) {
		spent, ok := i.Spent()
		got = append(got, fmt.Sprintf("%q %d bad %d harm %d users %d/%d none %d spent %.4f %v", i.Cohort, i.N, i.Bad,
			i.Harm, i.Hurt, i.Users, *i.Unguarded, spent, ok))
	}
	// 175 s of 100 requests since the release; 0.5 % of them may be bad.
	want := []string{
		`"" 17500 bad 240 harm 240 users 24/2350 none 2150 spent 2.7429 true`,
		`"premium" 3500 bad 240 harm 240 users 24/470 none 2150 spent 13.7143 true`,
		`"free" 14000 bad 0 harm 0 users 0/1880 none 0 spent 0.0000 true`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the impact differs (-want +got):\n%s", diff)
	}
	d.Scenario.Objectives = nil
	if _, ok := d.Impacts(r)[0].Spent(); ok {
		t.Error("a budget was spent without an objective")
	}
}

// TestImpactAddsUp: cohorts add up to everyone, and segments to the average.
func TestImpactAddsUp(t *testing.T) {
	for _, d := range []*model.Trial{reporttest.Missed(), reporttest.Caught(), reporttest.FalseAlarm(),
		reporttest.Cut()} {
		for _, r := range d.Learner() {
			all := d.Impacts(r)
			var sum timeline.Counts
			allowed := 0.0
			for _, i := range all[1:] {
				sum = sum.Plus(i.Counts)
				allowed += i.Allowed
			}
			if sum != all[0].Counts || math.Abs(allowed-all[0].Allowed) > 1e-6 {
				t.Errorf("%s: cohorts have %+v, everyone %+v", r.Row.Run, sum, all[0].Counts)
			}
			average, segments := model.Segments(r)
			var canary timeline.Counts
			for _, s := range segments {
				canary = canary.Plus(s.Canary)
			}
			if canary != average.Canary {
				t.Errorf("%s: segments have %+v on the canary, the average %+v", r.Row.Run, canary, average.Canary)
			}
			served := 0
			for _, x := range model.AllStepStats(r) {
				served += x.Canary.N
			}
			if on := r.Timeline.Sum(r.Timeline.OnCanary()).N; served != on {
				t.Errorf("%s: the canary answered %d requests in its steps, %d in all", r.Row.Run, served, on)
			}
		}
	}
}

func TestChecks(t *testing.T) {
	texts := func(d *model.Trial) []string {
		r, _ := d.Highlight()
		var all []string
		for _, w := range model.Checks(r) {
			all = append(all, fmt.Sprintf("%s %v: %s", w.Name, w.Noticed(), w.Text(r.Timeline)))
		}
		return all
	}
	for name, c := range map[string]struct{ got, want []string }{
		"missed": {texts(reporttest.Missed()), []string{
			"success false: passed all 3 times while users were hurt; closest: 99.13 ≥ 99 at 02:55",
			"waiting false: passed all 3 times while users were hurt; closest: 108.5 ≤ 500 at 01:55",
			"volume false: passed all 3 times while users were hurt",
		}},
		"caught": {texts(reporttest.Caught()), []string{
			"success false: passed all 6 times while users were hurt; closest: 99.2 ≥ 99 at 02:15",
			"premium-success true: failed 5 of 6 times, first 49 s after the first user was hurt (62.5 < 99)",
			"waiting false: passed the one time it was asked while users were hurt; closest: 110 ≤ 500 at 01:55",
			"volume false: passed all 6 times while users were hurt",
		}},
		"false alarm": {texts(reporttest.FalseAlarm()), []string{
			"success true: failed all 5 times, first at 01:55 (98.5 < 99)",
			"volume false: passed all 5 times",
		}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: the watches differ (-want +got):\n%s", name, diff)
		}
	}
}

// TestEarlyFailureDoesNotCount: what failed before any user was hurt was about something else.
func TestEarlyFailureDoesNotCount(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release().Canary(event.PhaseProgressing, 0, 0).Traffic(10)
	ask := func(v float64) {
		least := 99.0
		s.Add(event.Query{Asker: script.Service, Metric: "success", Value: &v, Min: &least})
	}
	ask(90)
	s.Canary(event.PhaseProgressing, 25, 1).Traffic(10)
	ask(99.5)
	d := reporttest.Trial(reporttest.Result(score.RoleFaulty, s.Promote().Traffic(10).Complete()))
	r, _ := d.Highlight()
	w := model.Checks(r)[0]
	if got, want := w.Text(r.Timeline), "failed 1 of 2 times, each time before any user was hurt "+
		"(90 < 99)"; got != want || w.Noticed() || !w.Blind() {
		t.Errorf("noticed %v, blind %v: %q, want %q", w.Noticed(), w.Blind(), got, want)
	}
}

// TestFailureThatNoticed: the result shown is the one that noticed the harm, not an earlier one
// without a value, such as that of a canary which clients' proxies did not know yet.
func TestFailureThatNoticed(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release().Canary(event.PhaseProgressing, 0, 0).Traffic(10)
	least, bad := 99.0, 96.9
	s.Add(event.Query{Asker: script.Service, Metric: "success", Min: &least})
	s.Canary(event.PhaseProgressing, 25, 1).Traffic(10)
	s.Add(event.Query{Asker: script.Service, Metric: "success", Value: &bad, Min: &least})
	d := reporttest.Trial(reporttest.Result(score.RoleFaulty, s.Promote().Traffic(10).Complete()))
	r, _ := d.Highlight()
	if got, want := model.Checks(r)[0].Text(r.Timeline),
		"failed both times, first 9 s after the first user was hurt (96.9 < 99)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestFailureWithoutBounds: of a built-in check the log has only the value, and what Flagger made
// of it.
func TestFailureWithoutBounds(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release().Canary(event.PhaseProgressing, 25, 0).Traffic(10)
	ask := func(promQL string, v float64) { s.Add(event.Query{Asker: script.Service, PromQL: promQL, Value: &v}) }
	ask("good / all * 100", 99.5)
	ask("histogram_quantile(0.99, x)", 800)
	s.Canary(event.PhaseProgressing, 25, 1).Traffic(10)
	ask("good / all * 100", 99.6)
	ask("histogram_quantile(0.99, x)", 300)
	d := reporttest.Trial(reporttest.Result(score.RoleFaulty, s.Promote().Traffic(10).Complete()))
	r, _ := d.Highlight()
	var got []string
	for _, w := range model.Checks(r) {
		got = append(got, w.Name+" "+w.Text(r.Timeline))
	}
	want := []string{
		"request-success-rate passed both times while users were hurt",
		"request-duration failed 1 of 2 times, first 9 s after the first user was hurt (800)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the watches differ (-want +got):\n%s", diff)
	}
}

func notes(d *model.Trial) []string {
	var all []string
	for _, f := range d.Files() {
		for _, n := range f.Notes {
			all = append(all, fmt.Sprintf("%s:%d-%d %s", f.Name, n.From, n.To, n.Text))
		}
	}
	return all
}

func TestAnnotatedLines(t *testing.T) {
	missed := []string{
		"canary.yaml:12-12 one tick every 10s: 3 ticks while users were hurt and before the decision",
		"canary.yaml:13-13 5 failed checks end the rollout: none failed",
		"canary.yaml:14-14 5 % at 01:25, 25 % at 01:55, 50 % at 02:25; users were hurt from 01:26 on",
		"canary.yaml:16-18 passed all 3 times while users were hurt; closest: 99.13 ≥ 99 at 02:55",
		"canary.yaml:19-21 not evaluated in this run",
		"canary.yaml:22-24 passed all 3 times while users were hurt; closest: 108.5 ≤ 500 at 01:55",
		"canary.yaml:25-25 no webhook calls the gate mtls: 0 of 4 runs; faulty-seed1: mtls not checked before " +
			"canary traffic",
		"canary.yaml:26-28 passed all 3 times while users were hurt",
		"metrics.yaml:6-9 passed all 3 times while users were hurt; closest: 99.13 ≥ 99 at 02:55",
	}
	if diff := cmp.Diff(missed, notes(reporttest.Missed())); diff != "" {
		t.Errorf("the notes of a missed incident differ (-want +got):\n%s", diff)
	}
	for _, want := range []string{
		"canary.yaml:12-12 one tick every 10s: 6 ticks while users were hurt and before the decision; noticed " +
			"after 49 s",
		"canary.yaml:13-13 5 failed checks end the rollout: 5 failed, and it was rolled back at 03:05",
		"canary.yaml:19-21 failed 5 of 6 times, first 49 s after the first user was hurt (62.5 < 99)",
		"metrics.yaml:16-17 failed 5 of 6 times, first 49 s after the first user was hurt (62.5 < 99)",
	} {
		if got := notes(reporttest.Caught()); !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("no note says %q:\n%s", want, strings.Join(got, "\n"))
		}
	}
}

func TestSeverities(t *testing.T) {
	tones := func(d *model.Trial) map[int]narrative.Severity {
		of := map[int]narrative.Severity{}
		for _, n := range d.Files()[0].Notes {
			of[n.From] = n.Severity
		}
		return of
	}
	if got := tones(reporttest.Missed()); got[16] != narrative.Bad || got[13] != narrative.Warning ||
		got[26] != narrative.Info {
		t.Errorf("missed: %v", got)
	}
	if got := tones(reporttest.Caught()); got[19] != narrative.Good || got[16] != narrative.Info {
		t.Errorf("caught: %v", got)
	}
	if got := tones(reporttest.FalseAlarm()); got[16] != narrative.Bad {
		t.Errorf("false alarm: %v", got)
	}
}

func TestBoundBelowTheObjective(t *testing.T) {
	d := reporttest.Missed()
	d.Scenario.Objectives[1].Success = 99.5 // and the other too
	if got := strings.Join(notes(d), "\n"); !strings.Contains(got, "its bound is 99 %, the objective is 99.5 %") {
		t.Error(got)
	}
}

func TestVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		trial *model.Trial
		want  string
	}{
		"missed": {reporttest.Missed(), "✗ incident missed"}, "caught": {reporttest.Caught(), "✓ passed"},
		"false alarm": {reporttest.FalseAlarm(), "✗ healthy release not delivered"},
		"single":      {reporttest.Single(), "✗ incident missed"},
		"cut":         {reporttest.Cut(), "? inconclusive"}, "empty": {reporttest.Trial(), "? inconclusive"},
	} {
		if v := c.trial.Verdict(); v.Sign+" "+v.Outcome != c.want {
			t.Errorf("%s: %s %s, want %s", name, v.Sign, v.Outcome, c.want)
		}
	}
}

// FuzzManifests treats manifests as hostile: they may be edited after they were played.
func FuzzManifests(f *testing.F) {
	for _, data := range reporttest.Guardrails() {
		f.Add(string(data))
	}
	for _, s := range []string{"", "a: [", "&a [*a]", "kind: Canary\nmetadata: {name: checkout}\n" +
		"spec: &a {analysis: *a}", strings.Repeat("[", 500),
		"kind: Canary\nmetadata: {name: checkout}\nspec: {analysis: [1, 2]}",
		"kind: Canary\nmetadata: {name: checkout}\nspec:\n  analysis:\n    interval: |\n\n\n\n",
		"\x00", "\xff\xfe", "? [a, b]\n: c", "--- !!binary x", "kind: MetricTemplate\nmetadata: []\nspec:\n" +
			"  query: >\n   a\n\n   b\n"} {
		f.Add(s)
	}
	d := reporttest.Missed()
	f.Fuzz(func(t *testing.T, data string) {
		d.Guardrails = map[string][]byte{"x.yaml": []byte(data), "canary.yaml": reporttest.Guardrails()["canary.yaml"]}
		for _, f := range d.Files() {
			for _, n := range f.Notes {
				if n.From < 1 || n.To < n.From || n.To > len(f.Lines) {
					t.Fatalf("%s has %d lines, and a note on %d to %d", f.Name, len(f.Lines), n.From, n.To)
				}
			}
		}
	})
}

// TestReportsOfCutLogs makes reports of logs that were cut off anywhere.
func TestReportsOfCutLogs(t *testing.T) {
	events := reporttest.Noticed(1).Events()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, len(events)).Draw(t, "events")
		r := score.RunResult{Name: "cut", Role: score.RoleFaulty, Timeline: timeline.Build(events[:n])}
		d := reporttest.Trial(r)
		d.Scorecard()
		d.Files()
		for _, r := range d.Learner() {
			d.Impacts(r)
			model.AllStepStats(r)
			for _, w := range model.Checks(r) {
				if w.Text(r.Timeline) == "" {
					t.Fatal("a watch says nothing")
				}
			}
		}
	})
}
