package model

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/input/yamlpos"
)

// Limits of the manifests that are annotated. Guardrails are validated before a run, but the files
// of a run folder may have been edited since.
const (
	maxBytes = 256 << 10
	maxDepth = 64
	maxLines = 4000
)

// object is one YAML document of the guardrails.
type object struct {
	root *yaml.Node
}

// objects parses a manifest. If it is not valid YAML, objects returns an error and the objects
// before it.
func objects(data []byte) (all []object, err error) {
	if len(data) > maxBytes || !utf8.Valid(data) || yamlpos.FlowDepth(data) > maxDepth {
		return nil, errors.New("the file is too large, too deeply nested or not text")
	}
	defer func() {
		if p := recover(); p != nil { // the YAML library misses some of its own panics
			err = fmt.Errorf("invalid YAML: %v", p)
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		switch err := d.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return all, fmt.Errorf("invalid YAML: %w", err)
		}
		if len(doc.Content) == 1 && doc.Content[0].Kind == yaml.MappingNode {
			all = append(all, object{doc.Content[0]})
		}
	}
}

// field is a field of an object.
type field struct{ yamlpos.Field }

// at returns the field at a path, or false if the object does not set it.
func (o object) at(path ...string) (field, bool) {
	f, ok := yamlpos.Root(o.root).Find(path...)
	return field{f}, ok
}

// nearest returns the field at a path, or the innermost field around it that the object sets.
func (o object) nearest(path ...string) field {
	return field{yamlpos.Root(o.root).Nearest(path...)}
}

// text returns the value of a scalar field, or "".
func (o object) text(path ...string) string {
	if f, ok := o.at(path...); ok && f.Value.Kind == yaml.ScalarNode {
		return f.Value.Value
	}
	return ""
}

// items returns the items of a list.
func (o object) items(path ...string) []field {
	f, _ := o.at(path...)
	var all []field
	for _, item := range f.Items() {
		all = append(all, field{item})
	}
	return all
}

// lines returns the first and the last line of a field.
func (f field) lines() (from, to int) {
	from, to = f.Key.Line, f.Key.Line
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
	walk(f.Value)
	return from, to
}

// head returns the first line of a field.
func (f field) head() field {
	line := &yaml.Node{Line: f.Key.Line}
	return field{yamlpos.Field{Key: line, Value: line}}
}
