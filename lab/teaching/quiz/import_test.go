package quiz_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"coalmine/lab/scenario"
	"coalmine/lab/teaching/quiz"
)

func export(t *testing.T, format string, all []quiz.Asked) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := quiz.Export(&b, format, "A quiz", all); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestRoundTrip checks that what is exported can be read again: all of it in the layout of the course
// and as quiz.yaml, and what GIFT has a place for.
func TestRoundTrip(t *testing.T) {
	all := library(t)
	all["kinds"] = kinds()
	for name, q := range all {
		for _, format := range []string{quiz.FormatMarkdown, quiz.FormatYAML} {
			got, notes, err := quiz.Import("q", format, export(t, format, quiz.Resolve(q, nil)))
			if err != nil || len(notes) > 0 {
				t.Errorf("%s as %s: %v %v", name, format, notes, err)
				continue
			}
			if diff := cmp.Diff(oneLined(q), oneLined(got)); diff != "" {
				t.Errorf("%s as %s (-want +got):\n%s", name, format, diff)
			}
		}
		want := &scenario.Quiz{}
		for _, a := range quiz.Resolve(q, nil) {
			if a.Open != "" {
				continue
			}
			a.Tolerance, a.Relative, a.Unit, a.At, a.Gate, a.When = a.Margin(), false, "", "", false, ""
			want.Questions = append(want.Questions, a.Question)
		}
		got, notes, err := quiz.Import("q", quiz.FormatGIFT, export(t, quiz.FormatGIFT, quiz.Resolve(q, nil)))
		if err != nil || len(notes) != len(q.Questions)-len(want.Questions) {
			t.Errorf("%s as gift: %v %v", name, notes, err)
			continue
		}
		if diff := cmp.Diff(oneLined(want), oneLined(got), cmpopts.EquateApprox(1e-9, 0)); diff != "" {
			t.Errorf("%s as gift (-want +got):\n%s", name, diff)
		}
	}
}

// oneLined is a quiz with the spaces that formats of lines keep.
func oneLined(q *scenario.Quiz) *scenario.Quiz {
	line := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	n := &scenario.Quiz{}
	for _, x := range q.Questions {
		x.Question, x.Why, x.Expression, x.When = line(x.Question), line(x.Why), line(x.Expression), line(x.When)
		x.Options = append([]string(nil), x.Options...)
		for i := range x.Options {
			x.Options[i] = line(x.Options[i])
		}
		n.Questions = append(n.Questions, x)
	}
	return n
}

