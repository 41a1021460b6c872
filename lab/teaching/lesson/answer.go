package lesson

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"coalmine/lab/format"
	"coalmine/lab/scenario"
	"coalmine/lab/teaching/quiz"
)

// questions lists the lesson's questions in the order in which they are asked.
func (l *Lesson) questions() []*Question {
	var all []*Question
	for i := range l.Steps {
		s := &l.Steps[i]
		for _, list := range [][]Question{s.Predict, s.Ask} {
			for j := range list {
				all = append(all, &list[j])
			}
		}
	}
	return all
}

// shuffled is a lesson with the options of its questions in an order that the seed decides. All
// lessons are shuffled as one quiz, so that over the course each letter is right about equally often.
func (c *Course) shuffled(name string, seed uint64) *Lesson {
	var all scenario.Quiz
	var shuffled *Lesson
	first := 0
	for _, l := range c.Lessons {
		if l.Name == name {
			shuffled, first = l.clone(), len(all.Questions)
		}
		for _, q := range l.questions() {
			all.Questions = append(all.Questions, q.Question)
		}
	}
	ordered := quiz.Shuffle(&all, seed).Questions
	for i, q := range shuffled.questions() {
		q.Question = ordered[first+i]
	}
	return shuffled
}

// clone returns a lesson whose questions can be changed.
func (l *Lesson) clone() *Lesson {
	c := *l
	c.Steps = slices.Clone(l.Steps)
	for i := range c.Steps {
		s := &c.Steps[i]
		s.Predict, s.Ask = slices.Clone(s.Predict), slices.Clone(s.Ask)
	}
	return &c
}

// Answered is an answer with what came of it.
type Answered struct {
	Step, Question, Ask, Given string
	// Came is what the run says, or the right answer; Why explains it.
	Came, Why string
	// Open says why the answer could not be graded, "" if it could.
	Open string
	// Predicted is set for predictions, which were made before the run.
	Predicted bool
	Right     bool
	// unit is that of the question.
	unit string
}

// text sets the answer beside what the run says, and explains it, as Markdown. What could not be
// compared is not explained: the explanation is about another outcome.
func (a *Answered) text() string {
	if a.Open != "" {
		return a.line()
	}
	return strings.TrimSpace(a.line() + " " + a.Why)
}

// line sets the answer beside what the run says, as Markdown.
func (a *Answered) line() string {
	what := "You said"
	if a.Predicted {
		what = "You predicted"
	}
	what += " **" + format.Clean(withUnit(a.Given, a.unit)) + "**"
	switch {
	case a.Open != "":
		return fmt.Sprintf("– %s; it cannot be compared: %s.", what, a.Open)
	case a.Right && a.Given == a.Came:
		return fmt.Sprintf("✓ %s, and so it is.", what)
	case a.Right:
		return fmt.Sprintf("✓ %s; right is **%s**.", what, a.Came)
	}
	return fmt.Sprintf("✗ %s; right is **%s**.", what, a.Came)
}

// withUnit adds the unit to a number that was given without one.
func withUnit(given, unit string) string {
	if unit == "" || given == "" || !unicode.IsDigit(rune(given[len(given)-1])) || strings.Contains(given, ":") {
		return given
	}
	return given + " " + unit
}

// count counts the right answers of those that could be graded.
func count(all []Answered, keep func(Answered) bool) (right, of int) {
	for _, a := range all {
		if a.Open == "" && keep(a) {
			of++
			if a.Right {
				right++
			}
		}
	}
	return right, of
}
