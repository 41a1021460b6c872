package scenario

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/scenario/quizexpr"
)

// questionReader reads one question.
type questionReader struct {
	*quizReader
	values map[string]*yaml.Node
	line   int
	at     fieldPath
}

// fieldsOf lists the fields that only questions of some kinds have.
func fieldsOf() map[string][]Kind {
	return map[string][]Kind{
		"options":   {KindSingle, KindMultiple},
		"answer":    {KindSingle, KindNumber, KindText},
		"answers":   {KindMultiple, KindText},
		"tolerance": {KindNumber},
		"unit":      {KindNumber},
	}
}

func (r *quizReader) question(n *yaml.Node, at fieldPath) Question {
	q := questionReader{quizReader: r, line: n.Line, at: at}
	q.values = r.mapping(n, at, "question", "kind", "options", "answer", "answers", "tolerance", "unit", "expression",
		"when", "at", "gate", "why")
	return q.read()
}

func (r *questionReader) read() Question {
	q := Question{Kind: r.kind(), Question: r.need("question"), Why: r.need("why")}
	fields := fieldsOf()
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if n := r.values[field]; n != nil && !slices.Contains(fields[field], q.Kind) {
			r.add(n.Line, r.at.child(field), "does not belong to a question of the kind %s", q.Kind)
		}
	}
	r.checkpoint(&q)
	if q.Kind.HasOptions() {
		r.options(&q)
	}
	r.answer(&q)
	r.number(&q)
	return q
}

// need returns a text that must be there, have one that may.
func (r *questionReader) need(field string) string {
	return r.text(r.values[field], r.line, r.at.child(field))
}

func (r *questionReader) have(field string) string {
	if r.values[field] == nil {
		return ""
	}
	return r.need(field)
}

func (r *questionReader) kind() Kind {
	k := Kind(r.have("kind"))
	if k == "" {
		return KindSingle
	}
	if !slices.Contains(Kinds(), k) {
		r.add(r.values["kind"].Line, r.at.child("kind"), "is %q: write one of %s", k, list(Kinds()))
		return KindSingle
	}
	return k
}

func (r *questionReader) checkpoint(q *Question) {
	q.At = Checkpoint(r.have("at"))
	if q.At != "" && !slices.Contains(Checkpoints(), q.At) {
		r.add(r.values["at"].Line, r.at.child("at"), "is %q: write one of %s", q.At, list(Checkpoints()))
	}
	n := r.values["gate"]
	if n == nil {
		return
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Decode(&q.Gate) != nil {
		r.add(n.Line, r.at.child("gate"), "is not true or false")
	} else if q.Gate && q.At == "" {
		r.add(n.Line, r.at.child("gate"), "has nothing to hold: write at as well")
	}
}

// options reads the options and checks their number, and that they differ.
func (r *questionReader) options(q *Question) {
	n, at := r.values["options"], r.at.child("options")
	q.Options = r.texts(n, r.line, at)
	switch count := len(q.Options); {
	case count == 0:
		return
	case count < minOptions || count > maxOptions:
		r.add(n.Line, at, "has %d elements: write %d to %d", count, minOptions, maxOptions)
		return
	}
	for i, option := range q.Options {
		if option != "" && slices.Contains(q.Options[:i], option) {
			r.add(n.Content[i].Line, at.child(i), "is the same as another option")
		}
	}
}

// answer reads what is right: an expression, or answer or answers.
func (r *questionReader) answer(q *Question) {
	q.Expression, q.When = r.have("expression"), r.have("when")
	r.compile("when", q.When, quizexpr.ResultBool)
	if q.Expression != "" {
		r.compile("expression", q.Expression, q.Kind.result())
		for _, field := range []string{"answer", "answers"} {
			if n := r.values[field]; n != nil {
				r.add(n.Line, r.at.child(field), "is written beside an expression: write one of them")
			}
		}
		return
	}
	switch {
	case q.Kind == KindNumber:
		q.Value = r.parseNumber("answer")
	case q.Kind == KindMultiple, q.Kind == KindText && r.values["answers"] != nil:
		r.answers(q)
	default:
		q.Answers = []string{r.need("answer")}
	}
	if q.Kind.HasOptions() && len(q.Options) >= minOptions {
		r.letters(q)
	}
}

// result is what an expression for a question of the kind has to give: for options their texts.
func (k Kind) result() quizexpr.Result {
	if k == KindNumber {
		return quizexpr.ResultNumber
	}
	return quizexpr.ResultText
}

func (r *questionReader) compile(field, text string, result quizexpr.Result) {
	if text == "" {
		return
	}
	if _, err := quizexpr.Compile(text, result); err != nil {
		r.add(r.values[field].Line, r.at.child(field), "%v", err)
	}
}

func (r *questionReader) answers(q *Question) {
	n, at := r.values["answers"], r.at.child("answers")
	q.Answers = r.texts(n, r.line, at)
	if len(q.Answers) > maxAnswers {
		r.add(n.Line, at, "has %d elements: write at most %d", len(q.Answers), maxAnswers)
	}
	for i, a := range q.Answers {
		if a != "" && slices.Contains(q.Answers[:i], a) {
			r.add(n.Content[i].Line, at.child(i), "is the same as another answer")
		}
	}
	if q.Kind == KindMultiple {
		slices.Sort(q.Answers)
	}
}

// letters checks that the answers are letters of options.
func (r *questionReader) letters(q *Question) {
	field := "answer"
	if q.Kind == KindMultiple {
		field = "answers"
	}
	last := Letter(len(q.Options) - 1)
	for _, a := range q.Answers {
		if a != "" && (len(a) != 1 || a < "A" || a > last) {
			r.add(r.values[field].Line, r.at.child(field), "is %q: write a letter from A to %s", a, last)
		}
	}
}

// number reads what only numbers have.
func (r *questionReader) number(q *Question) {
	q.Unit = r.have("unit")
	n := r.values["tolerance"]
	if n == nil || q.Kind != KindNumber {
		return
	}
	if share, ok := strings.CutSuffix(n.Value, "%"); ok && n.ShortTag() == "!!str" {
		q.Relative = true
		n = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: strings.TrimSpace(share), Line: n.Line}
	}
	q.Tolerance = r.float(n, r.at.child("tolerance"))
	if q.Relative {
		q.Tolerance /= 100
	}
	if q.Tolerance < 0 {
		r.add(n.Line, r.at.child("tolerance"), "is negative")
	}
}

func (r *questionReader) parseNumber(field string) float64 {
	n := r.values[field]
	if n == nil {
		r.add(r.line, r.at.child(field), "is missing: write a number, or an expression")
		return 0
	}
	return r.float(n, r.at.child(field))
}

func (r *questionReader) float(n *yaml.Node, at fieldPath) float64 {
	v, err := strconv.ParseFloat(n.Value, 64)
	tag := n.ShortTag()
	if n.Kind != yaml.ScalarNode || tag != "!!int" && tag != "!!float" || err != nil || math.IsNaN(v) ||
		math.Abs(v) > maxNumber {
		r.add(n.Line, at, "is not a number of at most %g", maxNumber)
		return 0
	}
	return v
}
