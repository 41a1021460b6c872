package lesson

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"coalmine/lab/scenario"
)

// lookBack waits for the learner. If the learner wants to read again what came before, it shows the
// step at and waits again, the next time with the step before that.
func (s *Session) lookBack(at int, wait func() error) error {
	for ; ; at-- {
		if err := wait(); !errors.Is(err, ErrBack) {
			return err
		}
		if err := s.Review(at); err != nil {
			return err
		}
	}
}

// Review shows a step again, as far as the learner is in it.
func (s *Session) Review(at int) error {
	if at < 0 {
		s.UI.Show("There is nothing before the first step.")
		return nil
	}
	step := &s.Lesson.Steps[at]
	if err := s.introduce(at); err != nil {
		return err
	}
	if s.compared(step) {
		for i := range step.Predict {
			if err := s.showQuestion(&step.Predict[i], "Predicted: "); err != nil {
				return err
			}
		}
		if err := s.compare(step); err != nil {
			return err
		}
	}
	for i := range step.Ask {
		q := &step.Ask[i]
		if !s.given(step, q) {
			continue
		}
		if err := s.showQuestion(q, ""); err != nil {
			return err
		}
		a := s.judge(step, q, false)
		s.UI.Show(a.text())
	}
	return nil
}

// given reports whether a question of a step was answered.
func (s *Session) given(step *Step, q *Question) bool {
	return s.State.Given[step.Name+"."+q.Name] != ""
}

// compared reports whether the predictions of a step were made and its plays played.
func (s *Session) compared(step *Step) bool {
	for i := range step.Predict {
		if !s.given(step, &step.Predict[i]) {
			return false
		}
	}
	return !slices.ContainsFunc(step.Play, func(p Play) bool { return s.State.Plays[p.Name] == "" })
}

// showQuestion shows a question with its options.
func (s *Session) showQuestion(q *Question, before string) error {
	ask, err := fill(q.Question.Question, s.value)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(before + strings.TrimSpace(ask) + "\n")
	for i, o := range q.Options {
		fmt.Fprintf(&b, "\n- **%s** %s", scenario.Letter(i), o)
	}
	s.UI.Show(b.String())
	return nil
}
