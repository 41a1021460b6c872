// Package score turns the timelines of a trial and a scenario's rubric into a score card.
//
// Everything here is a pure function of recorded events and the scenario: changing a rubric
// rescores old runs. Every item of a card names the events that it rests on.
package score

import (
	"cmp"
	"fmt"
	"strings"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/timeline"
)

// Verdict is what a run says about the guardrails.
type Verdict string

// Verdicts of a run whose released version is faulty.
const (
	Caught      Verdict = "caught"       // rolled back, or refused before any user was hurt
	Missed      Verdict = "missed"       // promoted, or still hurting users at the horizon
	Starved     Verdict = "starved"      // rolled back, but too little was measured to judge the canary
	Deleted     Verdict = "deleted"      // the canary was deleted instead of judged
	NotReleased Verdict = "not-released" // the guardrails never let a rollout start
)

// Verdicts of a run whose released version is healthy.
const (
	Promoted   Verdict = "promoted"    // delivered to everyone
	RolledBack Verdict = "rolled-back" // a false alarm
	Stuck      Verdict = "stuck"       // neither delivered nor rolled back by the horizon
	HurtUsers  Verdict = "hurt-users"  // delivered, but the guardrails made answers bad
	Unmeasured Verdict = "unmeasured"  // delivered without the evidence that the scenario asks for
)

// Inconclusive is the verdict of a run that says nothing about the guardrails.
const Inconclusive Verdict = "inconclusive"

// Exit codes of coalmine.
const (
	ExitPassed       = 0
	ExitLabFailed    = 1
	ExitInvalid      = 2 // invalid input or usage
	ExitMissed       = 3
	ExitRolledBack   = 4 // a healthy release was rolled back, or not delivered
	ExitInconclusive = 5
)

// Exit is the exit code of a single run with this verdict.
func (v Verdict) Exit() int {
	switch v {
	case Caught, Promoted:
		return ExitPassed
	case RolledBack, Stuck, HurtUsers, Unmeasured:
		return ExitRolledBack
	case Inconclusive:
		return ExitInconclusive
	}
	return ExitMissed
}

// Text is the verdict in words.
func (v Verdict) Text() string { return strings.ReplaceAll(string(v), "-", " ") }

// Good reports whether the guardrails did what they are for.
func (v Verdict) Good() bool { return v.Exit() == ExitPassed }

// Judgement is a verdict with its reason in words and the events that it rests on.
type Judgement struct {
	Verdict Verdict
	Reason  string
	Moments []timeline.Moment
}

func newJudgement(v Verdict, marks []timeline.Moment, format string, args ...any) Judgement {
	var seen []timeline.Moment
	for _, m := range marks {
		if m.Happened() {
			seen = append(seen, m)
		}
	}
	return Judgement{Verdict: v, Reason: fmt.Sprintf(format, args...), Moments: seen}
}

// Judge returns the verdict of one run. The log has the role that the scenario gives the released
// version; a version without one is judged as healthy if its fault hurt no user, and else as
// faulty.
//
// A run by itself shows only that harm of the guardrails that a proxy answered.
func Judge(t *timeline.Timeline, r scenario.Rubric) Judgement {
	j := judge(t, Faulty(t), r)
	return j.withHarm(selfInflicted(t, nil))
}

func judge(t *timeline.Timeline, faulty bool, r scenario.Rubric) Judgement {
	if j, over := judgeIncomplete(t, faulty); over {
		return j
	}
	if faulty {
		return judgeFaulty(t, r)
	}
	return judgeHealthy(t, r)
}

// Faulty reports whether a run is judged as that of a faulty version.
func Faulty(t *timeline.Timeline) bool {
	switch t.Run.Role {
	case scenario.RoleFaulty:
		return true
	case scenario.RoleHealthy:
		return false
	}
	return t.FirstBad.Happened()
}

// judgeIncomplete judges runs that did not reach their horizon. A fault of the lab does not count
// against the guardrails.
func judgeIncomplete(t *timeline.Timeline, faulty bool) (Judgement, bool) {
	end := []timeline.Moment{t.End.Moment}
	switch t.End.Outcome {
	case event.OutcomeCompleted:
		return Judgement{}, false
	case event.OutcomeNotReady:
		v := Stuck
		if faulty {
			v = NotReleased
		}
		return newJudgement(v, end, "the guardrails never became ready, so nothing was released%s",
			withReason(t.End.Reason)), true
	case event.OutcomeInterrupted:
		return newJudgement(Inconclusive, end, "the run was interrupted%s", withReason(t.End.Reason)), true
	case event.OutcomeLabFault:
		return newJudgement(Inconclusive, end, "the lab failed, not the guardrails%s", withReason(t.End.Reason)), true
	}
	return newJudgement(Inconclusive, []timeline.Moment{t.Last}, "the log ends in the middle of the run"), true
}

