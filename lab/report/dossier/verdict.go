package dossier

import (
	"fmt"
	"slices"
	"strings"

	"coalmine/lab/report/words"
	"coalmine/lab/score"
	"coalmine/lab/timeline/story"
)

// Symbol of an exit code, and the tone it has.
func Symbol(exit int) (string, story.Severity) {
	switch exit {
	case score.ExitPassed:
		return "✓", story.Good
	case score.ExitInconclusive, score.ExitLabFailed:
		return "?", story.Warning
	}
	return "✗", story.Bad
}

// ItemSymbol tells items that were won, lost, and won in part.
func ItemSymbol(i score.Item) (string, story.Severity) {
	switch {
	case i.Points >= i.Max:
		return "✓", story.Good
	case i.Points > 0:
		return "◐", story.Warning
	}
	return "✗", story.Bad
}

// VerdictText writes a verdict for people.
func VerdictText(v score.Verdict) string { return strings.ReplaceAll(string(v), "-", " ") }

// Verdict is what a trial came to, in a word and a sentence.
type Verdict struct {
	Sign          string
	Tone          story.Severity
	Words, Reason string
}

// Verdict of the trial: the run's own where there is only one.
func (t *Trial) Verdict() Verdict {
	c := t.Card
	v := Verdict{Words: c.Outcome, Reason: c.Reason}
	exit := c.Exit
	if t.Single != nil && len(c.Runs) == 1 {
		r := c.Runs[0]
		v.Words, v.Reason, exit = VerdictText(r.Verdict), r.Reason, r.Verdict.Exit()
	}
	v.Sign, v.Tone = Symbol(exit)
	return v
}

// HarmedCohorts are the cohorts that were hurt, or would have been without guardrail.
func HarmedCohorts(c score.Card) []score.CohortHarm {
	return slices.DeleteFunc(slices.Clone(c.Harm.Cohorts), func(h score.CohortHarm) bool {
		return h.Harm == 0 && (h.Unguarded == nil || *h.Unguarded == 0)
	})
}

// CohortText writes a cohort's part: harm without guardrail, the share that got through, users hurt.
func CohortText(h score.CohortHarm) (none, through, users string) {
	none, through, users = words.None, words.None, words.None
	if h.Unguarded != nil {
		none = words.Number(*h.Unguarded)
	}
	if h.HarmRatio != nil {
		through = words.Percent(*h.HarmRatio)
	}
	if h.Users > 0 {
		users = words.Number(h.Hurt)
	}
	return none, through, users
}

// AvoidedText says how much harm the guardrails kept away.
func AvoidedText(c score.Card) string {
	h := c.Harm
	if h.Avoided == nil {
		return ""
	}
	s := "harm avoided " + words.Percent(*h.Avoided)
	if h.Low != nil && h.High != nil {
		s += fmt.Sprintf(" (95 %% interval %s to %s)", words.Percent(*h.Low), words.Percent(*h.High))
	}
	if c.Skill != nil {
		s += fmt.Sprintf(" · skill %.2f", *c.Skill)
	}
	return s
}

// UsersHurtText counts people and false alarms.
func UsersHurtText(c score.Card) string {
	h := c.Harm
	s := "users hurt " + words.Number(h.UsersHurt)
	if h.UsersHurtUnguarded != nil {
		s += fmt.Sprintf(" of %s without guardrail", words.Number(*h.UsersHurtUnguarded))
	}
	if c.Healthy.Of > 0 {
		s += fmt.Sprintf(" · healthy releases held up %d of %d (95 %% interval %s to %s)",
			c.Healthy.Count, c.Healthy.Of, words.Percent(c.Healthy.Low), words.Percent(c.Healthy.High))
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
