package score_test

import (
	"strings"
	"testing"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
	script "coalmine/lab/verdict/timelinetest"
)

// spoil makes some answers of each second bad for another reason than the fault.
func spoil(s *script.Script, bad, byMesh int) score.RunResult {
	events := s.Events()
	for i := range events {
		if f, ok := events[i].Fact.(event.Traffic); ok && len(f.Cells) > 0 {
			f.Cells[0].Bad += bad
			f.Cells[0].ByMesh += byMesh
		}
	}
	return score.RunResult{Role: score.RoleHealthy, Timeline: timeline.Build(events)}
}

func TestHarmByTheGuardrails(t *testing.T) {
	for name, c := range map[string]struct {
		bad, byMesh int
		want        score.Verdict
	}{
		"none":                   {0, 0, score.Promoted},
		"answered by a proxy":    {1, 1, score.HurtUsers},
		"more than the baseline": {5, 0, score.HurtUsers},
	} {
		runs := good(1)
		runs[1] = spoil(script.Promoted("healthy", 1), c.bad, c.byMesh)
		card := score.Trial(all(scenario.RubricItem{ID: "caught", Points: 10}), runs)
		if got := card.Runs[1].Verdict; got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if hurt := c.want == score.HurtUsers; (card.Points == 0) != hurt || (card.Harm.Healthy > 0) != hurt ||
			hurt && (card.Outcome != score.OutcomeHurtUsers || *card.Skill != 0) {
			t.Errorf("%s: %d points, %s, harm %+v", name, card.Points, card.Outcome, card.Harm)
		}
	}
}

// TestLateCanary answers requests by 5xx from the canary's first step on, as proxies do that do not know
// its pods yet. That is harm, and no fault of the guardrails unless it is more or longer than that.
func TestLateCanary(t *testing.T) {
	for name, c := range map[string]struct {
		each, seconds int
		denied        bool
		want          score.Verdict
	}{
		"a few at first":           {4, 4, false, score.Promoted},
		"more than the canary's":   {30, 4, false, score.HurtUsers},
		"for longer than a minute": {4, 100, false, score.HurtUsers},
		"turned away by a policy":  {4, 4, true, score.HurtUsers},
		"nobody":                   {0, 4, false, score.Promoted},
	} {
		s := script.Ready("healthy", 1, true).Release().Traffic(15)
		s.Canary(event.PhaseProgressing, 5, 0).Traffic(110).Promote().Traffic(30).Complete()
		events, left := s.Events(), c.seconds
		began := timeline.Build(events).Steps[0].At
		for i := range events {
			f, ok := events[i].Fact.(event.Traffic)
			if !ok || left == 0 || time.Duration(f.From) < began || c.each == 0 {
				continue
			}
			cell := event.Cell{Cohort: "free", Route: "pay", N: c.each, Bad: c.each, ByMesh: c.each}
			if cell.Errors = c.each; c.denied {
				cell.Errors, cell.Denied = 0, c.each
			}
			f.Cells, left = append(f.Cells, cell), left-1
			events[i].Fact = f
		}
		runs := good(1)
		runs[1] = score.RunResult{Role: score.RoleHealthy, Timeline: timeline.Build(events)}
		card := score.Trial(all(scenario.RubricItem{ID: "caught", Points: 10}), runs)
		if got := card.Runs[1].Verdict; got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if want := c.each * c.seconds; card.Harm.Healthy != want {
			t.Errorf("%s: harm %d, want %d: all of it counts", name, card.Harm.Healthy, want)
		}
	}
}

func TestEssentialItems(t *testing.T) {
	items := []scenario.RubricItem{{ID: "caught", Points: 90}, {ID: "mtls", Points: 10, Essential: true}}
	card := score.Trial(all(items...), good(1))
	if card.Outcome != score.OutcomeIncomplete || card.Exit != score.ExitMissed || card.Points != 50 || !card.Limited {
		t.Errorf("%s, exit %d, %d points, limited: %v", card.Outcome, card.Exit, card.Points, card.Limited)
	}
}

// An essential item that needs a run to compare with is not missed where there is none, and not passed
// either. That no run of the trial is missing does not change it: this trial was planned without
// unguarded runs, or one of them was cut off.
func TestUnmeasuredEssentialItem(t *testing.T) {
	cut := script.Ready("faulty", 1, false).Release().Traffic(20)
	for name, c := range map[string]struct {
		runs    []score.RunResult
		outcome string
		exit    int
	}{
		"with an unguarded run": {good(1), score.OutcomePassed, score.ExitPassed},
		"without":               {good(1)[:2], score.OutcomeInconclusive, score.ExitInconclusive},
		"with one that was cut off": {append(good(1)[:2:2], score.RunResult{Role: score.RoleUnguarded,
			Timeline: timeline.Build(cut.Events())}), score.OutcomeInconclusive, score.ExitInconclusive},
	} {
		for _, item := range []scenario.RubricItem{{ID: "harm-share", Points: 10, Limit: 1, Essential: true},
			{ID: "cohort-harm", Points: 10, Limit: 1, Essential: true}} {
			card := score.Trial(all(item), c.runs)
			if card.Outcome != c.outcome || card.Exit != c.exit {
				t.Errorf("%s, %s: %s, exit %d (%s)", item.ID, name, card.Outcome, card.Exit, card.Reason)
			}
			if c.exit == score.ExitInconclusive && (card.Points != 0 || !strings.Contains(card.Reason,
				"is essential: not measured: there is no unguarded run to compare with")) {
				t.Errorf("%s, %s: %d points, %s", item.ID, name, card.Points, card.Reason)
			}
		}
	}
}

