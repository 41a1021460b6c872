package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/input/yamlpos"
)

// Quiz is the set of questions that a learner answers after a scenario.
type Quiz struct {
	Questions []Question
}

// Question is one question with one right answer.
type Question struct {
	Question string
	// Options are lettered from A in their order.
	Options []string
	// Answer is the letter of the right option.
	Answer string
	// Why explains why it is right and the others are wrong.
	Why string
}

// Letter returns the letter of the option with an index: A for 0.
func Letter(option int) string { return string(rune('A' + option)) }

// Limits of a question's options: letters are A to Z.
const (
	minOptions = 2
	maxOptions = 26
)

// Quiz reads and validates the folder's quiz. If the file is missing, the error is
// [io/fs.ErrNotExist]; if the quiz is invalid, it is of type [Problems].
func (f *Folder) Quiz() (*Quiz, error) {
	data, err := f.Text(FileQuiz)
	if err != nil {
		return nil, err
	}
	name := path.Join(f.dir, FileQuiz)
	if f.root != nil {
		name = filepath.Join(f.root.Name(), name)
	}
	return ParseQuiz(name, data)
}

// ParseQuiz decodes and validates a quiz; name is the name of the file, for errors. The error is of
// type [Problems].
func ParseQuiz(name string, data []byte) (*Quiz, error) {
	r := quizReader{file: name}
	q := r.quiz(data)
	if len(r.problems) > 0 {
		slices.SortStableFunc(r.problems, func(a, b Problem) int { return a.Line - b.Line })
		return nil, r.problems
	}
	return q, nil
}

// quizReader reads a quiz from YAML nodes, which have line numbers, and collects problems.
type quizReader struct {
	file     string
	problems Problems
}

func (r *quizReader) add(line int, at fieldPath, format string, args ...any) {
	r.problems = append(r.problems, Problem{
		File: r.file, Line: line, Field: at.String(), Message: fmt.Sprintf(format, args...),
	})
}

func (r *quizReader) quiz(data []byte) *Quiz {
	root := r.document(data)
	if root == nil {
		return nil
	}
	q := &Quiz{}
	list := r.mapping(root, nil, "questions")["questions"]
	nodes := r.list(list, root.Line, fieldPath{"questions"})
	for i, n := range nodes {
		q.Questions = append(q.Questions, r.question(n, fieldPath{"questions", i}))
	}
	return q
}

// document returns the root of the only document, or nil if there is none.
func (r *quizReader) document(data []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		r.add(1, nil, "the file is empty: write questions, or remove it")
		return nil
	} else if err != nil {
		line, message := yamlpos.SplitError(err.Error())
		r.add(line, nil, "%s", message)
		return nil
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		r.add(more.Line, nil, "a second document starts here: a file holds one quiz")
		return nil
	}
	return doc.Content[0]
}

// mapping returns the values of a mapping by key. Unknown and duplicate keys are problems.
func (r *quizReader) mapping(n *yaml.Node, at fieldPath, keys ...string) map[string]*yaml.Node {
	values := map[string]*yaml.Node{}
	if n.Kind != yaml.MappingNode {
		r.add(n.Line, at, "is not a mapping: write %s", strings.Join(keys, ", "))
		return values
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case !slices.Contains(keys, key.Value):
			r.add(key.Line, at, "there is no field %q: write one of %s", key.Value, strings.Join(keys, ", "))
		case values[key.Value] != nil:
			r.add(key.Line, at.child(key.Value), "is a duplicate key")
		default:
			values[key.Value] = n.Content[i+1]
		}
	}
	return values
}

// list returns the elements of a non-empty list; line is reported if the list is missing.
func (r *quizReader) list(n *yaml.Node, line int, at fieldPath) []*yaml.Node {
	switch {
	case n == nil:
		r.add(line, at, "is missing: write a list")
		return nil
	case n.Kind != yaml.SequenceNode || len(n.Content) == 0:
		r.add(n.Line, at, "is not a list of one or more elements")
		return nil
	}
	return n.Content
}

// text returns a non-empty string; line is reported if the string is missing.
func (r *quizReader) text(n *yaml.Node, line int, at fieldPath) string {
	switch {
	case n == nil:
		r.add(line, at, "is missing: write some text")
		return ""
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str":
		r.add(n.Line, at, "is not a string: put it in quotes")
		return ""
	case strings.TrimSpace(n.Value) == "":
		r.add(n.Line, at, "is empty: write some text")
	}
	return strings.TrimSpace(n.Value)
}

func (r *quizReader) question(n *yaml.Node, at fieldPath) Question {
	values := r.mapping(n, at, "question", "options", "answer", "why")
	text := func(key string) string { return r.text(values[key], n.Line, at.child(key)) }
	q := Question{Question: text("question"), Answer: text("answer"), Why: text("why")}
	options := r.list(values["options"], n.Line, at.child("options"))
	for i, option := range options {
		q.Options = append(q.Options, r.text(option, n.Line, at.child("options", i)))
	}
	if len(options) > 0 {
		r.checkOptions(q, values, at)
	}
	return q
}

// checkOptions checks the number of options, that they differ, and that the answer is one of them.
func (r *quizReader) checkOptions(q Question, values map[string]*yaml.Node, at fieldPath) {
	n := len(q.Options)
	if n < minOptions || n > maxOptions {
		r.add(values["options"].Line, at.child("options"), "has %d elements: write %d to %d", n, minOptions, maxOptions)
		return
	}
	for i, option := range q.Options {
		if slices.Contains(q.Options[:i], option) {
			r.add(values["options"].Content[i].Line, at.child("options", i), "is the same as another option")
		}
	}
	valid := len(q.Answer) == 1 && q.Answer[0] >= 'A' && int(q.Answer[0]-'A') < n
	if q.Answer != "" && !valid {
		r.add(values["answer"].Line, at.child("answer"), "is %q: write a letter from A to %s", q.Answer, Letter(n-1))
	}
}
