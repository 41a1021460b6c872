package dossier

import (
	"fmt"
	"slices"
	"strings"

	"coalmine/lab/report/words"
	"coalmine/lab/score"
	"coalmine/lab/timeline/story"
)

// Sign of an exit code, and the tone it has.
func Sign(exit int) (string, story.Tone) {
	switch exit {
	case score.ExitPassed:
		return "✓", story.Good
	case score.ExitInconclusive, score.ExitLabFailed:
		return "?", story.Warn
	}
	return "✗", story.Bad
}

// ItemSign tells items that were won, lost, and won in part.
func ItemSign(i score.Item) (string, story.Tone) {
	switch {
	case i.Points >= i.Max:
		return "✓", story.Good
	case i.Points > 0:
		return "◐", story.Warn
	}
	return "✗", story.Bad
}

// VerdictWords writes a verdict for people.
func VerdictWords(v score.Verdict) string { return strings.ReplaceAll(string(v), "-", " ") }

// Verdict is what a trial came to, in a word and a sentence.
type Verdict struct {
	Sign          string
	Tone          story.Tone
	Words, Reason string
}

// Verdict of the trial: the run's own where there is only one.
func (t *Trial) Verdict() Verdict {
	c := t.Card
	v := Verdict{Words: c.Outcome, Reason: c.Reason}
	exit := c.Exit
	if t.Single != nil && len(c.Runs) == 1 {
		r := c.Runs[0]
		v.Words, v.Reason, exit = VerdictWords(r.Verdict), r.Reason, r.Verdict.Exit()
	}
	v.Sign, v.Tone = Sign(exit)
	return v
}

// Harmed are the cohorts that were hurt, or would have been without guardrail.
func Harmed(c score.Card) []score.CohortHarm {
	return slices.DeleteFunc(slices.Clone(c.Harm.Cohorts), func(h score.CohortHarm) bool {
		return h.Harm == 0 && (h.None == nil || *h.None == 0)
	})
}

// CohortWords writes a cohort's part: harm without guardrail, the share that got through, users hurt.
func CohortWords(h score.CohortHarm) (none, through, users string) {
	none, through, users = words.None, words.None, words.None
	if h.None != nil {
		none = words.Number(*h.None)
	}
	if h.Left != nil {
		through = words.Percent(*h.Left)
	}
	if h.Users > 0 {
		users = words.Number(h.Hurt)
	}
	return none, through, users
}

// Spared says how much harm the guardrails kept away.
func Spared(c score.Card) string {
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

// Hurt counts people and false alarms.
func Hurt(c score.Card) string {
	h := c.Harm
	s := "users hurt " + words.Number(h.UsersHurt)
	if h.UsersHurtNone != nil {
		s += fmt.Sprintf(" of %s without guardrail", words.Number(*h.UsersHurtNone))
	}
	if c.Healthy.Of > 0 {
		s += fmt.Sprintf(" · healthy releases held up %d of %d (95 %% interval %s to %s)",
			c.Healthy.Count, c.Healthy.Of, words.Percent(c.Healthy.Low), words.Percent(c.Healthy.High))
	}
	return s
}

// HarmWords is both in one line.
func HarmWords(c score.Card) string {
	if s := Spared(c); s != "" {
		return s + " · " + Hurt(c)
	}
	return Hurt(c)
}
