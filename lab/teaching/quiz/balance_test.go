package quiz_test

import (
	"slices"
	"testing"

	"coalmine/lab/scenario"
	"coalmine/lab/teaching/quiz/quiztest"
)

// TestBalance checks over the whole library that neither the length of an option nor its letter tells
// whether it is right.
func TestBalance(t *testing.T) {
	all := map[quiztest.Name]scenario.Question{}
	for name, q := range library(t) {
		for i, x := range q.Questions {
			all[quiztest.Name{Set: name, Number: i + 1}] = x
		}
	}
	quiztest.Balance(t, all)
}

// TestLibraryAsksAboutRuns checks that each scenario asks for a number, or about the learner's own run.
func TestLibraryAsksAboutRuns(t *testing.T) {
	for name, q := range library(t) {
		if !slices.ContainsFunc(q.Questions, func(x scenario.Question) bool {
			return x.Kind == scenario.KindNumber || x.Expression != ""
		}) {
			t.Errorf("%s asks for letters only", name)
		}
	}
}
