package quiz_test

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/quiz"
	"coalmine/lab/scenario"
	"coalmine/scenarios"
)

// library returns all quizzes of the library by scenario.
func library(t *testing.T) map[string]*scenario.Quiz {
	t.Helper()
	names, err := scenario.Names(scenarios.Library())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*scenario.Quiz{}
	for _, name := range names {
		f, err := scenario.Open(scenarios.Library(), name)
		if err != nil {
			t.Fatal(err)
		}
		q, err := f.Quiz()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		all[name] = q
	}
	return all
}

func answer(q scenario.Question) string { return q.Options[q.Answer[0]-'A'] }

// TestShuffle checks that shuffled questions are the same ones, that no letter is right much more often
// than another, and that a seed decides.
func TestShuffle(t *testing.T) {
	for name, q := range library(t) {
		orders := map[string]bool{}
		for seed := range uint64(40) {
			got := quiz.Shuffle(q, seed)
			letters := map[string]int{}
			order := ""
			for i, question := range got.Questions {
				letters[question.Answer]++
				order += strings.Join(question.Options, "|")
				want := q.Questions[i]
				if answer(question) != answer(want) || question.Question != want.Question {
					t.Fatalf("%s, seed %d: question %d has another answer", name, seed, i+1)
				}
				a, b := slices.Sorted(slices.Values(question.Options)), slices.Sorted(slices.Values(want.Options))
				if !slices.Equal(a, b) {
					t.Fatalf("%s, seed %d: question %d has other options", name, seed, i+1)
				}
			}
			for letter, n := range letters {
				if most := (len(got.Questions) + 2) / 3; n > most {
					t.Errorf("%s, seed %d: %s is right %d times of %d", name, seed, letter, n, len(got.Questions))
				}
			}
			if diff := cmp.Diff(got, quiz.Shuffle(q, seed)); diff != "" {
				t.Errorf("%s, seed %d is not repeated: %s", name, seed, diff)
			}
			orders[order] = true
		}
		if len(orders) < 30 {
			t.Errorf("%s: 40 seeds give %d orders", name, len(orders))
		}
	}
}

var two = &scenario.Quiz{Questions: []scenario.Question{
	{Question: "Which?", Options: []string{"One {x}.", "Two: ~ = #"}, Answer: "B", Why: "Because {of} it."},
	{Question: "Why?", Options: []string{"a", "b", "c"}, Answer: "A", Why: "So."},
}}

func TestGrade(t *testing.T) {
	for text, want := range map[string]int{
		"B\nA\n":               2,
		"# mine\n\n2. a\n1) b": 2,
		"1: two: ~ = #":        1,
		"2: C":                 0,
		"":                     0,
		"1: One  {x}\n2:  A":   1,
		"two:  ~ = #\n  a  ":   2,
	} {
		answers, err := quiz.ParseAnswers("answers", text, two)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if r := quiz.Grade(two, answers); r.Right != want || r.Of != 2 {
			t.Errorf("%q: %d of %d right, want %d", text, r.Right, r.Of, want)
		}
	}
	for text, want := range map[string]string{
		"3: A":         "answers:1: there is no question 3",
		"A\nB\nC":      "answers:3: there is no question 3",
		"\n1: A\n1: B": "answers:3: question 1 is answered a second time",
	} {
		if _, err := quiz.ParseAnswers("answers", text, two); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestExport(t *testing.T) {
	for format, want := range map[string]string{
		quiz.FormatText: "1. Which?\n   A. One {x}.\n   B. Two: ~ = #\n\n2. Why?\n   A. a\n   B. b\n   C. c\n\n",
		quiz.FormatGIFT: `$CATEGORY: coalmine/A quiz

::A quiz 1:: Which? {
	~One \{x\}.
	=Two\: \~ \= \#
	####Because \{of\} it.
}

::A quiz 2:: Why? {
	=a
	~b
	~c
	####So.
}

`,
		quiz.FormatText2QTI: "Quiz title: A quiz\n\n1. Which?\n... Because {of} it.\na) One {x}.\n*b) Two: ~ = #\n\n" +
			"2. Why?\n... So.\n*a) a\nb) b\nc) c\n\n",
		quiz.FormatMarkdown: "# Quiz: A quiz\n\n1. Which?\n   A. One {x}.\n   B. Two: ~ = #\n\n2. Why?\n   A. a\n" +
			"   B. b\n   C. c\n\n## Answer key\n\n1. B. Because {of} it.\n2. A. So.\n",
	} {
		var b bytes.Buffer
		if err := quiz.Export(&b, format, "A quiz", two); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("%s:\n%s", format, diff)
		}
	}
	if err := quiz.Export(&bytes.Buffer{}, "qti", "A quiz", two); err == nil {
		t.Error("an unknown format is accepted")
	}
}
