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
		s += fmt.Sprintf(" · healthy releases held up %d of %d (95 %% interval %s to %s)",
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
