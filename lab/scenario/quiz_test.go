package scenario

import (
	"coalmine/scenarios"
)

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const smallQuiz = `questions:
  - question: Which?
    options:
      - This.
      - That.
    answer: B
    why: Because.
`

func TestParseQuiz(t *testing.T) {
	got, err := ParseQuiz("quiz.yaml", []byte(smallQuiz))
	want := &Quiz{[]Question{{Kind: KindSingle, Question: "Which?", Options: []string{"This.", "That."},
		Answers: []string{"B"}, Why: "Because."}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

// Every quiz has at least three questions, and the right answer is not always the same letter.
func TestLibraryHasQuizzes(t *testing.T) {
	names, err := Names(scenarios.Library())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		folder, err := Open(scenarios.Library(), name)
		if err != nil {
			t.Fatal(err)
		}
		quiz, err := folder.Quiz()
		if err != nil {
			t.Error(err)
			continue
		}
		answers := map[string]bool{}
		for _, q := range quiz.Questions {
			answers[strings.Join(q.Answers, "")] = true
		}
		if len(quiz.Questions) < 3 || len(answers) < 2 {
			t.Errorf("%s has %d questions and %d different answers, want at least 3 and 2",
				name, len(quiz.Questions), len(answers))
		}
	}
}

func TestQuizProblems(t *testing.T) {
	for name, test := range map[string]struct{ old, new, want string }{
		"an unknown field": {"why: Because.", "wy: Because.",
			"quiz.yaml:7: questions[0]: there is no field \"wy\""},
		"a missing field": {"    why: Because.\n", "", "quiz.yaml:2: questions[0].why: is missing"},
		"a field twice": {"why: Because.", "answer: A",
			"quiz.yaml:7: questions[0].answer: is a duplicate key"},
		"an answer out of reach": {"answer: B", "answer: C",
			"quiz.yaml:6: questions[0].answer: is \"C\": write a letter from A to B"},
		"an answer by its text":   {"answer: B", "answer: That.", "quiz.yaml:6: questions[0].answer: is \"That.\""},
		"a small letter":          {"answer: B", "answer: b", "quiz.yaml:6: questions[0].answer: is \"b\""},
		"a letter that is a bool": {"answer: B", "answer: true", "quiz.yaml:6: questions[0].answer: is not a string"},
		"one option": {"      - That.\n", "",
			"quiz.yaml:4: questions[0].options: has 1 elements: write 2 to 26"},
		"the same option twice": {"- That.", "- This.", "quiz.yaml:5: questions[0].options[1]: is the same"},
		"an empty option":       {"- That.", "- ' '", "quiz.yaml:5: questions[0].options[1]: is empty"},
		"an option that maps":   {"- That.", "- That: too", "quiz.yaml:5: questions[0].options[1]: is not a string"},
		"an empty question":     {"Which?", "''", "quiz.yaml:2: questions[0].question: is empty"},
		"a number as a text":    {"Which?", "7", "quiz.yaml:2: questions[0].question: is not a string"},
		"options that are a text": {"    options:\n      - This.\n      - That.\n", "    options: This.\n",
			"quiz.yaml:3: questions[0].options: is not a list"},
		"a question that is none": {"  - question", "  - Which?\n  - question",
			"quiz.yaml:2: questions[0]: is not a mapping"},
		"no questions": {smallQuiz, "questions: []",
			"quiz.yaml:1: questions: is not a list of one or more elements"},
		"another field":     {smallQuiz, "answers: []", "quiz.yaml:1: there is no field \"answers\""},
		"a list":            {smallQuiz, "- question: Which?", "quiz.yaml:1: is not a mapping: write questions"},
		"nothing":           {smallQuiz, "", "quiz.yaml:1: the file is empty"},
		"a second document": {"Because.\n", "Because.\n---\n" + smallQuiz, "a second document starts here"},
		"no YAML":           {"questions:", "questions: [", "quiz.yaml:1: did not find"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseQuiz("quiz.yaml", []byte(strings.Replace(smallQuiz, test.old, test.new, 1)))
			var problems Problems
			if !errors.As(err, &problems) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is\n%v\nwant Problems with\n%s", err, test.want)
			}
		})
	}
}

const otherKinds = `questions:
  - kind: multiple
    question: Which two?
    options: [This., That., Those.]
    answers: [C, A]
    why: Because.
  - kind: number
    question: How many?
    answer: 12
    tolerance: 5%
    unit: requests
    why: Because.
  - kind: text
    question: What first?
    answers: [abort, roll back]
    why: Because.
  - kind: number
    question: At which weight?
    expression: run.weight_at_abort
    when: run.rolled_back
    tolerance: 1
    unit: "%"
    at: verdict
    gate: true
    why: Because.
`

