package quiz

import (
	"cmp"
	"slices"

	"coalmine/lab/event"
	"coalmine/lab/scenario"
	"coalmine/lab/scenario/quizexpr"
	"coalmine/lab/verdict/pager"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// Facts returns what expressions can ask of a trial. The learner's run is the first faulty one. Runs
// that did not reach their end say nothing.
func Facts(s *scenario.Scenario, runs []score.RunResult, card *score.Card) *quizexpr.Facts {
	return factsOf(s, runs, card, isLearners)
}

// PlayFacts is [Facts] for a play of a lesson: its run may release any version.
func PlayFacts(s *scenario.Scenario, runs []score.RunResult, card *score.Card) *quizexpr.Facts {
	if slices.ContainsFunc(runs, isLearners) {
		return Facts(s, runs, card)
	}
	return factsOf(s, runs, card, complete)
}

func factsOf(s *scenario.Scenario, runs []score.RunResult, card *score.Card, is func(score.RunResult) bool,
) *quizexpr.Facts {
	f := &quizexpr.Facts{}
	if card != nil {
		f.Trial = quizexpr.Trial{Passed: card.Exit == score.ExitPassed, Points: card.Points, MaxPoints: card.MaxPoints}
		for _, row := range card.Runs {
			f.Trial.Verdicts = append(f.Trial.Verdicts, row.Verdict.Text())
		}
	}
	learner := slices.IndexFunc(runs, is)
	if learner < 0 {
		return f
	}
	seed := runs[learner].Timeline.Run.Seed
	f.Run = runFacts(s, runs[learner])
	if card != nil {
		f.Run.Harm = harmOf(card, f.Run)
	}
	for role, to := range map[score.Role]*quizexpr.Run{score.RoleHealthy: &f.Healthy, score.RoleUnguarded: &f.Unguarded,
		score.RoleReference: &f.Reference} {
		for _, r := range runs {
			if r.Role == role && complete(r) && r.Timeline.Run.Seed == seed {
				*to = runFacts(s, r)
			}
		}
	}
	return f
}

// harmOf is the harm of a run as its card has it, with that of the guardrails.
func harmOf(c *score.Card, r quizexpr.Run) int {
	for _, row := range c.Runs {
		if row.Run == r.Name {
			return row.Harm
		}
	}
	return r.Harm
}

func complete(r score.RunResult) bool {
	return r.Timeline != nil && (r.Timeline.End.Outcome == event.OutcomeCompleted ||
		r.Timeline.End.Outcome == event.OutcomeNotReady)
}

func isLearners(r score.RunResult) bool {
	return complete(r) && (r.Role == score.RoleFaulty || r.Role == score.RoleOther && score.Faulty(r.Timeline))
}

func runFacts(s *scenario.Scenario, result score.RunResult) quizexpr.Run {
	t := result.Timeline
	verdict := score.Judge(t, s.Rubric).Verdict
	all := t.Sum(nil)
	r := quizexpr.Run{
		Played: true, Name: result.Name, Seed: int(t.Run.Seed), Verdict: verdict.Text(),
		Caught: verdict == score.Caught, Promoted: t.Promoted.Happened(), RolledBack: t.Abort.Happened(),
		Detected: t.Detected.Happened(), HurtUsers: t.FirstBad.Happened(), WeightAtAbort: t.WeightAtAbort,
		FirstBad: t.FirstBad.Since(t.Released), DetectedAt: t.Detected.Since(t.Released),
		AbortedAt: t.Abort.Since(t.Released), PromotedAt: t.Promoted.Since(t.Released),
		MTTD: t.Detected.Since(t.FirstBad), Requests: all.N, Bad: all.Bad, Harm: all.Harm,
		CanaryRequests: t.CanaryRequests, CanaryShare: 100 * t.ActualShare(),
		MeasuredTicks: t.MeasuredTicks, FailedTicks: t.FailedTicks, Gates: gates(t),
		Cohorts: groups(t, func(k timeline.Key) string { return k.Cohort }),
		Routes:  groups(t, func(k timeline.Key) string { return k.Route }),
		Canary:  canary(t),
	}
	if t.Abort.Happened() {
		r.MTTR = t.LastBad.Since(t.FirstBad)
	}
	manual := pager.Default().Manual(t)
	r.PageAfter, r.ManualHarm = manual.Detect, int(manual.Harm)
	if n := len(t.Routes); n > 0 {
		r.RuleLeft = t.Routes[n-1].Matched
	}
	if t.Totals != nil {
		for _, n := range t.Totals.Hurt {
			r.UsersHurt += n
		}
	}
	for i, step := range t.Steps {
		weight := t.Exposure(i)
		if weight == 0 {
			continue
		}
		r.Steps = append(r.Steps, quizexpr.Step{At: step.Since(t.Released), Weight: weight, Requests: step.Canary})
		if !t.Promoted.Happened() || step.At < t.Promoted.At {
			r.MaxWeight = max(r.MaxWeight, weight)
		}
	}
	return r
}

// groups counts the run's requests by a part of their keys, the most harmed first.
func groups(t *timeline.Timeline, of func(timeline.Key) string) []quizexpr.Group {
	var all []quizexpr.Group
	index := map[string]int{}
	steady := map[string]struct{ n, on int }{}
	onCanary := t.OnCanary()
	for _, k := range t.Keys() {
		name := of(k)
		i, ok := index[name]
		if !ok {
			i = len(all)
			index[name] = i
			all = append(all, quizexpr.Group{Name: name})
		}
		g, c := &all[i], t.Count(k)
		g.Requests, g.Bad, g.Harm = g.Requests+c.N, g.Bad+c.Bad, g.Harm+c.Harm
		if timeline.IsCanary(t.Run, k) {
			g.OnCanary, g.HarmOnCanary = g.OnCanary+c.N, g.HarmOnCanary+c.Harm
		}
		inside := steady[name]
		inside.n += t.CountSteady(k).N
		if onCanary(k) {
			inside.on += t.CountSteady(k).N
		}
		steady[name] = inside
	}
	for i := range all {
		inside := steady[all[i].Name]
		all[i].CanaryShare = 100 * float64(inside.on) / float64(max(1, inside.n))
	}
	slices.SortStableFunc(all, func(a, b quizexpr.Group) int { return cmp.Compare(b.Harm, a.Harm) })
	return all
}

// gates lists the gates that were asked after the release, with their last answers.
func gates(t *timeline.Timeline) []quizexpr.Gate {
	var all []quizexpr.Gate
	for _, e := range t.Facts {
		g, ok := e.Fact.(event.Gate)
		if !ok || e.Seq <= t.Released.Seq {
			continue
		}
		last := quizexpr.Gate{Name: g.Name, Passed: g.Passed, Reason: g.Reason}
		if i := slices.IndexFunc(all, func(h quizexpr.Gate) bool { return h.Name == g.Name }); i >= 0 {
			all[i] = last
		} else {
			all = append(all, last)
		}
	}
	return all
}

// canary is what the canary answered between the release and the decision.
func canary(t *timeline.Timeline) []quizexpr.Second {
	var all []quizexpr.Second
	until := cmp.Or(t.Abort, t.Promoting, t.Removed, t.Last).At
	for _, p := range t.SeriesFrom(t.Released.At, t.OnCanary()) {
		if p.To > until {
			break
		}
		all = append(all, quizexpr.Second{To: p.To - t.Released.At, N: p.N, Bad: p.Bad, Slow: p.Slow})
	}
	return all
}
