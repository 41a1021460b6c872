package model

import (
	"fmt"
	"math"
	"slices"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/verdict/score"
)

// Measure is one line of the scorecard.
type Measure struct {
	Name string
	// Value is [Inconclusive] if the runs do not show it.
	Value string
	// Meaning says in one line what it is and how it is computed; Detail what it rests on here.
	Meaning, Detail string
}

// Inconclusive is the value of a measure that the runs do not show.
const Inconclusive = "inconclusive"

// Scorecard returns the five measures over all runs of the learner's guardrails.
func (t *Trial) Scorecard() []Measure {
	return []Measure{t.mttd(), t.mttr(), t.signalQuality(), t.blastRadius(), t.respected()}
}

// conclusive are the learner's runs of a role that have a result.
func (t *Trial) conclusive(part score.Role) []Run {
	return slices.DeleteFunc(t.Learner(), func(r Run) bool {
		return r.Row.Role != string(part) || r.Row.Verdict == score.Inconclusive
	})
}

func (t *Trial) mttd() Measure {
	return t.mean(Measure{
		Name:    "MTTD",
		Meaning: "mean time to detect: mean over faulty releases of first signal of a guardrail − first bad request",
	}, "noticed", func(r Run) *event.Seconds { return r.Row.MTTD })
}

func (t *Trial) mttr() Measure {
	return t.mean(Measure{
		Name:    "MTTR",
		Meaning: "mean time to recover: mean over rolled-back faulty releases of last bad request − first bad request",
	}, "rolled back", func(r Run) *event.Seconds { return r.Row.MTTR })
}

// mean is over the runs that have the time; runs in which no user was hurt have none and count as
// nothing to detect.
func (t *Trial) mean(m Measure, what string, of func(Run) *event.Seconds) Measure {
	sum, n, hurt := time.Duration(0), 0, 0
	runs := t.conclusive(score.RoleFaulty)
	for _, r := range runs {
		if r.Row.FirstBad != nil {
			hurt++
		}
		if d := of(r); d != nil {
			sum += time.Duration(*d)
			n++
		}
	}
	switch {
	case len(runs) == 0:
		m.Value, m.Detail = Inconclusive, "no faulty release was played to the end"
	case hurt == 0:
		m.Value, m.Detail = Inconclusive, "no user was hurt, so there was no time to measure"
	case n == 0:
		m.Value, m.Detail = "never", fmt.Sprintf("%s in 0 of %d faulty releases that hurt users", what, hurt)
	default:
		m.Value = format.Duration((sum / time.Duration(n)).Round(time.Second))
		m.Detail = fmt.Sprintf("%s in %d of %d faulty releases that hurt users", what, n, hurt)
	}
	return m
}

func (t *Trial) signalQuality() Measure {
	m := Measure{
		Name: "Signal quality",
		Meaning: "1 (worst) to 5 (best): 1 + 4 · share of faulty releases caught · share of healthy releases let " +
			"through, rounded",
	}
	faulty, healthy := t.Card.Faulty, t.Card.Healthy
	if faulty.Of == 0 || healthy.Of == 0 {
		m.Value, m.Detail = Inconclusive, "it takes a faulty and a healthy release that were played to the end"
		return m
	}
	caught := float64(faulty.Count) / float64(faulty.Of)
	through := float64(healthy.Of-healthy.Count) / float64(healthy.Of)
	m.Value = fmt.Sprintf("%.0f of 5", math.Round(1+float64(4*caught*through)))
	m.Detail = fmt.Sprintf("%d of %d faulty releases caught, %d of %d healthy releases let through",
		faulty.Count, faulty.Of,
		healthy.Of-healthy.Count, healthy.Of)
	return m
}

func (t *Trial) blastRadius() Measure {
	m := Measure{
		Name: "Blast radius",
		Meaning: "users with at least one request that the fault or a proxy made bad / users seen, over the " +
			"faulty releases",
	}
	users, hurt := 0, 0
	for _, r := range t.conclusive(score.RoleFaulty) {
		if totals := r.Timeline.Totals; totals != nil {
			users += sumCohorts(totals.Users, all)
			hurt += sumCohorts(totals.Hurt, all)
		}
	}
	if users == 0 {
		m.Value, m.Detail = Inconclusive, "no faulty release was played until its users were counted"
		return m
	}
	m.Value = format.Percent(float64(hurt) / float64(users))
	m.Detail = fmt.Sprintf("%s of %s users hurt", format.Number(hurt), format.Number(users))
	if none := t.Card.Harm.UsersHurtUnguarded; none != nil {
		m.Detail += fmt.Sprintf("; %s without guardrails", format.Number(*none))
	}
	return m
}

func all(string) bool { return true }

func (t *Trial) respected() Measure {
	m := Measure{
		Name: "Guardrails respected",
		Meaning: "yes when in every run the canary was judged by its guardrails: never deleted, starved or held past " +
			"its threshold of failed checks, and what the scenario asks for was proved before canary traffic",
	}
	runs := append(t.conclusive(score.RoleFaulty), t.conclusive(score.RoleHealthy)...)
	if len(runs) == 0 {
		m.Value, m.Detail = Inconclusive, "no run was played to the end"
		return m
	}
	kept := 0
	var breaches []string
	for _, r := range runs {
		if why := t.breach(r); why != "" {
			breaches = append(breaches, r.Row.Run+": "+why)
		} else {
			kept++
		}
	}
	m.Value, m.Detail = "yes", fmt.Sprintf("in %d of %d runs", kept, len(runs))
	if len(breaches) > 0 {
		m.Value = "no"
		m.Detail += "; " + breaches[0]
	}
	return m
}

// breach says how a run evaded its guardrails, "" if it did not.
func (t *Trial) breach(r Run) string {
	switch {
	case r.Row.Verdict == score.Deleted || r.Timeline.Removed.Happened():
		return "the canary was removed"
	case r.Row.Verdict == score.Starved:
		return "the canary was starved"
	case r.Row.Verdict == score.NotReleased:
		return "the rollout never began"
	}
	for _, c := range r.Timeline.Changes {
		if c.After.Threshold > 0 && c.After.FailedChecks > c.After.Threshold {
			return "failed checks went beyond the threshold without a rollback"
		}
	}
	for _, p := range t.Card.Preconditions {
		asked := slices.Contains(t.Scenario.Rubric.Preconditions, p.Name)
		proved := slices.ContainsFunc(p.Events, func(e score.EventRef) bool { return e.Run == r.Row.Run })
		if asked && !proved {
			return p.Name + " was not proved before canary traffic"
		}
	}
	return ""
}