func TestKinds(t *testing.T) {
	got, err := ParseQuiz("quiz.yaml", []byte(otherKinds))
	want := &Quiz{[]Question{
		{Kind: KindMultiple, Question: "Which two?", Options: []string{"This.", "That.", "Those."},
			Answers: []string{"A", "C"}, Why: "Because."},
		{Kind: KindNumber, Question: "How many?", Value: 12, Tolerance: 0.05, Relative: true, Unit: "requests",
			Why: "Because."},
		{Kind: KindText, Question: "What first?", Answers: []string{"abort", "roll back"}, Why: "Because."},
		{Kind: KindNumber, Question: "At which weight?", Expression: "run.weight_at_abort", When: "run.rolled_back",
			Tolerance: 1, Unit: "%", At: CheckpointVerdict, Gate: true, Why: "Because."},
	}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func TestKindProblems(t *testing.T) {
	for name, test := range map[string]struct{ old, new, want string }{
		"an unknown kind": {"kind: multiple", "kind: many", "quiz.yaml:2: questions[0].kind: is \"many\""},
		"a field of others": {"unit: requests", "options: [a, b]",
			"questions[1].options: does not belong to a question of"},
		"a letter too far":  {"[C, A]", "[C, D]", "questions[0].answers: is \"D\": write a letter from A to C"},
		"an answer twice":   {"[abort, roll back]", "[abort, abort]", "questions[2].answers[1]: is the same as"},
		"no answers":        {"[abort, roll back]", "[]", "questions[2].answers: is not a list"},
		"a number in words": {"answer: 12", "answer: twelve", "questions[1].answer: is not a number"},
		"an infinite one":   {"answer: 12", "answer: .inf", "questions[1].answer: is not a number"},
		"a great number":    {"answer: 12", "answer: 1e300", "questions[1].answer: is not a number"},
		"no number":         {"    answer: 12\n", "", "questions[1].answer: is missing: write a number"},
		"a tolerance below": {"tolerance: 5%", "tolerance: -1", "questions[1].tolerance: is negative"},
		"an expression and": {"tolerance: 1\n", "answer: 1\n", "questions[3].answer: is written beside an expression"},
		"an expression that is wrong": {"run.weight_at_abort", "run.wait",
			"quiz.yaml:19: questions[3].expression: undefined field 'wait'"},
		"an expression of texts": {"run.weight_at_abort", "run.name",
			"questions[3].expression: the expression gives a string, and a number is needed"},
		"a condition that is none": {"run.rolled_back", "run.name", "questions[3].when: the expression gives a string"},
		"an unknown checkpoint":    {"at: verdict", "at: noon", "questions[3].at: is \"noon\": write one of predict"},
		"a gate of nothing":        {"    at: verdict\n", "", "questions[3].gate: has nothing to hold"},
		"a gate that is no bool":   {"gate: true", "gate: yes please", "questions[3].gate: is not true or false"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseQuiz("quiz.yaml", []byte(strings.Replace(otherKinds, test.old, test.new, 1)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is\n%v\nwant one with\n%s", err, test.want)
			}
		})
	}
}

// TestLongQuiz checks that a quiz of anyone's is read in a moment, or refused.
func TestLongQuiz(t *testing.T) {
	one := strings.TrimPrefix(otherKinds, "questions:\n")
	if q, err := ParseQuiz("quiz.yaml", []byte("questions:\n"+strings.Repeat(one, 50))); err != nil ||
		len(q.Questions) != 200 {
		t.Errorf("200 questions: error %v", err)
	}
	if _, err := ParseQuiz("quiz.yaml", []byte("questions:\n"+strings.Repeat(one, 51))); err == nil ||
		!strings.Contains(err.Error(), "has 204 elements: write at most 200") {
		t.Errorf("204 questions: error %v", err)
	}
}

func TestQuizOfAFolder(t *testing.T) {
	dir := scenarioDir(t)
	if _, err := open(t, dir).Quiz(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a quiz: error %v, want fs.ErrNotExist", err)
	}
	name := filepath.Join(dir, FileQuiz)
	write(t, name, []byte(strings.Replace(smallQuiz, "answer: B", "answer: Z", 1)))
	if _, err := open(t, dir).Quiz(); err == nil || !strings.HasPrefix(err.Error(), name+":6: ") {
		t.Errorf("error is %v, want prefix %s:6:", err, name)
	}
}

// A quiz is either refused or complete.
func FuzzParseQuiz(f *testing.F) {
	f.Add([]byte(smallQuiz))
	f.Add([]byte("questions: [&a {question: x, options: [*a, *a], answer: A, why: y}]"))
	f.Add([]byte("--- \n...\n"))
	f.Add([]byte("questions: [{kind: number, question: x, answer: 3, tolerance: 5%, why: y, at: verdict, gate: true}]"))
	f.Add([]byte("questions: [{kind: text, question: x, expression: run.name, when: run.caught, why: y}]"))
	f.Add([]byte("questions: [{kind: multiple, question: x, options: [a, b], answers: [B, A], why: y}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		quiz, err := ParseQuiz("quiz.yaml", data)
		if err != nil {
			return
		}
		for _, q := range quiz.Questions {
			if q.Question == "" || q.Why == "" || q.Kind.HasOptions() != (len(q.Options) >= 2) {
				t.Fatalf("%+v is incomplete", q)
			}
			for _, a := range q.Answers {
				if q.Kind.HasOptions() && int(a[0]-'A') >= len(q.Options) || a == "" {
					t.Fatalf("%+v has an answer that does not exist", q)
				}
			}
			if q.Kind != KindNumber && len(q.Answers) == 0 && q.Expression == "" {
				t.Fatalf("%+v has no answer", q)
			}
		}
	})
}
