package score_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coalmine/lab/event"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
	script "coalmine/lab/verdict/timelinetest"
)

var rubric = scenario.Rubric{MinCanaryRequests: 50, MaxHarm: 0.2, Preconditions: []string{"mtls", "rehearsal"}}

func rolling(role string) *script.Script { return script.Ready(role, 1, true).Release().Traffic(15) }

func TestVerdicts(t *testing.T) {
	gone := event.Deleted{ObjectKind: "Canary", Name: script.Service}
	unready := script.New("faulty", 1, true).Stage(event.StagePrepare).End(event.OutcomeNotReady)
	unreadyHealthy := script.New("healthy", 1, true).Stage(event.StagePrepare).End(event.OutcomeNotReady)
	harmless := func() *script.Script { s := rolling("faulty"); s.Fault = 0; return s }
	for name, c := range map[string]struct {
		log  *script.Script
		want score.Verdict
	}{
		"caught": {script.RolledBack(1), score.Caught},
		"caught by a gate": {rolling("faulty").Canary("Progressing", 0, 0).Gate("mtls", false).Canary(
			"Progressing", 0, 1).Wait(30*time.Second).Canary("Failed", 0, 5).Traffic(5).Complete(), score.Caught},
		"held by a gate to the horizon": {rolling("faulty").Canary("Progressing", 0, 0).Gate("policy",
			false).Traffic(60).Complete(), score.Caught},
		"refused by a pre-rollout check": {rolling("faulty").Canary("Progressing", 0, 0).Canary("Progressing", 0,
			1).Canary("Failed", 0, 1).Traffic(5).Complete(), score.Caught},
		"caught before harm": {harmless().Canary("Progressing", 25, 0).Traffic(10).Canary("Progressing",
			25, 1).Canary("Failed", 0, 1).Traffic(5).Complete(), score.Caught},
		"promoted": {script.Promoted("faulty", 1), score.Missed},
		"promotion under way": {rolling("faulty").Canary("Progressing", 50, 0).Traffic(20).Canary(
			"Promoting", 50, 0).Traffic(5).Complete(), score.Missed},
		"still in analysis": {rolling("faulty").Canary("Progressing", 50, 0).Traffic(200).Complete(),
			score.Missed},
		"starved, rolled back": {harmless().Canary("Progressing", 1, 0).Traffic(10).Canary("Progressing",
			1, 1).Canary("Failed", 0, 1).Traffic(5).Complete(), score.Starved},
		"starved though someone was hurt": {rolling("faulty").Canary("Progressing", 5, 0).Traffic(9).Canary(
			"Progressing", 5, 1).Canary("Failed", 0, 1).Traffic(5).Complete(), score.Starved},
		"one request more": {rolling("faulty").Canary("Progressing", 5, 0).Traffic(10).Canary(
			"Progressing", 5, 1).Canary("Failed", 0, 1).Traffic(5).Complete(), score.Caught},
		"starved to the horizon": {rolling("faulty").Canary("Progressing", 0, 0).Traffic(200).Complete(),
			score.Starved},
		"failed for want of volume": {rolling("faulty").Canary("Progressing", 0, 0).Gate("volume",
			false).Canary("Progressing", 0, 1).Canary("Failed", 0, 1).Traffic(5).Complete(), score.Starved},
		"refused for want of a person": {rolling("faulty").Canary("Progressing", 0, 0).Gate("approve",
			false).Traffic(60).Complete(), score.Starved},
		"deleted": {rolling("faulty").Canary("Progressing", 25, 0).Traffic(20).Add(
			gone).Traffic(20).Complete(), score.Deleted},
		"scaled to zero": {rolling("faulty").Canary("Progressing", 25, 0).Traffic(20).Add(
			event.Workload{Name: script.Service}).Traffic(20).Complete(), score.Deleted},
		"not ready": {unready, score.NotReleased},
		"undecided without harm": {harmless().Canary("Progressing", 25, 0).Traffic(20).Complete(),
			score.Inconclusive},
		"lab fault": {rolling("faulty").Canary("Progressing", 50, 0).Traffic(20).End(
			event.OutcomeLabFault), score.Inconclusive},
		"interrupted": {rolling("faulty").Canary("Progressing", 50, 0).Traffic(20).End(
			event.OutcomeInterrupted), score.Inconclusive},
		"cut off": {rolling("faulty").Canary("Progressing", 50, 0).Traffic(20),
			score.Inconclusive},
		"healthy delivered": {script.Promoted("healthy", 1), score.Promoted},
		"healthy rolled back": {rolling("healthy").Canary("Progressing", 25, 0).Traffic(20).Canary(
			"Progressing", 25, 1).Canary("Failed", 0, 1).Traffic(5).Complete(), score.RolledBack},
		"healthy stuck": {rolling("healthy").Canary("Progressing", 25, 0).Traffic(200).Complete(),
			score.Stuck},
		"healthy decided but not delivered": {rolling("healthy").Canary("Progressing", 50, 0).Traffic(20).Canary(
			"Promoting", 50, 0).Traffic(5).Complete(), score.Stuck},
		"healthy deleted": {rolling("healthy").Canary("Progressing", 25, 0).Traffic(20).Add(
			gone).Traffic(20).Complete(), score.Stuck},
		"healthy not ready":       {unreadyHealthy, score.Stuck},
		"healthy in a broken lab": {rolling("healthy").End(event.OutcomeLabFault), score.Inconclusive},
	} {
		j := score.Judge(timeline.Build(c.log.Events()), rubric)
		if j.Verdict != c.want {
			t.Errorf("%s: %s (%s), want %s", name, j.Verdict, j.Reason, c.want)
		}
		if j.Reason == "" || len(j.Moments) == 0 {
			t.Errorf("%s: a verdict without reason or event: %+v", name, j)
		}
	}
}

