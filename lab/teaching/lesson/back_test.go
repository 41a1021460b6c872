package lesson_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"coalmine/lab/teaching/lesson"
)

// typist answers prompts with lines, and keeps what is shown. The line back asks for what came before.
type typist struct {
	lines []string
	shown []string
}

func (u *typist) Show(text string) { u.shown = append(u.shown, text) }

func (u *typist) Ask(string, string) (string, error) { return u.line() }

func (u *typist) Pause(string) error {
	_, err := u.line()
	return err
}

func (u *typist) Work(lesson.Task) error { return u.Pause("") }

func (u *typist) line() (string, error) {
	if len(u.lines) == 0 {
		return "", lesson.ErrStop
	}
	line := u.lines[0]
	u.lines = u.lines[1:]
	if line == "back" {
		return "", lesson.ErrBack
	}
	return line, nil
}

func twoSteps(t *testing.T) *lesson.Course {
	t.Helper()
	c, err := lesson.Load(fstest.MapFS{
		"course.yaml": {Data: []byte("title: C\nlessons: [only]\n")},
		"only/lesson.yaml": {Data: []byte(`
title: T
summary: S
minutes: 1
steps:
- {name: one, title: One, text: first text, ask: [{name: q, question: how many, kind: number, unit: s, answer: 646, tolerance: 30%, why: W}]}
- {name: two, title: Two, text: second text, ask: [{name: q, question: which, options: [x, y], answer: B, why: W}]}
`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestBack checks that a learner can read again what came before, with the answers, at every prompt,
// and that the lesson goes on where it was.
func TestBack(t *testing.T) {
	s, err := lesson.Open(twoSteps(t), "only", lesson.Options{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ui := &typist{lines: []string{"back", "100", "back", "back", "", "back", "back", "back", "y"}}
	s.UI = ui
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(ui.shown, "\n")
	// A text is shown as it comes, and by each look back; a question again below what was looked at.
	for text, want := range map[string]int{
		"first text":  4,
		"second text": 2,
		"You said **100 s**; right is **646 s ± 30 % (10 min 46 s)**": 3,
		"There is nothing before the first":                           2,
		"how many\n":                                                  4,
		"which\n":                                                     4,
	} {
		if n := strings.Count(got, text); n != want {
			t.Errorf("%q is shown %d times, want %d:\n%s", text, n, want, got)
		}
	}
	if s.State.Given["one.q"] != "100" || s.State.Given["two.q"] != "y" || !s.State.Complete {
		t.Errorf("the state is %+v", s.State)
	}
}
