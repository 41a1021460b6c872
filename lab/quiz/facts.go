package quiz

import (
	"cmp"
	"slices"

	"coalmine/lab/event"
	"coalmine/lab/quiz/expr"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
)

// Facts returns what expressions can ask of a trial. The learner's run is the first faulty one. Runs
// that did not reach their end say nothing.
func Facts(s *scenario.Scenario, runs []score.RunResult, card *score.Card) *expr.Facts {
	f := &expr.Facts{}
	if card != nil {
		f.Trial = expr.Trial{Passed: card.Exit == score.ExitPassed, Points: card.Points, MaxPoints: card.MaxPoints}
	}
	learner := slices.IndexFunc(runs, isLearners)
	if learner < 0 {
		return f
	}
	seed := runs[learner].Timeline.Run.Seed
	f.Run = runFacts(s, runs[learner])
	for role, to := range map[score.Role]*expr.Run{score.RoleHealthy: &f.Healthy, score.RoleUnguarded: &f.Unguarded,
		score.RoleReference: &f.Reference} {
		for _, r := range runs {
			if r.Role == role && complete(r) && r.Timeline.Run.Seed == seed {
				*to = runFacts(s, r)
			}
		}
	}
	return f
}

func complete(r score.RunResult) bool {
	return r.Timeline != nil && (r.Timeline.End.Outcome == event.OutcomeCompleted ||
		r.Timeline.End.Outcome == event.OutcomeNotReady)
}

func isLearners(r score.RunResult) bool {
	return complete(r) && (r.Role == score.RoleFaulty || r.Role == score.RoleOther && score.Faulty(r.Timeline))
}

func runFacts(s *scenario.Scenario, result score.RunResult) expr.Run {
	t := result.Timeline
	verdict := score.Judge(t, s.Rubric).Verdict
	all := t.Sum(nil)
	r := expr.Run{
		Played: true, Name: result.Name, Seed: int(t.Run.Seed), Verdict: verdict.Text(),
		Caught: verdict == score.Caught, Promoted: t.Promoted.Happened(), RolledBack: t.Abort.Happened(),
		Detected: t.Detected.Happened(), HurtUsers: t.FirstBad.Happened(), WeightAtAbort: t.WeightAtAbort,
		FirstBad: t.FirstBad.Since(t.Released), DetectedAt: t.Detected.Since(t.Released),
		AbortedAt: t.Abort.Since(t.Released), PromotedAt: t.Promoted.Since(t.Released),
		MTTD: t.Detected.Since(t.FirstBad), Requests: all.N, Bad: all.Bad, Harm: all.Harm,
		CanaryRequests: t.CanaryRequests, MeasuredTicks: t.MeasuredTicks, FailedTicks: t.FailedTicks,
		Cohorts: groups(t, func(k timeline.Key) string { return k.Cohort }),
		Routes:  groups(t, func(k timeline.Key) string { return k.Route }),
		Canary:  canary(t),
	}
	if t.Abort.Happened() {
		r.MTTR = t.LastBad.Since(t.FirstBad)
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
		r.Steps = append(r.Steps, expr.Step{At: step.Since(t.Released), Weight: weight, Requests: step.Canary})
		if !t.Promoted.Happened() || step.At < t.Promoted.At {
			r.MaxWeight = max(r.MaxWeight, weight)
		}
	}
	return r
}

// groups counts the run's requests by a part of their keys, the most harmed first.
func groups(t *timeline.Timeline, of func(timeline.Key) string) []expr.Group {
	var all []expr.Group
	index := map[string]int{}
	for _, k := range t.Keys() {
		name := of(k)
		i, ok := index[name]
		if !ok {
			i = len(all)
			index[name] = i
			all = append(all, expr.Group{Name: name})
		}
		g, c := &all[i], t.Count(k)
		g.Requests, g.Bad, g.Harm = g.Requests+c.N, g.Bad+c.Bad, g.Harm+c.Harm
		if timeline.IsCanary(t.Run, k) {
			g.OnCanary, g.HarmOnCanary = g.OnCanary+c.N, g.HarmOnCanary+c.Harm
		}
	}
	slices.SortStableFunc(all, func(a, b expr.Group) int { return cmp.Compare(b.Harm, a.Harm) })
	return all
}

// canary is what the canary answered between the release and the decision.
func canary(t *timeline.Timeline) []expr.Second {
	var all []expr.Second
	until := cmp.Or(t.Abort, t.Promoting, t.Removed, t.Last).At
	for _, p := range t.SeriesFrom(t.Released.At, t.OnCanary()) {
		if p.To > until {
			break
		}
		all = append(all, expr.Second{To: p.To - t.Released.At, N: p.N, Bad: p.Bad, Slow: p.Slow})
	}
	return all
}
