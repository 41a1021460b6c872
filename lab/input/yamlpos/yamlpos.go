// Package yamlpos finds the fields of a YAML node tree and the lines where they are written, so
// that errors can point at them.
//
// A field is named by the steps that lead to it from the root: keys of mappings and indices of
// lists. In messages the steps form a path such as spec.analysis.metrics[1].name or
// metadata.annotations[coalmine.dev/owner].
package yamlpos

import (
	"bytes"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Field is a value and the node that marks where it starts: its key in a mapping, or the item
// itself in a list. The Field of a whole document has the same node as both.
type Field struct {
	Key, Value *yaml.Node
}

// Line returns the line on which the field starts.
func (f Field) Line() int { return f.Key.Line }

// Root returns the field of a whole document. n is a document node or the node inside one.
func Root(n *yaml.Node) Field {
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	return Field{n, n}
}

// Child returns the field one step below f: a key of a mapping or an index into a list. It
// follows aliases.
func (f Field) Child(step string) (Field, bool) {
	n := f.Value
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return Field{n.Content[i], n.Content[i+1]}, true
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Content) {
			return Field{n.Content[i], n.Content[i]}, true
		}
	}
	return Field{}, false
}

// Find returns the field at the end of the steps, or false if the document does not have it.
func (f Field) Find(steps ...string) (Field, bool) {
	for _, step := range steps {
		next, ok := f.Child(step)
		if !ok {
			return Field{}, false
		}
		f = next
	}
	return f, true
}

// Nearest returns the field at the end of the steps, or the innermost field around it that the
// document has.
func (f Field) Nearest(steps ...string) Field {
	for _, step := range steps {
		next, ok := f.Child(step)
		if !ok {
			break
		}
		f = next
	}
	return f
}

// Items returns the items of a list, or nil if the value is not a list.
func (f Field) Items() []Field {
	if f.Value == nil || f.Value.Kind != yaml.SequenceNode {
		return nil
	}
	items := make([]Field, len(f.Value.Content))
	for i, n := range f.Value.Content {
		items[i] = Field{n, n}
	}
	return items
}

// Split returns the steps of a path: a[0].b[c.d/e] has the steps a, 0, b and c.d/e.
func Split(path string) []string {
	var steps []string
	for path != "" {
		path = strings.TrimPrefix(path, ".")
		if strings.HasPrefix(path, "[") {
			end := strings.IndexByte(path, ']')
			if end < 0 {
				return append(steps, path[1:])
			}
			steps, path = append(steps, path[1:end]), path[end+1:]
			continue
		}
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			return append(steps, path)
		}
		steps, path = append(steps, path[:end]), path[end:]
	}
	return steps
}

// Join returns the path of a key below parent. A key that contains a dot, a slash or a bracket is
// written in brackets.
func Join(parent, key string) string {
	if strings.ContainsAny(key, ".[/") {
		return parent + "[" + key + "]"
	}
	if parent == "" {
		return key
	}
	return parent + "." + key
}

// Index returns the path of item i of the list at parent.
func Index(parent string, i int) string { return parent + "[" + strconv.Itoa(i) + "]" }

// WithoutIndices returns the path without its parts in brackets, so that all items of a list have
// the same path.
func WithoutIndices(path string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(path, "[")
		_, after, closed := strings.Cut(rest, "]")
		if !ok || !closed {
			b.WriteString(path)
			return b.String()
		}
		b.WriteString(before)
		path = after
	}
}

// SplitError splits the text of an error of the YAML library into line and message. The library
// gives the line only in the text. Line is 0 if there is none.
func SplitError(text string) (line int, message string) {
	text = strings.TrimPrefix(text, "yaml: ")
	rest, ok := strings.CutPrefix(text, "line ")
	if !ok {
		return 0, text
	}
	number, message, ok := strings.Cut(rest, ": ")
	line, err := strconv.Atoi(number)
	if !ok || err != nil {
		return 0, text
	}
	return line, message
}

// LineAt returns the line, counted from 1, of the byte at offset.
func LineAt(data []byte, offset int) int { return 1 + bytes.Count(data[:offset], []byte("\n")) }

// FlowDepth returns an upper bound of how deep flow collections ([...] and {...}) nest in data.
// It counts brackets in strings and comments too. The time the YAML scanner takes per token grows
// with this depth, so callers check it before they parse.
func FlowDepth(data []byte) int {
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
