package score

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/timeline"
)

// Role is the part that a run has in a trial.
type Role string

// Roles of runs.
const (
	RoleFaulty    Role = "faulty"    // the learner's guardrails, the faulty version
	RoleHealthy   Role = "healthy"   // the learner's guardrails, the healthy version
	RoleUnguarded Role = "unguarded" // no guardrails, the faulty version
	RoleReference Role = "reference" // the scenario's own solution, the faulty version

	// RoleOther is the learner's guardrails with a version that the scenario calls neither faulty
	// nor healthy. It counts as faulty if its fault hurt users, and else as healthy.
	RoleOther Role = "other"
)

// RunResult is one run of a trial.
type RunResult struct {
	// Name of the run in event references; "" stands for ROLE-SEED, as in faulty-7.
	Name string
	Role Role
	// Timeline is nil for a run that was planned but not played.
	Timeline *timeline.Timeline
	// Played is when the trial started; zero if it is not known.
	Played time.Time
}

// Evaluate scores the runs that were planned: as a trial, or, if all of them are of one role, as
// runs of one version. Everything that says what a run folder is worth rests on the card it
// returns.
func Evaluate(s *scenario.Scenario, runs []RunResult) Card {
	if !OneVersion(runs) {
		return Trial(s, runs)
	}
	t := newTrial(s, runs)
	c := t.card(s)
	c.Items = []Item{}
	c.Outcome, c.Exit, c.Reason = t.outcome(t.oneVersionPassed)
	if runs := t.learner(); len(runs) == 1 && t.missing == 0 && c.Exit != ExitLabFailed {
		c.Reason = runs[0].Verdict.Text() + ": " + runs[0].Reason
	}
	return c
}

// OneVersion reports whether all runs are of one role. The rubric is about trials: runs of one
// version have no points, and pass if each of them does.
func OneVersion(runs []RunResult) bool {
	return len(runs) > 0 && !slices.ContainsFunc(runs, func(r RunResult) bool { return r.Role != runs[0].Role })
}

// Trial scores the runs of a trial. Runs of one role must have different seeds; their order does
// not matter. A run of an unknown role does not count. A trial that lacks planned runs does not
// pass.
func Trial(s *scenario.Scenario, runs []RunResult) Card {
	t := newTrial(s, runs)
	c := t.card(s)
	for _, i := range s.Rubric.Items {
		item, full, unmeasured := t.grade(i)
		c.Items = append(c.Items, item)
		c.Points += item.Points
		c.MaxPoints += item.Max
		switch {
		case !item.Essential || full:
		case unmeasured:
			t.unmeasured = append(t.unmeasured, item)
		default:
			t.incomplete = append(t.incomplete, item)
		}
	}
	if half := c.MaxPoints / 2; len(t.incomplete)+len(t.unmeasured) > 0 {
		c.Limited = c.Points > half
		c.Points = min(c.Points, half)
	}
	c.Outcome, c.Exit, c.Reason = t.outcome(t.passed)
	return c
}

// card is the card but for its points and its outcome.
func (t *trial) card(s *scenario.Scenario) Card {
	c := Card{Format: CardFormat, Scenario: s.Name, Title: s.Title, Players: t.players()}
	for _, r := range t.learner() {
		c.Runs = append(c.Runs, r.row())
	}
	c.Faulty = t.count(t.faulty, func(v Verdict) bool { return v == Caught })
	c.Healthy = t.count(t.healthy, func(v Verdict) bool { return v != Promoted })
	c.Harm = t.harm()
	c.Skill = t.skill()
	c.Preconditions = t.preconditions()
	c.Basis = t.basis()
	return c
}

// trial is the runs of a trial, sorted by role and seed.
type trial struct {
	rubric          scenario.Rubric
	all             []*run
	faulty, healthy []*run
	missing         int // planned runs that were not played
	// incomplete are the essential items that are not met in full.
	incomplete []Item
	// unmeasured are essential items that the runs cannot show to be met.
	unmeasured []Item
}

// run is one run with those of the same seed that it is compared with.
type run struct {
	RunResult
	Judgement
	// unguarded and reference are the runs of the same seed without guardrails and with the
	// scenario's solution; nil if there is none.
	unguarded, reference *run
	baseline             baseline
	// uncounted says why the run of a faulty version earns nothing, "" if it counts: stopping a
	// fault shows something only if the same guardrails deliver the healthy release of the seed.
	uncounted string
}

