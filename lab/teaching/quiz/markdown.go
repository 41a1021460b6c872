package quiz

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"coalmine/lab/scenario"
)

// The course's layout of a quiz (ldbl/sre, docs/course, quiz.md): a title, numbered questions with
// options as a list, and a key with the same numbers. What the course has no place for follows a line
// of the key, indented, by name.
const (
	headQuestions = "## Questions"
	headKey       = "## Answer Key"
	titlePrefix   = "# Quiz: "
)

func markdown(b *strings.Builder, title string, all []Asked) {
	fmt.Fprintf(b, "%s%s\n\n%s\n\n", titlePrefix, title, headQuestions)
	for i, a := range all {
		fmt.Fprintf(b, "%d. %s\n", i+1, oneLine(a.Question.Question))
		for j, o := range a.Options {
			fmt.Fprintf(b, "- %s) %s\n", scenario.Letter(j), oneLine(o))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "%s\n\n", headKey)
	for i, a := range all {
		fmt.Fprintf(b, "%d. %s\n", i+1, markdownKey(a))
		for _, field := range [][2]string{{"kind", markdownKind(a)}, {"expression", oneLine(a.Expression)},
			{"when", oneLine(a.When)}, {"at", string(a.At)}, {"gate", map[bool]string{true: "yes"}[a.Gate]},
			{"why", oneLine(a.Why)}} {
			if field[1] != "" {
				fmt.Fprintf(b, "   %s: %s\n", field[0], field[1])
			}
		}
	}
}

// markdownKind names the kind of a question whose options or key do not show it.
func markdownKind(a Asked) string {
	if a.Kind == scenario.KindMultiple ||
		a.Kind == scenario.KindText && strings.Contains(markdownKey(a), strings.TrimSpace(keyTolerance)) {
		return string(a.Kind)
	}
	return ""
}

// Separators in a key.
const (
	keyOr        = " | "
	keyTolerance = " ± "
	// keyRun stands for an answer that an expression gives.
	keyRun = "from your own run"
)

// markdownKey is the answer to a question: letters, a number with its tolerance, or texts.
func markdownKey(a Asked) string {
	key := strings.Join(a.Answers, keyOr)
	switch a.Kind {
	case scenario.KindMultiple:
		key = strings.Join(a.Answers, ", ")
	case scenario.KindNumber:
		key = strconv.FormatFloat(a.Value, 'f', -1, 64)
	}
	if a.Expression != "" {
		key = keyRun
	}
	if a.Kind == scenario.KindNumber {
		key += keyTolerance + tolerance(a)
		if a.Unit != "" {
			key += " " + oneLine(a.Unit)
		}
	}
	return oneLine(key)
}

// markdownLine is one line of the layout.
type markdownLine struct {
	number int
	text   string
}

// markdownReader reads the course's layout.
type markdownReader struct {
	file      string
	inKey     bool
	questions []scenario.Question
	keys      []markdownKeyEntry
}

// markdownKeyEntry is one entry of the key.
type markdownKeyEntry struct {
	line   int
	text   string
	fields map[string]string
	// last is the field of several words that a further line belongs to, "" for the entry itself.
	last string
}

func parseMarkdown(file, text string) (*scenario.Quiz, error) {
	r := &markdownReader{file: file}
	for i, line := range strings.Split(text, "\n") {
		if err := r.line(markdownLine{i + 1, strings.TrimRight(line, " \t\r")}); err != nil {
			return nil, err
		}
	}
	return r.quiz()
}

// markdownPatterns are the lines that mean something.
type markdownPatterns struct{ numbered, option, field *regexp.Regexp }

func newMarkdownPatterns() markdownPatterns {
	return markdownPatterns{
		numbered: regexp.MustCompile(`^(\d{1,3})[.)]\s+(.*)$`),
		option:   regexp.MustCompile(`^\s*[-*]\s+([A-Z])[.)]\s+(.*)$`),
		field:    regexp.MustCompile(`^\s+(kind|expression|when|at|gate|why): (.*)$`),
	}
}

func (r *markdownReader) line(l markdownLine) error {
	p := newMarkdownPatterns()
	switch {
	case strings.TrimSpace(l.text) == "", strings.HasPrefix(l.text, "# "):
		return nil
	case strings.HasPrefix(l.text, "#"):
		r.inKey = strings.HasPrefix(strings.ToLower(l.text), strings.ToLower(headKey))
		return nil
	}
	if m := p.numbered.FindStringSubmatch(l.text); m != nil {
		return r.numbered(l, m[1], m[2])
	}
	if r.inKey {
		return r.keyLine(l, p)
	}
	if len(r.questions) == 0 {
		return nil // an introduction
	}
	q := &r.questions[len(r.questions)-1]
	if m := p.option.FindStringSubmatch(l.text); m != nil {
		if want := scenario.Letter(len(q.Options)); m[1] != want {
			return importError(r.file, l.number, "the option is lettered %s: write %s", m[1], want)
		}
		q.Options = append(q.Options, m[2])
		return nil
	}
	if n := len(q.Options); n > 0 {
		q.Options[n-1] += " " + strings.TrimSpace(l.text)
	} else {
		q.Question += " " + strings.TrimSpace(l.text)
	}
	return nil
}

// numbered starts a question, or its entry in the key.
func (r *markdownReader) numbered(l markdownLine, number, text string) error {
	want := len(r.questions) + 1
	if r.inKey {
		want = len(r.keys) + 1
	}
	if number != strconv.Itoa(want) {
		return importError(r.file, l.number, "the number is %s: write %d", number, want)
	}
	if r.inKey {
		r.keys = append(r.keys, markdownKeyEntry{line: l.number, text: text, fields: map[string]string{}})
	} else {
		r.questions = append(r.questions, scenario.Question{Question: text})
	}
	return nil
}

// keyLine reads a line below an entry of the key: a field, or more of the entry or field.
func (r *markdownReader) keyLine(l markdownLine, p markdownPatterns) error {
	if len(r.keys) == 0 {
		return nil
	}
	k := &r.keys[len(r.keys)-1]
	if m := p.field.FindStringSubmatch(l.text); m != nil {
		if _, has := k.fields[m[1]]; has {
			return importError(r.file, l.number, "%s is written a second time", m[1])
		}
		k.fields[m[1]], k.last = m[2], ""
		if slices.Contains([]string{"expression", "when", "why"}, m[1]) {
			k.last = m[1]
		}
		return nil
	}
	if k.last != "" {
		k.fields[k.last] += " " + strings.TrimSpace(l.text)
		return nil
	}
	k.text += " " + strings.TrimSpace(l.text)
	return nil
}

func (r *markdownReader) quiz() (*scenario.Quiz, error) {
	if len(r.questions) != len(r.keys) {
		return nil, importError(r.file, 1, "there are %d questions below %q and %d answers below %q",
			len(r.questions), headQuestions, len(r.keys), headKey)
	}
	for i := range r.questions {
		if err := r.keys[i].apply(r.file, &r.questions[i]); err != nil {
			return nil, err
		}
	}
	return &scenario.Quiz{Questions: r.questions}, nil
}

// apply takes the entry's answer into a question.
func (k markdownKeyEntry) apply(file string, q *scenario.Question) error {
	q.Expression, q.When, q.Why = k.fields["expression"], k.fields["when"], k.fields["why"]
	q.At = scenario.Checkpoint(k.fields["at"])
	switch gate := k.fields["gate"]; gate {
	case "", "no":
	case "yes":
		q.Gate = true
	default:
		return importError(file, k.line, "gate is %q: write yes or no", gate)
	}
	k.text = oneLine(k.text)
	key, rest, isNumber := strings.Cut(k.text, keyTolerance)
	q.Kind = k.kind(q, isNumber)
	if isNumber && q.Kind == scenario.KindNumber {
		return k.number(file, q, key, rest)
	}
	if q.Expression != "" {
		return nil
	}
	switch q.Kind {
	case scenario.KindMultiple:
		q.Answers = strings.Split(k.text, ", ")
	case scenario.KindText:
		q.Answers = strings.Split(k.text, keyOr)
	default:
		q.Answers = []string{strings.TrimRight(firstWord(k.text), ".")}
	}
	return nil
}

// firstWord is a letter, which an explanation may follow.
func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// kind tells the kind of a question by its options and its key.
func (k markdownKeyEntry) kind(q *scenario.Question, isNumber bool) scenario.Kind {
	switch {
	case k.fields["kind"] != "":
		return scenario.Kind(k.fields["kind"])
	case len(q.Options) > 0:
		return scenario.KindSingle
	case isNumber:
		return scenario.KindNumber
	}
	return scenario.KindText
}

func (k markdownKeyEntry) number(file string, q *scenario.Question, number, rest string) error {
	tolerance, unit, _ := strings.Cut(rest, " ")
	share, relative := strings.CutSuffix(tolerance, "%")
	var err error
	if q.Tolerance, err = strconv.ParseFloat(share, 64); err != nil {
		return importError(file, k.line, "%q is not a tolerance", tolerance)
	}
	if q.Unit, q.Relative = strings.TrimSpace(unit), relative; relative {
		q.Tolerance /= 100
	}
	if q.Expression != "" {
		return nil
	}
	if q.Value, err = strconv.ParseFloat(number, 64); err != nil {
		return importError(file, k.line, "%q is not a number", number)
	}
	return nil
}
