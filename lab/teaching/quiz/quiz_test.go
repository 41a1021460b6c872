package quiz_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"coalmine/lab/scenario"
	"coalmine/lab/scenario/quizexpr"
	"coalmine/lab/teaching/quiz"
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

func answer(q scenario.Question) string {
	var all []string
	for i, o := range q.Options {
		if q.IsRight(i) {
			all = append(all, o)
		}
	}
	slices.Sort(all)
	return strings.Join(all, "|")
}

// TestShuffle checks that shuffled questions are the same ones, that no letter is right much more often
// than another, and that a seed decides.
func TestShuffle(t *testing.T) {
	for name, q := range library(t) {
		orders := map[string]bool{}
		for seed := range uint64(40) {
			got := quiz.Shuffle(q, seed)
			letters, single := map[string]int{}, 0
			order := ""
			for i, question := range got.Questions {
				if question.Kind == scenario.KindSingle && question.Expression == "" {
					letters[question.Answers[0]]++
					single++
				}
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
				if most := (single + 2) / 3; n > most {
					t.Errorf("%s, seed %d: %s is right %d times of %d", name, seed, letter, n, single)
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

// kinds has a question of each kind.
func kinds() *scenario.Quiz {
	return &scenario.Quiz{Questions: []scenario.Question{
		{Kind: scenario.KindSingle, Question: "Which?", Options: []string{"One {x}.", "Two: ~ = #"},
			Answers: []string{"B"}, Why: "Because {of} it."},
		{Kind: scenario.KindMultiple, Question: "Which two?", Options: []string{"a", "b", "c"},
			Answers: []string{"A", "C"}, Why: "So."},
		{Kind: scenario.KindNumber, Question: "How many?", Value: 12, Tolerance: 0.05, Relative: true,
			Unit: "requests a second", Why: "So."},
		{Kind: scenario.KindText, Question: "What first?", Answers: []string{"abort", "roll back"}, Why: "So."},
		{Kind: scenario.KindNumber, Question: "At which weight?", Expression: "run.weight_at_abort",
			When: "run.rolled_back", Tolerance: 1, Unit: "%", At: scenario.CheckpointPredict, Gate: true, Why: "So."},
		{Kind: scenario.KindSingle, Question: "Who was hurt most?", Options: []string{"free", "premium"},
			Expression: "run.cohorts[0].name", Why: "So."},
		{Kind: scenario.KindText, Question: "Who was hurt?", Expression: "run.cohorts.map(c, c.name)", Why: "So.",
			At: scenario.CheckpointVerdict},
	}}
}

func rolledBack() *quizexpr.Facts {
	return &quizexpr.Facts{Run: quizexpr.Run{Played: true, RolledBack: true, WeightAtAbort: 25,
		Cohorts: []quizexpr.Group{{Name: "premium", Harm: 9}, {Name: "free"}}}}
}

func TestGrade(t *testing.T) {
	q := kinds()
	for text, want := range map[string]int{
		"B\nA C\n12.5\nabort\n25\nB\nfree":            7,
		"# mine\n\n2. a; c\n1) two: ~ = #":            2,
		"2: ca":                                       1,
		"2: A, B, C\n3: 12.7 requests\n4: aborts":     0,
		"3: 11,4 requests a second\n4:  Roll-back.":   2,
		"1: C\n2: A\n5: 26 %\n6: Premium\n7: PREMIUM": 3,
		"5: 25 percent\n6: A\n7: nobody":              0,
		"":                                            0,
	} {
		answers, err := quiz.ParseAnswers("answers", text, len(q.Questions))
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		r := quiz.Grade(quiz.Resolve(q, rolledBack()), answers)
		if r.Right != want || r.Of != 7 || r.Open != 0 {
			t.Errorf("%q: %d of %d right, want %d", text, r.Right, r.Of, want)
		}
	}
	for text, want := range map[string]string{
		"8: A":         "answers:1: there is no question 8",
		"A\n7: B\nC":   "answers:3: there is no question 8",
		"\n1: A\n1: B": "answers:3: question 1 is answered a second time",
	} {
		if _, err := quiz.ParseAnswers("answers", text, len(q.Questions)); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
	if got, err := quiz.ParseAnswers("answers", "2.5\n1.5 s", 3); err != nil || got[0] != "2.5" || got[1] != "1.5 s" {
		t.Errorf("decimals are %q, error %v", got, err)
	}
}

// TestOpen checks that a question whose answer is not known counts neither for nor against.
func TestOpen(t *testing.T) {
	stuck, other := rolledBack(), rolledBack()
	stuck.Run.RolledBack = false
	other.Run.Cohorts = other.Run.Cohorts[:0]
	for name, test := range map[string]struct {
		facts *quizexpr.Facts
		open  []string
	}{
		"no run":         {nil, []string{"", "", "", "", "your own run", "your own run", "your own run"}},
		"not played":     {&quizexpr.Facts{}, []string{"", "", "", "", "not played", "not played", "not played"}},
		"no rollback":    {stuck, []string{"", "", "", "", "does not apply", "", ""}},
		"without anyone": {other, []string{"", "", "", "", "", "index out of bounds", "gives no text"}},
	} {
		all := quiz.Resolve(kinds(), test.facts)
		r := quiz.Grade(all, []string{"B"})
		open := 0
		for i, a := range r.Questions {
			if test.open[i] != "" {
				open++
			}
			if (a.Open == "") != (test.open[i] == "") || !strings.Contains(a.Open, test.open[i]) {
				t.Errorf("%s: question %d is open: %q, want %q", name, i+1, a.Open, test.open[i])
			}
		}
		if r.Right != 1 || r.Open != open || r.Of != 7-open || r.Held != 1 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestParseNumber(t *testing.T) {
	for text, want := range map[string]float64{"25": 25, " 25 % ": 25, "25%": 25, "-3": -3, "−3": -3, "1 234": 1234,
		"1\u202f234": 1234, "1,234": 1234, "0,125": 0.125, "1,5": 1.5, "1,234.5": 1234.5, "7.": 7} {
		if got, ok := quiz.ParseNumber(text, "% of the traffic"); !ok || got != want {
			t.Errorf("%q is %v, %v, want %v", text, got, ok, want)
		}
	}
	for text, want := range map[string]float64{"1m30s": 90, "1 min 30 s": 90, "01:30": 90, "90 s": 90, "90": 90,
		"1.5m": 90} {
		if got, ok := quiz.ParseNumber(text, "s"); !ok || got != want {
			t.Errorf("%q is %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "many", "25 apples", "1e400", "1.2.3", "12:5", "inf", "0x10", "2 or 3"} {
		if got, ok := quiz.ParseNumber(text, "%"); ok {
			t.Errorf("%q is the number %v", text, got)
		}
	}
}

func TestExport(t *testing.T) {
	for format, open := range map[string]bool{quiz.FormatText: true, quiz.FormatMarkdown: true, quiz.FormatGIFT: false,
		quiz.FormatText2QTI: false, quiz.FormatYAML: true} {
		facts := rolledBack()
		if open {
			facts = nil
		}
		var b bytes.Buffer
		if err := quiz.Export(&b, format, "A quiz", quiz.Resolve(kinds(), facts)); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join("testdata", "kinds."+format)
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("%s:\n%s", format, diff)
		}
	}
	if err := quiz.Export(&bytes.Buffer{}, "xls", "A quiz", nil); err == nil {
		t.Error("an unknown format is accepted")
	}
	small := &scenario.Quiz{Questions: []scenario.Question{{Kind: scenario.KindNumber, Question: "x", Value: 1e-5}}}
	if err := quiz.Export(&bytes.Buffer{}, quiz.FormatQTI, "A quiz", quiz.Resolve(small, nil)); err == nil ||
		!strings.Contains(err.Error(), "question 1: Canvas cannot compare") {
		t.Errorf("a number that Canvas cannot compare: error %v", err)
	}
}

// TestRead checks the form in which answers are kept, whatever the order of the options.
func TestRead(t *testing.T) {
	single := quiz.Asked{Question: scenario.Question{Kind: scenario.KindSingle, Options: []string{"roll back", "5%"}}}
	multiple := single
	multiple.Kind = scenario.KindMultiple
	number := quiz.Asked{Question: scenario.Question{Kind: scenario.KindNumber, Unit: "s"}}
	for _, c := range []struct {
		asked            quiz.Asked
		given, want, err string
	}{
		{single, "b", "5%", ""},
		{single, "Roll back.", "roll back", ""},
		{single, "C", "", "write A to B"},
		{single, "AB", "", "write A to B"},
		{single, " ", "", "write A to B"},
		{multiple, "B, A", "roll back; 5%", ""},
		{multiple, "roll back; 5%", "roll back; 5%", ""},
		{multiple, "none", "", "write one or more of A to B"},
		{number, " 1m30s ", "1m30s", ""},
		{number, "soon", "", "write a time such as 90s or 4m30s"},
		{quiz.Asked{Question: scenario.Question{Kind: scenario.KindText}}, " ", "", "write a word or two"},
	} {
		got, err := c.asked.Read(c.given)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%s %q is %q, error %v, want %q, error %q", c.asked.Kind, c.given, got, err, c.want, c.err)
		}
	}
}