func newTrial(s *scenario.Scenario, results []RunResult) *trial {
	t := &trial{rubric: s.Rubric}
	seeds := map[Role]map[uint64]*run{RoleUnguarded: {}, RoleReference: {}}
	for _, result := range results {
		if result.Timeline == nil {
			t.missing++
			continue
		}
		if result.Role == RoleOther {
			result.Role = RoleHealthy
			if Faulty(result.Timeline) {
				result.Role = RoleFaulty
			}
		}
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
	t.judgeHarm()
	bySeed := func(a, b *run) int { return cmp.Compare(a.seed(), b.seed()) }
	slices.SortStableFunc(t.faulty, bySeed)
	slices.SortStableFunc(t.healthy, bySeed)
	for _, r := range t.faulty {
		r.unguarded, r.reference = seeds[RoleUnguarded][r.seed()], seeds[RoleReference][r.seed()]
	}
	return t
}

// judgeHarm adds what takes several runs to see: harm by the guardrails, and whether stopping a
// faulty release counts. Runs of one version are judged by themselves.
func (t *trial) judgeHarm() {
	b := newBaseline(t.all)
	delivered := map[uint64]bool{}
	for _, r := range t.all {
		r.baseline = b
		if r.Role == RoleHealthy {
			r.Judgement = r.withHarm(selfInflicted(r.Timeline, r.baseline))
			delivered[r.seed()] = r.Verdict == Promoted
		}
	}
	if len(t.healthy) == 0 && len(t.all) == len(t.faulty) && t.missing == 0 {
		return
	}
	for _, r := range t.faulty {
		if !delivered[r.seed()] {
			r.uncounted = "the healthy release of the same seed was not delivered unharmed, so stopping this one " +
				"proves nothing"
		} else if t.gatesAlone(r) {
			r.Judgement = newJudgement(Starved, []timeline.Moment{r.Timeline.Detected, r.Timeline.Abort},
				"rolled back by gates alone: %s of a metric failed (at least %d has to), so nothing measured the fault",
				format.Plural(failedTicks(r.Timeline), "check"), t.rubric.MinEvidence.FailedChecks)
		}
	}
}

// gatesAlone reports whether gates stopped a release that no metric found fault with, although the
// rubric asks for that. Gates that refuse a version, and the progress deadline, need no metric.
func (t *trial) gatesAlone(r *run) bool {
	least := t.rubric.MinEvidence.FailedChecks
	return r.Verdict == Caught && least > 0 && failedTicks(r.Timeline) < least &&
		!r.Timeline.Refusal.Happened() && !r.Timeline.Deadline.Happened()
}

// learner lists the runs of the learner's guardrails, faulty ones first.
func (t *trial) learner() []*run { return slices.Concat(t.faulty, t.healthy) }

func (r *run) seed() uint64 { return r.Timeline.Run.Seed }

// complete reports whether the run reached its horizon, so that its counts mean something.
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

// players describes what played the learner's first run, and where the others were played.
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

// outcome decides over all runs. A fault of the lab comes first, because it leaves nothing to
// judge; a missed incident outweighs a healthy release that was held up. Passed decides over runs
// that all have a good verdict.
func (t *trial) outcome(passed func() (string, int, string)) (outcome string, exit int, reason string) {
	missed := filter(t.faulty, func(r *run) bool { return r.Verdict != Caught && r.Verdict != Inconclusive })
	held := filter(t.healthy, func(r *run) bool { return r.Verdict != Promoted && r.Verdict != Inconclusive })
	open := filter(t.learner(), func(r *run) bool { return r.Verdict == Inconclusive })
	broken := filter(t.all, func(r *run) bool { return r.Timeline.End.Outcome == event.OutcomeLabFault })
	switch {
	case len(broken) > 0:
		return OutcomeLabFailed, ExitLabFailed, broken[0].Name + ": " + broken[0].Reason
	case len(missed) > 0:
		return OutcomeMissed, ExitMissed, summarize(missed, t.faulty, "not caught", "faulty releases")
	case len(held) > 0 && !slices.ContainsFunc(held, func(r *run) bool { return r.Verdict != HurtUsers }):
		return OutcomeHurtUsers, ExitRolledBack, summarize(held, t.healthy, "not delivered unharmed",
			"healthy releases")
	case len(held) > 0:
		return OutcomeRolledBack, ExitRolledBack, summarize(held, t.healthy, "not delivered", "healthy releases")
	case len(open) > 0:
		return OutcomeInconclusive, ExitInconclusive, summarize(open, t.learner(), "without a result", "runs")
	}
	outcome, exit, reason = passed()
	if t.missing > 0 && exit == ExitPassed {
		return OutcomeInconclusive, ExitInconclusive, "not every run of the trial was played: " + reason
	}
	return outcome, exit, reason
}

// passed is the outcome of a trial without a bad run.
func (t *trial) passed() (outcome string, exit int, reason string) {
	switch {
	case len(t.faulty) == 0:
		return OutcomeInconclusive, ExitInconclusive, "no faulty release was tried"
	case len(t.healthy) == 0:
		return OutcomeInconclusive, ExitInconclusive, "no healthy release was tried, so a guardrail that stops " +
			"everything would do"
	}
	if len(t.incomplete) > 0 {
		first := t.incomplete[0]
		return OutcomeIncomplete, ExitMissed, fmt.Sprintf("%s is essential: %s", first.Title, first.Reason)
	}
	if len(t.unmeasured) > 0 && t.missing == 0 {
		first := t.unmeasured[0]
		return OutcomeInconclusive, ExitInconclusive, fmt.Sprintf("%s is essential: %s", first.Title, first.Reason)
	}
	return OutcomePassed, ExitPassed, allCaught(len(t.faulty)) + ", " + allDelivered(len(t.healthy))
}

// oneVersionPassed is the outcome of runs of one version without a bad one.
func (t *trial) oneVersionPassed() (outcome string, exit int, reason string) {
	switch runs := t.learner(); {
	case len(runs) == 0:
		return OutcomeInconclusive, ExitInconclusive, "no run was played"
	case len(t.healthy) == 0:
		return OutcomePassed, ExitPassed, allCaught(len(t.faulty))
	case len(t.faulty) == 0:
		return OutcomePassed, ExitPassed, allDelivered(len(t.healthy))
	}
	return OutcomePassed, ExitPassed, allCaught(len(t.faulty)) + ", " + allDelivered(len(t.healthy))
}

func allCaught(n int) string    { return fmt.Sprintf("%d of %d faulty releases caught", n, n) }
func allDelivered(n int) string { return fmt.Sprintf("%d of %d healthy releases delivered", n, n) }

func filter(runs []*run, keep func(*run) bool) []*run {
	var kept []*run
	for _, r := range runs {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	return kept
}

// summarize says how many of how many, with the reason of the first.
func summarize(some, all []*run, what, runs string) string {
	return fmt.Sprintf("%s: %d of %d %s (%s: %s)", what, len(some), len(all), runs, some[0].Name, some[0].Reason)
}
