// Package quiztest checks for tests that the form of questions does not give their answers away.
package quiztest

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"coalmine/lab/format"
	"coalmine/lab/scenario"
)

// Bounds of what the form of options may tell about the right one.
const (
	// mostRatio is how much longer the longest option of a question may be than the shortest, unless
	// they differ by mostDifference characters at most.
	mostRatio      = 1.35
	mostDifference = 6
	// mostChance is how often, as a multiple of chance, the right option may be the only longest, the
	// only shortest, or the only one with a colon, of all questions with such an option.
	mostChance = 1.4
	// Each letter is right as often as by chance, times a factor between these.
	leastLetter, mostLetter = 0.7, 1.3
	// enough is how many right answers by chance make a letter or a mark worth counting.
	enough = 3
	// fewest is how many options a question has that is counted: there is little to guess in two.
	fewest = 3
)

// Name names a question in the errors of a test.
type Name struct {
	Set    string
	Number int
}

// Balance checks that neither the length of an option nor its letter gives the right one away.
func Balance(t *testing.T, questions map[Name]scenario.Question) {
	t.Helper()
	marks := map[string]*share{"longest": {}, "shortest": {}, "only one with a colon": {}}
	letters := map[string]*share{}
	for name, q := range questions {
		if q.Kind != scenario.KindSingle {
			continue
		}
		lengths := lengths(q.Options)
		least, most := slices.Min(lengths), slices.Max(lengths)
		if most-least > mostDifference && float64(most) > mostRatio*float64(least) {
			t.Errorf("%s: the options of question %d have %v characters: their lengths tell them apart", name.Set,
				name.Number, lengths)
		}
		if len(q.Options) < fewest || q.Expression != "" {
			continue
		}
		right := int(q.Answers[0][0] - 'A')
		marks["longest"].mark(lengths, most, right)
		marks["shortest"].mark(lengths, least, right)
		marks["only one with a colon"].mark(colons(q.Options), 1, right)
		for i := range q.Options {
			letter := scenario.Letter(i)
			if letters[letter] == nil {
				letters[letter] = &share{}
			}
			letters[letter].add(i == right, len(q.Options))
		}
	}
	for what, s := range marks {
		if s.chance >= enough && s.right > mostChance*s.chance {
			t.Errorf("the %s option is right in %.0f of %s: guessing it pays", what, s.right,
				format.Plural(s.of, "question"))
		}
	}
	for letter, s := range letters {
		if s.chance >= enough && (s.right < leastLetter*s.chance || s.right > mostLetter*s.chance) {
			t.Errorf("%s is right in %.0f of %s", letter, s.right, format.Plural(s.of, "question"))
		}
	}
}

// share counts how often an option is right, and how often it would be by chance.
type share struct {
	right, chance float64
	of            int
}

func (s *share) add(right bool, options int) {
	s.of++
	s.chance += 1 / float64(options)
	if right {
		s.right++
	}
}

// mark counts a question if one option alone has the mark.
func (s *share) mark(values []int, mark, right int) {
	first := slices.Index(values, mark)
	if first >= 0 && !slices.Contains(values[first+1:], mark) {
		s.add(first == right, len(values))
	}
}

func lengths(options []string) []int {
	var all []int
	for _, o := range options {
		all = append(all, utf8.RuneCountInString(o))
	}
	return all
}

func colons(options []string) []int {
	var all []int
	for _, o := range options {
		all = append(all, min(1, strings.Count(o, ":")))
	}
	return all
}
