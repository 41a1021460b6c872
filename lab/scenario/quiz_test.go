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
	want := &Quiz{[]Question{{Question: "Which?", Options: []string{"This.", "That."}, Answer: "B", Why: "Because."}}}
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
			answers[q.Answer] = true
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
	f.Fuzz(func(t *testing.T, data []byte) {
		quiz, err := ParseQuiz("quiz.yaml", data)
		if err != nil {
			return
		}
		for _, q := range quiz.Questions {
			if q.Question == "" || q.Why == "" || len(q.Options) < 2 || int(q.Answer[0]-'A') >= len(q.Options) {
				t.Fatalf("%q is incomplete", q)
			}
		}
	})
}