// A canary without requests is starved even if the rubric asks for none.
func TestCanaryWithoutRequestsIsStarved(t *testing.T) {
	log := rolling("faulty").Canary("Progressing", 0, 0).Gate("volume", false).Canary("Progressing", 0,
		1).Canary("Failed", 0, 1).Complete()
	if j := score.Judge(timeline.Build(log.Events()), scenario.Rubric{}); j.Verdict != score.Starved {
		t.Errorf("%s (%s), want %s", j.Verdict, j.Reason, score.Starved)
	}
}

func run(p score.Role, s *script.Script) score.RunResult {
	return score.RunResult{Role: p, Timeline: timeline.Build(s.Events())}
}

func all(items ...scenario.RubricItem) *scenario.Scenario {
	r := rubric
	r.Items = items
	return &scenario.Scenario{Name: "segment", Title: "Segment", Rubric: r}
}

func good(seed uint64) []score.RunResult {
	return []score.RunResult{
		run(score.RoleFaulty, script.RolledBack(seed)), run(score.RoleHealthy, script.Promoted("healthy", seed)),
		run(score.RoleUnguarded, script.Unguarded(seed)), run(score.RoleReference, script.RolledBack(seed)),
	}
}

func TestOutcomes(t *testing.T) {
	missed := run(score.RoleFaulty, script.Promoted("faulty", 9))
	held := run(score.RoleHealthy, rolling("healthy").Canary("Progressing", 25, 0).Traffic(20).Canary("Failed", 0,
		1).Complete())
	open := run(score.RoleFaulty, rolling("faulty").End(event.OutcomeInterrupted))
	fault := run(score.RoleUnguarded, script.Unguarded(9).End(""))
	fault.Timeline = timeline.Build(script.Ready("faulty", 9, false).Release().End(event.OutcomeLabFault).Events())
	for name, c := range map[string]struct {
		runs []score.RunResult
		want int
	}{
		"passed":              {good(1), score.ExitPassed},
		"nothing":             {nil, score.ExitInconclusive},
		"no healthy run":      {good(1)[:1], score.ExitInconclusive},
		"inconclusive":        {append(good(1), open), score.ExitInconclusive},
		"rolled back":         {append(good(1), open, held), score.ExitRolledBack},
		"missed":              {append(good(1), open, held, missed), score.ExitMissed},
		"lab fault":           {append(good(1), open, held, missed, fault), score.ExitLabFailed},
		"one of three missed": {append(append(good(1), good(2)...), missed), score.ExitMissed},
	} {
		card := score.Trial(all(), c.runs)
		if card.Exit != c.want || card.Reason == "" {
			t.Errorf("%s: exit %d (%s), want %d", name, card.Exit, card.Reason, c.want)
		}
	}
	if card := score.Trial(all(), append(append(good(1), good(2)...), missed)); !strings.Contains(
		card.Reason, "1 of 3") {
		t.Errorf("reason %q does not say how many of how many", card.Reason)
	}
}