// TestCourse reads the layout as courses write it: without explanations, and with letters in the key.
func TestCourse(t *testing.T) {
	const text = `# Quiz: A module

Read each question twice.

## Questions

1. Why is a slow rollout safer
   than a fast one?

2. Which statement is correct?
- A) Nothing needs a check.
- B) Telemetry can show a
  success rate for each route.

## Answer Key (Short)

1. It limits how many
   users are hurt.
2. B
`
	got, _, err := quiz.Import("quiz.md", quiz.FormatMarkdown, []byte(text))
	want := &scenario.Quiz{Questions: []scenario.Question{
		{Kind: scenario.KindText, Question: "Why is a slow rollout safer than a fast one?",
			Answers: []string{"It limits how many users are hurt."},
			Why:     "The source of this question gives no explanation."},
		{Kind: scenario.KindSingle, Question: "Which statement is correct?", Answers: []string{"B"},
			Options: []string{"Nothing needs a check.", "Telemetry can show a success rate for each route."},
			Why:     "The source of this question gives no explanation."},
	}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	if title := quiz.TitleOf("x/quiz.md", quiz.FormatMarkdown, []byte(text)); title != "A module" {
		t.Errorf("the title is %q", title)
	}
	for old, test := range map[string][2]string{
		"2. Which":        {"3. Which", "quiz.md:10: the number is 3: write 2"},
		"- B)":            {"- C)", "quiz.md:12: the option is lettered C: write B"},
		"2. B\n":          {"", "there are 2 questions below"},
		"2. B":            {"2. D", "answer: is \"D\": write a letter from A to B"},
		"   users":        {"   gate: maybe\n   users", "quiz.md:17: gate is \"maybe\""},
		"users are hurt.": {"users ± some", "quiz.md:17: \"some\" is not a tolerance"},
	} {
		changed := []byte(strings.Replace(text, old, test[0], 1))
		if _, _, err := quiz.Import("quiz.md", quiz.FormatMarkdown, changed); err == nil ||
			!strings.Contains(err.Error(), test[1]) {
			t.Errorf("%q: error %v, want %q", test[0], err, test[1])
		}
	}
}

// TestGIFT reads what Moodle's documentation shows of the format.
func TestGIFT(t *testing.T) {
	const text = `// a comment
$CATEGORY: a/b

::Colour:: What is between
orange and green? { =yellow # right ~red #wrong
~blue ####It is yellow. }

[html]Is water \{wet\}?{T}

Two plus {=two =2} is four.

How many? {#3:2}

From 1 to 5? {#1..5}

Born in? {#
  =1822:0 # full
  =%50%1822:2
}

Which? {~%50%a ~%50%b ~%-100%c}

Write. {}

Match. {=a -> b =c -> d}

Just words.
`
	got, notes, err := quiz.Import("q.gift", quiz.FormatGIFT, []byte(text))
	const none = "The source of this question gives no explanation."
	want := &scenario.Quiz{Questions: []scenario.Question{
		{Kind: scenario.KindSingle, Question: "What is between orange and green?",
			Options: []string{"yellow", "red", "blue"}, Answers: []string{"A"}, Why: "It is yellow."},
		{Kind: scenario.KindSingle, Question: "Is water {wet}?", Options: []string{"True", "False"},
			Answers: []string{"A"}, Why: none},
		{Kind: scenario.KindText, Question: "Two plus _____ is four.", Answers: []string{"two", "2"}, Why: none},
		{Kind: scenario.KindNumber, Question: "How many?", Value: 3, Tolerance: 2, Why: none},
		{Kind: scenario.KindNumber, Question: "From 1 to 5?", Value: 3, Tolerance: 2, Why: none},
		{Kind: scenario.KindNumber, Question: "Born in?", Value: 1822, Why: none},
		{Kind: scenario.KindMultiple, Question: "Which?", Options: []string{"a", "b", "c"},
			Answers: []string{"A", "B"}, Why: none},
	}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	wantNotes := []string{"q.gift:23: an essay has no answer that can be compared: the question is left out",
		"q.gift:25: pairs cannot be matched here: the question is left out",
		"q.gift:27: it has no answers: the question is left out"}
	if diff := cmp.Diff(wantNotes, notes); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		"What? {=a":         "q.gift:1: the answers have no }",
		"::What? {=a ~b}":   "q.gift:1: the name of the question has no ::",
		"\n\nWhat? {~a ~b}": "q.gift:3: no answer is right",
		"What? {a =b}":      "q.gift:1: the answers begin with \"a\"",
		"What? {= ~b}":      "q.gift:1: an answer is empty",
		"What? {#many}":     "q.gift:1: \"many\" is not a number",
		"What? {#1e999}":    "q.gift:1: \"1e999\" is not a number",
		"What? {=a ~a}":     "is the same as another option",
		"Nothing.":          "no question that can be graded",
	} {
		if _, _, err := quiz.Import("q.gift", quiz.FormatGIFT, []byte(text)); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestImportLimits(t *testing.T) {
	for name, data := range map[string]string{
		"over 1024 KiB": strings.Repeat("x", quiz.MaxImport+1),
		"20000 lines":   strings.Repeat("\n", 20_001),
		"not UTF-8":     "\xff",
		"at most 200":   strings.Repeat("x {=a}\n\n", 300),
		"at most 20":    "x {" + strings.Repeat("=a", 21) + "}",
		"at most 4000":  "x {=" + strings.Repeat("a", 5000) + "}",
	} {
		if _, _, err := quiz.Import("q.gift", quiz.FormatGIFT, []byte(data)); err == nil ||
			!strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %.200v", name, err)
		}
	}
	if _, _, err := quiz.Import("q.doc", "doc", nil); err == nil {
		t.Error("an unknown format is read")
	}
}

// fuzz checks that a quiz is refused, or complete and the same after a round trip.
func fuzz(t *testing.T, format string, data []byte) {
	q, _, err := quiz.Import("q", format, data)
	if err != nil {
		return
	}
	var b bytes.Buffer
	if err := quiz.Export(&b, format, "x", quiz.Resolve(q, nil)); err != nil {
		t.Fatal(err)
	}
	again, _, err := quiz.Import("q", format, b.Bytes())
	if err != nil {
		t.Fatalf("the export of a quiz that was read is refused: %v\n%s", err, b.Bytes())
	}
	if diff := cmp.Diff(oneLined(q), oneLined(again), cmpopts.EquateApprox(1e-9, 0)); diff != "" {
		t.Fatalf("(-first +second):\n%s\n%s", diff, b.Bytes())
	}
}

func FuzzGIFT(f *testing.F) {
	f.Add([]byte("::a:: [html]b {=c#d ~%50%e ####f} g"))
	f.Add([]byte("b {#1..2 ####x}\n\n// c\nd {T}"))
	f.Add([]byte(`\{ {~%100%\~ =\= }`))
	f.Fuzz(func(t *testing.T, data []byte) { fuzz(t, quiz.FormatGIFT, data) })
}

func FuzzMarkdown(f *testing.F) {
	f.Add([]byte("## Questions\n1. a\n- A) b\n- B) c\n2. d\n## Answer Key\n1. A\n2. x | y\n   why: z\n"))
	f.Add([]byte("1. a\n## Answer Key\n1. from your own run ± 5% s\n   expression: run.mttd\n" +
		"   when: run.caught\n   at: predict\n   gate: yes\n"))
	f.Fuzz(func(t *testing.T, data []byte) { fuzz(t, quiz.FormatMarkdown, data) })
}
