package model

import (
	"fmt"
	"slices"

	"coalmine/lab/format"
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/score"
)

// Symbol of an exit code, and its severity.
func Symbol(exit int) (string, narrative.Severity) {
	switch exit {
	case score.ExitPassed:
		return "✓", narrative.Good
	case score.ExitInconclusive, score.ExitLabFailed:
		return "?", narrative.Warning
	}
	return "✗", narrative.Bad
}

// ItemSymbol tells items with all, some and none of their points apart.
func ItemSymbol(i score.Item) (string, narrative.Severity) {
	switch {
	case i.Points >= i.Max:
		return "✓", narrative.Good
	case i.Points > 0:
		return "◐", narrative.Warning
	}
	return "✗", narrative.Bad
}

// Verdict is the result of a trial, in a word and a sentence.
type Verdict struct {
	Sign     string
	Severity narrative.Severity
	// Outcome is one of the score's Outcome constants.
	Outcome, Reason string
}

// Verdict of the trial, as its card has it.
func (t *Trial) Verdict() Verdict {
	v := Verdict{Outcome: t.Card.Outcome, Reason: t.Card.Reason}
	v.Sign, v.Severity = Symbol(t.Card.Exit)
	return v
}

// HarmedCohorts are the cohorts that were hurt, or would have been without guardrails.
func HarmedCohorts(c score.Card) []score.CohortHarm {
	return slices.DeleteFunc(slices.Clone(c.Harm.Cohorts), func(h score.CohortHarm) bool {
		return h.Harm == 0 && (h.Unguarded == nil || *h.Unguarded == 0)
	})
}

// CohortText formats a cohort's row: unguarded harm, the share that got through, users hurt.
func CohortText(h score.CohortHarm) (none, through, users string) {
	none, through, users = format.Missing, format.Missing, format.Missing
	if h.Unguarded != nil {
		none = format.Number(*h.Unguarded)
	}
	if h.HarmRatio != nil {
		through = format.Percent(*h.HarmRatio)
	}
	if h.Users > 0 {
		users = format.Number(h.Hurt)
	}
	return none, through, users
}

// CauseText says who caused the harm.
func CauseText(c score.Card) string {
	h := c.Harm
	if h.Learner == 0 && h.Healthy == 0 {
		return ""
	}
	s := fmt.Sprintf("%s caused by the release, %s caused by your guardrails",
		format.Number(h.ByRelease), format.Number(h.ByGuardrails))
	if h.Healthy > 0 {
		s += fmt.Sprintf(", %s caused by your guardrails while the healthy version was released",
			format.Number(h.Healthy))
	}
	return s
}

// LimitText says why a card has fewer points than its items, "" if it has not.
func LimitText(c score.Card) string {
	if !c.Limited {
		return ""
	}
	if c.Outcome == score.OutcomeUnconfirmed {
		return fmt.Sprintf("Too few check seeds passed, so no more than half of the %d points count.", c.MaxPoints)
	}
	return fmt.Sprintf("An essential item is missing, so no more than half of the %d points count.", c.MaxPoints)
}

// ItemTitle is an item's title, marked if the item is essential.
func ItemTitle(i score.Item) string {
	if i.Essential {
		return i.Title + " (essential)"
	}
	return i.Title
}

// HarmNotes explain the harm that the learner's is compared with.
func HarmNotes(c score.Card) []string {
	var notes []string
	h := c.Harm
	if h.Reference != nil {
		notes = append(notes, "reference: the scenario's own solution, skill 1.00; the unguarded runs have 0.00")
	}
	if h.Bound != nil {
		notes = append(notes, "ideal alarm: your steps, rolled back 20 s after the requests showed it")
	}
	return append(notes, CrossNotes(c)...)
}

// CrossNotes explain harm that is out of the usual order, which is an ideal alarm, the reference,
// yours, unguarded, and bars of yours that do not count.
func CrossNotes(c score.Card) []string {
	var notes []string
	h := c.Harm
	if h.Reference != nil && h.Bound != nil && *h.Reference < *h.Bound {
		notes = append(notes, "the reference is below the ideal alarm, as its steps expose fewer users than yours "+
			"before anything shows")
	}
	if h.Unguarded != nil && h.Learner > *h.Unguarded {
		notes = append(notes, "yours is above unguarded: with your guardrails more requests were bad than without any")
	}
	if h.Avoided != nil && c.Healthy.Count > 0 {
		notes = append(notes, "where the healthy release was not delivered, no harm is avoided: the unguarded harm "+
			"of that seed counts")
	}
	return notes
}

// AvoidedText says how much harm the guardrails avoided.
func AvoidedText(c score.Card) string {
	h := c.Harm
	if h.Avoided == nil {
		return ""
	}
	s := "harm avoided " + format.Percent(*h.Avoided)
	if h.Low != nil && h.High != nil {
		s += fmt.Sprintf(" (95 %% interval %s to %s)", format.Percent(*h.Low), format.Percent(*h.High))
	}
	if c.Skill != nil {
		s += fmt.Sprintf(" · skill %.2f", *c.Skill)
	}
	return s
}

// UsersHurtText counts users hurt and false alarms.
func UsersHurtText(c score.Card) string {
	h := c.Harm
	s := "users hurt " + format.Number(h.UsersHurt)
	if h.UsersHurtUnguarded != nil {
		s += fmt.Sprintf(" of %s without guardrails", format.Number(*h.UsersHurtUnguarded))
	}
	if c.Healthy.Of > 0 {
		s += fmt.Sprintf(" · healthy releases not delivered %d of %d (95 %% interval %s to %s)",
			c.Healthy.Count, c.Healthy.Of, format.Percent(c.Healthy.Low), format.Percent(c.Healthy.High))
	}
	return s
}

// HarmText is both in one line.
func HarmText(c score.Card) string {
	if s := AvoidedText(c); s != "" {
		return s + " · " + UsersHurtText(c)
	}
	return UsersHurtText(c)
}
