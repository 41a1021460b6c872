package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/input/yamlpos"
)

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
	if len(nodes) > maxQuestions {
		r.add(list.Line, fieldPath{"questions"}, "has %d elements: write at most %d", len(nodes), maxQuestions)
		return nil
	}
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

// texts returns the strings of a list; line is reported if the list is missing.
func (r *quizReader) texts(n *yaml.Node, line int, at fieldPath) []string {
	var all []string
	for i, item := range r.list(n, line, at) {
		all = append(all, r.text(item, line, at.child(i)))
	}
	return all
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
	case len(n.Value) > maxText:
		r.add(n.Line, at, "has %d bytes: write at most %d", len(n.Value), maxText)
		return ""
	}
	return strings.TrimSpace(n.Value)
}
