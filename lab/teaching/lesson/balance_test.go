package lesson_test

import (
	"testing"

	"coalmine/lab/scenario"
	"coalmine/lab/teaching/lesson"
	"coalmine/lab/teaching/quiz/quiztest"
	"coalmine/scenarios/lessons"
)

// TestBalance checks over the course that neither the length of an option nor its letter gives the
// right one away: as the lessons are written, and in the order of several seeds.
func TestBalance(t *testing.T) {
	c, err := lesson.Load(lessons.Course())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("as written", func(t *testing.T) {
		all := map[quiztest.Name]scenario.Question{}
		for _, l := range c.Lessons {
			collect(all, l)
		}
		quiztest.Balance(t, all)
	})
	for seed := range uint64(10) {
		all := map[quiztest.Name]scenario.Question{}
		for _, name := range c.Names() {
			// A lesson that asks about runs of others is opened, too, with an error.
			s, err := lesson.Open(c, name, lesson.Options{Root: t.TempDir(), Seed: seed})
			if s == nil {
				t.Fatal(err)
			}
			collect(all, s.Lesson)
		}
		quiztest.Balance(t, all)
	}
}

func collect(all map[quiztest.Name]scenario.Question, l *lesson.Lesson) {
	n := 0
	for _, s := range l.Steps {
		for _, list := range [][]lesson.Question{s.Predict, s.Ask} {
			for _, q := range list {
				n++
				all[quiztest.Name{Set: l.Name, Number: n}] = q.Question
			}
		}
	}
}
