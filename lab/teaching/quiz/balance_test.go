package quiz_test

import (
	"slices"
	"testing"
	"unicode/utf8"

	"coalmine/lab/scenario"
)

// Bounds of what the form of options may tell about the right one. Chance is 25 % for four options.
const (
	// mostRatio is how much longer the longest option of a question may be than the shortest, unless
	// they differ by mostDifference characters at most.
	mostRatio      = 1.35
	mostDifference = 6
	// mostShare is how often over the library the right option may be the only longest, the only
	// shortest, or the only one with a colon, of all questions with such an option.
	mostShare = 0.35
	// Each letter of four is right in a share of the questions between these.
	leastLetter, mostLetter = 0.18, 0.32
)

// TestBalance checks over the whole library that neither the length of an option nor its letter tells
// whether it is right.
func TestBalance(t *testing.T) {
	var longest, shortest, colon share
	letters, questions := map[string]int{}, 0
	for name, q := range library(t) {
		for i, x := range q.Questions {
			if x.Kind != scenario.KindSingle {
				continue
			}
			var lengths []int
			for _, o := range x.Options {
				lengths = append(lengths, utf8.RuneCountInString(o))
			}
			least, most := slices.Min(lengths), slices.Max(lengths)
			if most-least > mostDifference && float64(most) > mostRatio*float64(least) {
				t.Errorf("%s: the options of question %d have %v characters: their lengths tell them apart", name, i+1,
					lengths)
			}
			if len(x.Options) != 4 || x.Expression != "" {
				continue
			}
			questions++
			letters[x.Answers[0]]++
			right := int(x.Answers[0][0] - 'A')
			longest.count(lengths, most, right)
			shortest.count(lengths, least, right)
			colon.count(colons(x.Options), 1, right)
		}
	}
	for what, s := range map[string]share{"longest": longest, "shortest": shortest, "only one with a colon": colon} {
		if s.of > 10 && float64(s.n) > mostShare*float64(s.of) {
			t.Errorf("the %s option is right in %d of %d questions: guessing it pays", what, s.n, s.of)
		}
	}
	for _, letter := range []string{"A", "B", "C", "D"} {
		if p := float64(letters[letter]) / float64(questions); p < leastLetter || p > mostLetter {
			t.Errorf("%s is right in %d of %d questions", letter, letters[letter], questions)
		}
	}
	t.Logf("%d questions; longest %+v, shortest %+v, colon %+v, letters %v", questions, longest, shortest, colon,
		letters)
}

// share counts how often an option with a mark that no other has is right.
type share struct{ n, of int }

func (s *share) count(values []int, mark, right int) {
	first := slices.Index(values, mark)
	if first < 0 || slices.Contains(values[first+1:], mark) {
		return
	}
	s.of++
	if first == right {
		s.n++
	}
}

func colons(options []string) []int {
	var all []int
	for _, o := range options {
		has := 0
		if slices.Contains([]rune(o), ':') {
			has = 1
		}
		all = append(all, has)
	}
	return all
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