func TestProgressDeadline(t *testing.T) {
	late := func(ready int) *script.Script {
		s := rolling("faulty").Canary("Progressing", 0,
			0).Add(event.Workload{Name: script.Service, Version: script.Version, Desired: 1, Ready: ready})
		s.Traffic(20).Add(event.Flagger{Canary: script.Service,
			Message: "canary deployment checkout.develop not ready: waiting for rollout to finish: 0 of 1 (ready" +
				"Threshold 100%) updated replicas are available"})
		return s.Canary("Failed", 0, 0).Traffic(5).Complete()
	}
	for ready, want := range []score.Verdict{score.Caught, score.Starved} {
		if j := score.Judge(timeline.Build(late(ready).Events()), rubric); j.Verdict != want {
			t.Errorf("%d pods ready: %s (%s), want %s", ready, j.Verdict, j.Reason, want)
		}
	}
}

// Where the healthy release is delivered, a rollback counts as caught only if as many checks of
// metrics failed as the rubric asks for.
func TestFailedChecks(t *testing.T) {
	least, value := 90.0, 80.0
	for _, c := range []struct {
		query *event.Query
		want  score.Verdict
	}{
		{nil, score.Starved},
		{&event.Query{Asker: script.Service, Min: &least, Value: &least}, score.Starved},
		{&event.Query{Asker: script.Service, Max: &least, Value: &value}, score.Starved},
		{&event.Query{Asker: "another", Min: &least, Value: &value}, score.Starved},
		{&event.Query{Asker: script.Service, Min: &least, Value: &value}, score.Caught},
		{&event.Query{Asker: script.Service, Max: &value, Value: &least}, score.Caught},
		{&event.Query{Asker: script.Service, Min: &least}, score.Caught}, // as PromQL's own comparisons fail
	} {
		s := rolling("faulty").Canary("Progressing", 20, 0).Traffic(20)
		if c.query != nil {
			s.Add(*c.query)
		}
		s.Canary("Failed", 0, 0).Traffic(5).Complete()
		a := all(scenario.RubricItem{ID: "caught", Points: 10})
		a.Rubric.MinEvidence.FailedChecks = 1
		card := score.Trial(a, []score.RunResult{run(score.RoleFaulty, s), good(1)[1]})
		if r := card.Runs[0]; r.Verdict != c.want {
			t.Errorf("%+v: %s (%s), want %s", c.query, r.Verdict, r.Reason, c.want)
		}
	}
}

// A promotion counts as delivered only if metrics could have noticed the responses of the fault.
func TestEvidenceOfStatus(t *testing.T) {
	value := 100.0
	for promQL, want := range map[string]score.Verdict{
		`sum(inbound_http_authz_deny_total{deployment="` + script.Service + `"})`: score.Promoted,
		`sum(response_total{deployment="` + script.Service + `"})`:                score.Unmeasured,
	} {
		s := rolling("healthy").Canary("Progressing", 20, 0).Traffic(20)
		for range 3 {
			s.Traffic(5).Add(event.Query{Asker: script.Service, PromQL: promQL, Max: &value, Value: &value})
		}
		s.Canary("Promoting", 100, 0).Canary("Succeeded", 0, 0).Traffic(5).Complete()
		r := rubric
		r.MinEvidence = scenario.MinEvidence{Checks: 3, Status: 403}
		if j := score.Judge(timeline.Build(s.Events()), r); j.Verdict != want {
			t.Errorf("%s: %s (%s), want %s", promQL, j.Verdict, j.Reason, want)
		}
	}
}

func TestMinimumEvidence(t *testing.T) {
	r := rubric
	for want, least := range map[score.Verdict]scenario.MinEvidence{
		score.Promoted: {Requests: 100}, score.Unmeasured: {Checks: 1},
	} {
		r.MinEvidence = least
		if j := score.Judge(timeline.Build(script.Promoted("healthy", 1).Events()), r); j.Verdict != want {
			t.Errorf("%+v: %s (%s), want %s", least, j.Verdict, j.Reason, want)
		}
	}
}