// The invented faulty run hurts 240 users; without guardrails half of 20 premium requests a second
// for 215 s, 2150.
func TestHarmAndSkill(t *testing.T) {
	card := score.Trial(all(), append(good(1), good(2)...))
	h := card.Harm
	if h.Learner != 480 || *h.Unguarded != 4300 || *h.Reference != 480 || h.UsersHurt != 48 ||
		*h.UsersHurtUnguarded != 430 {
		t.Errorf("harm %+v", h)
	}
	if want := 1 - 240.0/2150; math.Abs(*h.Avoided-want) > 1e-4 || *h.Low > *h.Avoided || *h.High < *h.Avoided {
		t.Errorf("avoided %v [%v, %v], want %v", *h.Avoided, *h.Low, *h.High, want)
	}
	if *card.Skill != 1 || *h.Bound <= 0 || *h.Bound >= h.Learner {
		t.Errorf("skill %v, bound %d", *card.Skill, *h.Bound)
	}
	if c := h.Cohorts; len(c) != 2 || c[0].Cohort != "premium" || c[0].Harm != 480 || c[1].Harm != 0 ||
		c[1].HarmRatio != nil {
		t.Errorf("cohorts %+v", c)
	}
	r := card.Runs[0]
	if *r.MTTD != event.Seconds(49*time.Second) || *r.MTTR != event.Seconds(99*time.Second) || *r.Weight != 25 ||
		r.Run != "faulty-1" {
		t.Errorf("row %+v", r)
	}
}

func TestWithoutReferenceThereIsNoSkill(t *testing.T) {
	if card := score.Trial(all(), good(1)[:3]); card.Skill != nil || card.Harm.Reference != nil ||
		card.Harm.Unguarded == nil {
		t.Errorf("skill %v, harm %+v", card.Skill, card.Harm)
	}
}

func TestBrokenUnguardedRunIsNotCompared(t *testing.T) {
	runs := good(1)[:2]
	runs = append(runs, run(score.RoleUnguarded, script.Ready("faulty", 1, false).Release().Traffic(5).End(
		event.OutcomeInterrupted)))
	card := score.Trial(all(scenario.RubricItem{ID: "harm-share", Points: 10, Limit: 1}), runs)
	if card.Harm.Unguarded != nil || card.Items[0].Points != 0 {
		t.Errorf("compared with a run that was interrupted: %+v, %+v", card.Harm, card.Items[0])
	}
}

// Guardrails that never let a rollout start avoid no harm.
func TestNotReleasingAvoidsNoHarm(t *testing.T) {
	runs := good(1)
	runs[0] = run(score.RoleFaulty, script.New("faulty", 1, true).End(event.OutcomeNotReady))
	card := score.Trial(all(scenario.RubricItem{ID: "harm-share", Points: 10}), runs)
	if *card.Harm.Avoided != 0 || *card.Skill != 0 || card.Items[0].Points != 0 {
		t.Errorf("avoided %v, skill %v, points %d: want none", *card.Harm.Avoided, *card.Skill, card.Items[0].Points)
	}
}

// draw draws a run of any course.
func draw(t *rapid.T, role string, seed uint64) *script.Script {
	s := script.Ready(role, seed, true)
	if role == "faulty" {
		s.Fault = rapid.Float64Range(0, 1).Draw(t, "fault")
	}
	s.Rate = rapid.IntRange(1, 200).Draw(t, "rate")
	s.Error = rapid.Float64Range(0, 0.1).Draw(t, "error")
	s.Release()
	for _, w := range rapid.SliceOfN(rapid.IntRange(0, 100), 0, 5).Draw(t, "weights") {
		s.Canary("Progressing", w, rapid.IntRange(0, 5).Draw(t, "failed")).Traffic(
			rapid.IntRange(0, 30).Draw(t, "seconds"))
	}
	switch rapid.IntRange(0, 3).Draw(t, "end") {
	case 0:
		return s.Promote().Complete()
	case 1:
		return s.Canary("Failed", 0, 5).Traffic(5).Complete()
	case 2:
		return s.End(event.OutcomeInterrupted)
	}
	return s.Complete()
}

func drawTrial(t *rapid.T) []score.RunResult {
	var runs []score.RunResult
	for seed := range uint64(rapid.IntRange(0, 3).Draw(t, "seeds")) {
		runs = append(runs, run(score.RoleFaulty, draw(t, "faulty", seed)),
			run(score.RoleHealthy, draw(t, "healthy", seed)))
		if rapid.Bool().Draw(t, "compared") {
			runs = append(runs, run(score.RoleUnguarded, script.Unguarded(seed)),
				run(score.RoleReference, draw(t, "faulty", seed)))
		}
	}
	return runs
}

func everyItem() *scenario.Scenario {
	var items []scenario.RubricItem
	for _, id := range score.ItemIDs() {
		items = append(items, scenario.RubricItem{ID: id, Points: 7, Limit: 0.5})
	}
	return all(items...)
}

func TestCardsStayWithinTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		runs := drawTrial(t)
		card := score.Trial(everyItem(), runs)
		total := 0
		for _, i := range card.Items {
			if i.Points < 0 || i.Points > i.Max || i.Reason == "" {
				t.Fatalf("item %+v", i)
			}
			total += i.Points
		}
		if total != card.Points || card.Points > card.MaxPoints {
			t.Fatalf("%d of %d points, items sum to %d", card.Points, card.MaxPoints, total)
		}
		if s := card.Skill; s != nil && !(*s >= 0 && *s <= 1) {
			t.Fatalf("skill %v", *s)
		}
		harm := 0
		for _, c := range card.Harm.Cohorts {
			harm += c.Harm
		}
		if harm != card.Harm.Learner {
			t.Fatalf("cohorts' harm %d, all %d", harm, card.Harm.Learner)
		}
		if b := card.Harm.Bound; b != nil && (*b < 0 || *b > card.Harm.Learner) {
			t.Fatalf("an ideal alarm lets through %d of %d", *b, card.Harm.Learner)
		}
		if _, err := json.Marshal(card); err != nil { // no NaN, no infinity
			t.Fatal(err)
		}
	})
}

// A card does not depend on the order of runs, and every reference leads to an event.
func TestCardsAreReproducible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		runs := drawTrial(t)
		card := score.Trial(everyItem(), runs)
		again := score.Trial(everyItem(), rapid.Permutation(runs).Draw(t, "order"))
		if diff := cmp.Diff(card, again); diff != "" {
			t.Fatalf("another order of runs, another card:\n%s", diff)
		}
		last := map[string]int{}
		for _, r := range runs {
			last[string(r.Role)+"-"+string(rune('0'+r.Timeline.Run.Seed))] = r.Timeline.Last.Seq
		}
		for _, i := range card.Items {
			for _, e := range i.Events {
				if e.Seq < 1 || e.Seq > last[e.Run] {
					t.Fatalf("%s rests on event %d of %s, which has %d", i.ID, e.Seq, e.Run, last[e.Run])
				}
			}
		}
	})
}

func TestAnotherRubricRescoresTheSameRuns(t *testing.T) {
	runs := good(1)
	strict, mild := all(scenario.RubricItem{ID: "detect-within", Points: 10, Limit: 10}),
		all(scenario.RubricItem{ID: "detect-within", Points: 20, Limit: 60})
	if a, b := score.Trial(strict, runs), score.Trial(mild, runs); a.Points != 0 || b.Points != 20 {
		t.Errorf("points %d and %d, want 0 and 20", a.Points, b.Points)
	}
	strict.Rubric.MinCanaryRequests = 1901 // one more than the canary had
	if card := score.Trial(strict, runs); card.Runs[0].Verdict != score.Starved || card.Exit != score.ExitMissed {
		t.Errorf("verdict %s, exit %d", card.Runs[0].Verdict, card.Exit)
	}
}

// A run folder may come from elsewhere, with any word for a role.
func TestTrialIgnoresUnknownRoles(t *testing.T) {
	s := &scenario.Scenario{Rubric: rubric}
	known := []score.RunResult{{Role: score.RoleFaulty, Timeline: timeline.Build(script.RolledBack(1).Events())}}
	stray := score.RunResult{Role: "stray", Timeline: timeline.Build(script.Unguarded(1).Events())}
	got, want := score.Trial(s, append(known, stray)), score.Trial(s, known)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a run of an unknown role changes the card (-without +with):\n%s", diff)
	}
}

// Starving, deleting or never releasing a canary avoids no harm.
func TestHarmOfACanaryThatWasNotJudged(t *testing.T) {
	unguarded := run(score.RoleUnguarded, script.Unguarded(1))
	want := unguarded.Timeline.Sum(nil).Harm
	for verdict, log := range map[score.Verdict]*script.Script{
		score.Deleted: rolling("faulty").Canary("Progressing", 25, 0).Traffic(5).Add(
			event.Deleted{ObjectKind: "Canary", Name: script.Service}).Complete(),
		score.Starved: rolling("faulty").Canary("Progressing", 1, 0).Traffic(20).Canary("Progressing", 1,
			1).Canary("Failed", 0, 1).Complete(),
		score.NotReleased: script.New("faulty", 1, true).Stage(event.StagePrepare).End(event.OutcomeNotReady),
	} {
		item := scenario.RubricItem{ID: "harm-share", Points: 10, Limit: 0.9}
		card := score.Trial(all(item), []score.RunResult{run(score.RoleFaulty, log), unguarded})
		if card.Runs[0].Verdict != verdict || card.Runs[0].Harm >= want {
			t.Fatalf("the run is %s with harm %d, want %s with less than %d", card.Runs[0].Verdict, card.Runs[0].Harm,
				verdict, want)
		}
		if card.Harm.Avoided == nil || *card.Harm.Avoided != 0 || card.Items[0].Points != 0 {
			t.Errorf("%s: avoided %v, %d points for %s", verdict, card.Harm.Avoided, card.Items[0].Points,
				card.Items[0].Reason)
		}
	}
}
