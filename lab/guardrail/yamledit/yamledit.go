// Package yamledit changes fields of YAML text and leaves all else as it is written: comments,
// order, quotes and indentation.
package yamledit

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Change is a value in the text and what it becomes. Old has the positions of the text; New is
// changed from a copy of it, so that what stayed has the same positions.
type Change struct{ Old, New *yaml.Node }

// Clone copies a tree.
func Clone(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, item := range n.Content {
		c.Content[i] = Clone(item)
	}
	return &c
}

// Apply returns the text with the changes. If the text cannot be edited in place, the document is
// written again, with its comments but not its layout.
func Apply(text []byte, changes []Change) ([]byte, error) {
	want, err := expected(text, changes)
	if err != nil {
		return nil, err
	}
	e := &editor{lines: strings.SplitAfter(string(text), "\n")}
	for _, c := range changes {
		e.diff(c.Old, c.New)
	}
	if !e.failed {
		edited := e.text()
		if got, err := decode(edited); err == nil && same(got, want) {
			return edited, nil
		}
	}
	return encode(want)
}

// expected returns the documents of the text with the changes.
func expected(text []byte, changes []Change) ([]*yaml.Node, error) {
	docs, err := decode(text)
	if err != nil {
		return nil, err
	}
	for i, d := range docs {
		for _, c := range changes {
			docs[i] = replace(d, c)
			d = docs[i]
		}
	}
	return docs, nil
}

// replace returns the tree with the value at the place of c.Old replaced.
func replace(n *yaml.Node, c Change) *yaml.Node {
	if n.Kind == c.Old.Kind && n.Line == c.Old.Line && n.Column == c.Old.Column && n.Kind != yaml.DocumentNode {
		return c.New
	}
	for i, item := range n.Content {
		n.Content[i] = replace(item, c)
	}
	return n
}

func decode(text []byte) (docs []*yaml.Node, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, err
		}
		docs = append(docs, &n)
	}
}

func encode(docs []*yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	for _, d := range docs {
		if err := enc.Encode(d); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), enc.Close()
}

// same reports whether the documents have the same values.
func same(a, b []*yaml.Node) bool {
	return slices.EqualFunc(a, b, sameValue)
}

func sameValue(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.Value == b.Value && (a.Kind != yaml.ScalarNode || a.ShortTag() == b.ShortTag()) &&
		slices.EqualFunc(a.Content, b.Content, sameValue)
}