func withReason(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func judgeFaulty(t *timeline.Timeline, r scenario.Rubric) Judgement {
	switch {
	case t.Promoting.Happened():
		return newJudgement(Missed, []timeline.Moment{t.FirstBad, t.Promoting}, "the faulty version was promoted")
	case t.Abort.Happened():
		return judgeRollback(t, r)
	case t.Removed.Happened():
		return newJudgement(Deleted, []timeline.Moment{t.Removed},
			"the canary was removed before the analysis had decided, which does not count as caught")
	case t.FirstBad.Happened():
		return newJudgement(Missed, []timeline.Moment{t.FirstBad, t.LastBad, t.End.Moment},
			"users were hurt and the rollout was never rolled back")
	case t.Refusal.Happened():
		return newJudgement(Caught, []timeline.Moment{t.Refusal}, "a gate stopped the version before any user was hurt")
	case starved(t, r):
		return newJudgement(Starved, []timeline.Moment{t.FirstCanary, t.End.Moment},
			"the canary answered %d requests (%d are needed to judge it)", t.CanaryRequests, minRequests(r))
	}
	return newJudgement(Inconclusive, []timeline.Moment{t.End.Moment},
		"the analysis was not over at the horizon, and no user was hurt so far")
}

// judgeRollback tells a catch from a canary that failed because it had no requests.
func judgeRollback(t *timeline.Timeline, r scenario.Rubric) Judgement {
	switch {
	case t.Refusal.Happened() && !t.FirstBad.Happened():
		return newJudgement(Caught, []timeline.Moment{t.Refusal, t.Abort}, "refused before any user was hurt")
	case t.Deadline.Happened():
		return newJudgement(Caught, []timeline.Moment{t.Deadline, t.Abort},
			"rolled back because the pods of the canary were not ready by the progress deadline")
	case starved(t, r) && !t.Refusal.Happened():
		return newJudgement(Starved, []timeline.Moment{t.FirstCanary, t.Abort},
			"rolled back after %d canary requests (%d are needed to judge it): starving the canary does not "+
				"count as caught",
			t.CanaryRequests, minRequests(r))
	case !t.FirstBad.Happened():
		return newJudgement(Caught, []timeline.Moment{t.Detected, t.Abort}, "rolled back before any user was hurt")
	}
	return newJudgement(Caught, []timeline.Moment{t.FirstBad, t.Detected, t.Abort},
		"rolled back at %d %% of the traffic", t.WeightAtAbort)
}

// minRequests is the least number of requests that a canary must answer. A canary without any is
// starved under every rubric.
func minRequests(r scenario.Rubric) int { return max(1, r.MinCanaryRequests) }

func starved(t *timeline.Timeline, r scenario.Rubric) bool { return t.Judged() < minRequests(r) }

func judgeHealthy(t *timeline.Timeline, r scenario.Rubric) Judgement {
	least := r.MinEvidence
	switch {
	case t.Promoted.Happened() && t.CanaryRequests < least.Requests:
		return newJudgement(Unmeasured, []timeline.Moment{t.FirstCanary, t.Promoted},
			"promoted after %d canary requests (%d are needed to judge it)", t.CanaryRequests, least.Requests)
	case t.Promoted.Happened() && t.MeasuredTicks < least.Checks:
		return newJudgement(Unmeasured, []timeline.Moment{t.FirstCanary, t.Promoted},
			"promoted after %s with a metric that had a value (%d are needed to judge it: take more steps)",
			format.Plural(t.MeasuredTicks, "check"), least.Checks)
	case t.Promoted.Happened() && least.Checks > 0 && evidenceTicks(t) < least.Checks:
		return newJudgement(Unmeasured, []timeline.Moment{t.FirstCanary, t.Promoted},
			"promoted after %s with a metric that fails when the canary does (%d are needed to judge it)%s",
			format.Plural(evidenceTicks(t), "check"), least.Checks, alwaysPasses(t))
	case t.Promoted.Happened() && least.Status != 0 && distinguishingTicks(t, least.Status) < least.Checks:
		return newJudgement(Unmeasured, []timeline.Moment{t.FirstCanary, t.Promoted},
			"promoted after %s with a metric that could have noticed a response %d (%d are needed to judge it)",
			format.Plural(distinguishingTicks(t, least.Status), "check"), least.Status, least.Checks)
	case t.Promoted.Happened():
		return newJudgement(Promoted, []timeline.Moment{t.Promoted}, "the healthy version was delivered")
	case t.Abort.Happened():
		return newJudgement(RolledBack, []timeline.Moment{t.Detected, t.Abort}, "the healthy version was rolled back")
	case t.Removed.Happened():
		return newJudgement(Stuck, []timeline.Moment{t.Removed},
			"the canary was removed, so the healthy version was not delivered")
	}
	m := cmp.Or(t.Promoting, t.End.Moment)
	return newJudgement(Stuck, []timeline.Moment{m}, "the healthy version was not delivered by the horizon")
}
