package model

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Limits of what is read of a manifest. What is recorded was checked when it was played, but a folder may have been edited
// since. They are those of package guardrail, which stands above the reports.
const (
	maxBytes = 256 << 10
	maxDepth = 64
	maxLines = 4000
)

// object is one YAML document of the guardrails.
type object struct {
	root *yaml.Node
}

// objects parses a manifest as far as it is YAML. What is broken is an error; the objects before it are given.
func objects(data []byte) (all []object, err error) {
	if len(data) > maxBytes || !utf8.Valid(data) || nesting(data) > maxDepth {
		return nil, errors.New("not read: too large, too deep or no text")
	}
	defer func() {
		if p := recover(); p != nil { // the parser gives up by panics that it should catch itself
			err = fmt.Errorf("not YAML: %v", p)
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		switch err := d.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return all, fmt.Errorf("not YAML: %w", err)
		}
		if len(doc.Content) == 1 && doc.Content[0].Kind == yaml.MappingNode {
			all = append(all, object{doc.Content[0]})
		}
	}
}

// nesting is an upper bound of how deep flow collections nest; brackets in strings count too.
func nesting(data []byte) int {
	depth, deepest := 0, 0
	for _, c := range data {
		switch c {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return deepest
}

// field is a place in an object: the key that begins it, and its value.
type field struct {
	key, value *yaml.Node
}

// at finds a field by its path; not ok when it is not written down.
func (o object) at(path ...string) (field, bool) {
	f := field{o.root, o.root}
	for _, step := range path {
		next, ok := f.child(step)
		if !ok {
			return field{}, false
		}
		f = next
	}
	return f, true
}

// nearest is the field, or the innermost one around it that is written down.
func (o object) nearest(path ...string) field {
	for n := len(path); n > 0; n-- {
		if f, ok := o.at(path[:n]...); ok {
			return f
		}
	}
	return field{o.root, o.root}
}

func (f field) child(step string) (field, bool) {
	switch n := f.value; n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return field{n.Content[i], n.Content[i+1]}, true
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Content) {
			return field{n.Content[i], n.Content[i]}, true
		}
	}
	return field{}, false
}

// text is a scalar field's value, "" for others.
func (o object) text(path ...string) string {
	if f, ok := o.at(path...); ok && f.value.Kind == yaml.ScalarNode {
		return f.value.Value
	}
	return ""
}

// items are the entries of a list.
func (o object) items(path ...string) []field {
	f, ok := o.at(path...)
	if !ok || f.value.Kind != yaml.SequenceNode {
		return nil
	}
	var all []field
	for _, n := range f.value.Content {
		all = append(all, field{n, n})
	}
	return all
}

// lines are the first and the last line of a field. A text block's end is told by the lines that it has.
func (f field) lines() (from, to int) {
	from, to = f.key.Line, f.key.Line
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		end := n.Line
		if n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			end += strings.Count(strings.TrimRight(n.Value, "\n"), "\n") + 1
		}
		to = max(to, end)
		for _, c := range n.Content {
			walk(c)
		}
	}
	walk(f.value)
	return from, to
}

// head is the first line of a field.
func (f field) head() field {
	line := &yaml.Node{Line: f.key.Line}
	return field{line, line}
}
