package score

import (
	"cmp"
	"fmt"
	"slices"

	"coalmine/lab/event"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/timeline"
)

// Role says what a run is for in a trial.
type Role string

// Parts of a trial.
const (
	RoleFaulty    Role = "faulty"    // the learner's guardrails, the faulty version
	RoleHealthy   Role = "healthy"   // the learner's guardrails, the healthy version
	RoleUnguarded Role = "unguarded" // no guardrail, the faulty version
	RoleReference Role = "reference" // the scenario's own solution, the faulty version
)

// RunResult is one run of a trial.
type RunResult struct {
	// Name of the run in event references; "" stands for part-seed, as in faulty-7.
	Name     string
	Role     Role
	Timeline *timeline.Timeline
}

// Trial scores the runs of a trial. Runs of one part must have different seeds; the order of runs does not matter. A run of
// a part that is none of the Part constants counts nowhere.
func Trial(s *scenario.Scenario, runs []RunResult) Card {
	t := newTrial(s, runs)
	c := Card{Format: CardFormat, Scenario: s.Name, Title: s.Title, Players: t.players()}
	for _, r := range t.learner() {
		c.Runs = append(c.Runs, r.row())
	}
	c.Faulty = t.count(t.faulty, func(v Verdict) bool { return v == Caught })
	c.Healthy = t.count(t.healthy, func(v Verdict) bool { return v == RolledBack || v == Stuck })
	c.Harm = t.harm()
	c.Skill = t.skill()
	c.Preconditions = t.preconditions()
	for _, i := range s.Rubric.Items {
		item := t.grade(i)
		c.Items = append(c.Items, item)
		c.Points += item.Points
		c.MaxPoints += item.Max
	}
	c.Outcome, c.Exit, c.Reason = t.outcome()
	return c
}

// trial is the runs of a trial, sorted by part and seed.
type trial struct {
	rubric          scenario.Rubric
	all             []*run
	faulty, healthy []*run
}

// run is one run with what the trial knows of its seed.
type run struct {
	RunResult
	Judgement
	// unguarded and best are the runs of the same seed without guardrail and with the reference; nil when there is none.
	unguarded, reference *run
}

func newTrial(s *scenario.Scenario, results []RunResult) *trial {
	t := &trial{rubric: s.Rubric}
	seeds := map[Role]map[uint64]*run{RoleUnguarded: {}, RoleReference: {}}
	for _, result := range results {
		r := &run{RunResult: result, Judgement: judge(result.Timeline, result.Role != RoleHealthy, s.Rubric)}
		if r.Name == "" {
			r.Name = fmt.Sprintf("%s-%d", r.Role, r.seed())
		}
		t.all = append(t.all, r)
		switch r.Role {
		case RoleFaulty:
			t.faulty = append(t.faulty, r)
		case RoleHealthy:
			t.healthy = append(t.healthy, r)
		case RoleUnguarded, RoleReference:
			if r.complete() {
				seeds[r.Role][r.seed()] = r
			}
		}
	}
	bySeed := func(a, b *run) int { return cmp.Compare(a.seed(), b.seed()) }
	slices.SortStableFunc(t.faulty, bySeed)
	slices.SortStableFunc(t.healthy, bySeed)
	for _, r := range t.faulty {
		r.unguarded, r.reference = seeds[RoleUnguarded][r.seed()], seeds[RoleReference][r.seed()]
	}
	return t
}

// learner lists the runs of the learner's guardrails, faulty ones first.
func (t *trial) learner() []*run { return slices.Concat(t.faulty, t.healthy) }

func (r *run) seed() uint64 { return r.Timeline.Run.Seed }

// complete tells whether the run's story was told to its end, so that its counts mean something.
func (r *run) complete() bool {
	o := r.Timeline.End.Outcome
	return o == event.OutcomeCompleted || o == event.OutcomeNotReady
}

func (r *run) eventRefs(marks ...timeline.Moment) []EventRef {
	var refs []EventRef
	for _, m := range marks {
		if m.Happened() {
			refs = append(refs, EventRef{Run: r.Name, Seq: m.Seq})
		}
	}
	return refs
}

// players takes who played from the first learner's run, and where it is compared from the others.
func (t *trial) players() Players {
	all := slices.Concat(t.learner(), t.all)
	if len(all) == 0 {
		return Players{}
	}
	first := all[0].Timeline.Run
	p := Players{Cluster: first.Cluster, Mesh: first.Mesh, Versions: first.Versions}
	for _, r := range t.all {
		if c := r.Timeline.Run.Cluster; (r.Role == RoleUnguarded || r.Role == RoleReference) && c != p.Cluster {
			p.ComparedIn = c
		}
	}
	return p
}

func (t *trial) count(runs []*run, is func(Verdict) bool) Rate {
	var r Rate
	for _, x := range runs {
		if x.Verdict == Inconclusive {
			continue
		}
		r.Of++
		if is(x.Verdict) {
			r.Count++
		}
	}
	return r.withInterval()
}

// outcome decides over the whole trial. A lab's fault comes first, since nothing can be said then; a missed incident
// outweighs a healthy release that was held up.
func (t *trial) outcome() (outcome string, exit int, reason string) {
	missed := filter(t.faulty, func(r *run) bool { return r.Verdict != Caught && r.Verdict != Inconclusive })
	held := filter(t.healthy, func(r *run) bool { return r.Verdict != Promoted && r.Verdict != Inconclusive })
	open := filter(t.learner(), func(r *run) bool { return r.Verdict == Inconclusive })
	broken := filter(t.all, func(r *run) bool { return r.Timeline.End.Outcome == event.OutcomeLabFault })
	switch {
	case len(broken) > 0:
		return OutcomeLabFailed, ExitLabFailed, broken[0].Name + ": " + broken[0].Reason
	case len(missed) > 0:
		return OutcomeMissed, ExitMissed, summarize(missed, t.faulty, "not caught", "faulty releases")
	case len(held) > 0:
		return OutcomeRolledBack, ExitRolledBack, summarize(held, t.healthy, "not delivered", "healthy releases")
	case len(open) > 0:
		return OutcomeInconclusive, ExitInconclusive, summarize(open, t.learner(), "without a result", "runs")
	case len(t.faulty) == 0:
		return OutcomeInconclusive, ExitInconclusive, "no faulty release was tried"
	case len(t.healthy) == 0:
		return OutcomeInconclusive, ExitInconclusive, "no healthy release was tried, so a guardrail that stops everything would do"
	}
	return OutcomePassed, ExitPassed, fmt.Sprintf("%d of %d faulty releases caught, %d of %d healthy releases delivered",
		len(t.faulty), len(t.faulty), len(t.healthy), len(t.healthy))
}

func filter(runs []*run, keep func(*run) bool) []*run {
	var kept []*run
	for _, r := range runs {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	return kept
}

// summarize says how many of how many, with the first one's reason.
func summarize(some, all []*run, what, runs string) string {
	return fmt.Sprintf("%s: %d of %d %s (%s: %s)", what, len(some), len(all), runs, some[0].Name, some[0].Reason)
}
