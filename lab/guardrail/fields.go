package guardrail

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// fieldChecker compares a node tree with the Go type that it will be decoded into, so that an error has the line of the
// field that is wrong. The strict JSON decoder, which has the last word, knows only paths.
type fieldChecker struct {
	file     string
	findings []Finding
	// hints explains fields that production knows and the type does not, by path without indices.
	hints map[string]string
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func (c *fieldChecker) fail(n *yaml.Node, path, what, todo string) {
	c.findings = append(c.findings, Finding{Position: Position{File: c.file, Line: n.Line}, Field: path, Message: what, Hint: todo})
}

// check compares the node with the type.
func (c *fieldChecker) check(t reflect.Type, n *yaml.Node, path string) {
	if isNull(n) {
		return
	}
	if t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(unmarshaler) {
		c.checkUnmarshaler(t, n, path)
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		c.check(t.Elem(), n, path)
	case reflect.Struct:
		c.checkStruct(t, n, path)
	case reflect.Map:
		c.checkMap(t, n, path)
	case reflect.Slice:
		c.checkSlice(t, n, path)
	case reflect.Interface:
	default:
		c.checkScalar(t, n, path)
	}
}

// checkUnmarshaler lets a type that reads itself (Quantity, IntOrString, Time) try the value.
func (c *fieldChecker) checkUnmarshaler(t reflect.Type, n *yaml.Node, path string) {
	data, err := nodeJSON(n)
	if err == nil {
		err = json.Unmarshal(data, reflect.New(t).Interface())
	}
	if err != nil {
		c.fail(n, path, "cannot read "+describe(n)+" as "+t.Name(), "see the field's documentation for its form")
	}
}

func (c *fieldChecker) checkStruct(t reflect.Type, n *yaml.Node, path string) {
	if n.Kind != yaml.MappingNode {
		c.fail(n, path, "must be a mapping, not "+describe(n), "write its fields below it, indented")
		return
	}
	fields := jsonFields(t)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, at := n.Content[i], joinPath(path, n.Content[i].Value)
		field, ok := fields[key.Value]
		if !ok {
			c.failUnknown(key, at, fields)
			continue
		}
		c.check(field, n.Content[i+1], at)
	}
}

func (c *fieldChecker) failUnknown(key *yaml.Node, path string, fields map[string]reflect.Type) {
	if hint, ok := c.hints[withoutIndices(path)]; ok {
		c.fail(key, path, "is not modelled in the lab", hint)
		return
	}
	c.fail(key, path, "unknown field", unknownFieldHint(key.Value, fields))
}

func unknownFieldHint(key string, fields map[string]reflect.Type) string {
	if s := closest(key, fields); s != "" {
		return "did you mean " + s + "?"
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) > 8 {
		return "take it out"
	}
	return "the fields here are " + strings.Join(names, ", ")
}

func withoutIndices(path string) string {
	var b strings.Builder
	for {
		open := strings.IndexByte(path, '[')
		if open < 0 {
			break
		}
		length := strings.IndexByte(path[open:], ']')
		if length < 0 {
			break
		}
		b.WriteString(path[:open])
		path = path[open+length+1:]
	}
	return b.String() + path
}

func (c *fieldChecker) checkMap(t reflect.Type, n *yaml.Node, path string) {
	if n.Kind != yaml.MappingNode {
		c.fail(n, path, "must be a mapping, not "+describe(n), "write key: value pairs below it, indented")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		c.check(t.Elem(), n.Content[i+1], joinPath(path, n.Content[i].Value))
	}
}

func (c *fieldChecker) checkSlice(t reflect.Type, n *yaml.Node, path string) {
	if t.Elem().Kind() == reflect.Uint8 {
		c.checkBytes(t, n, path)
		return
	}
	if n.Kind != yaml.SequenceNode {
		c.fail(n, path, "must be a list, not "+describe(n), "write its items below it, each behind a dash")
		return
	}
	for i, item := range n.Content {
		c.check(t.Elem(), item, indexPath(path, i))
	}
}

func (c *fieldChecker) checkBytes(t reflect.Type, n *yaml.Node, path string) {
	data, err := nodeJSON(n)
	if err == nil {
		err = json.Unmarshal(data, reflect.New(t).Interface())
	}
	if err != nil {
		c.fail(n, path, "is not base64", "encode the value, or write it as text under stringData")
	}
}

func (c *fieldChecker) checkScalar(t reflect.Type, n *yaml.Node, path string) {
	want := scalarName(t)
	if n.Kind != yaml.ScalarNode || !fits(t, n) {
		todo := "correct the value"
		if t.Kind() == reflect.String && n.Kind == yaml.ScalarNode {
			todo = "put it in quotes"
		}
		c.fail(n, path, "must be "+want+", not "+describe(n), todo)
	}
}

func scalarName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint, reflect.Uint64:
		return fmt.Sprintf("a whole number from 0 that fits %d bits", t.Bits())
	default:
		return fmt.Sprintf("a whole number that fits %d bits", t.Bits())
	}
}

func fits(t reflect.Type, n *yaml.Node) bool {
	tag := n.ShortTag()
	zero := reflect.Zero(t)
	switch t.Kind() {
	case reflect.String:
		return tag == "!!str" || tag == "!!timestamp"
	case reflect.Bool:
		return tag == "!!bool"
	case reflect.Float32, reflect.Float64:
		var f float64
		return (tag == "!!int" || tag == "!!float") && n.Decode(&f) == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var i int64
		return tag == "!!int" && n.Decode(&i) == nil && !zero.OverflowInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var u uint64
		return tag == "!!int" && n.Decode(&u) == nil && !zero.OverflowUint(u)
	}
	return false
}

// describe names a value in an error.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "the number " + clip(n.Value)
	case "!!bool":
		return "the boolean " + clip(n.Value)
	}
	return "the text " + fmt.Sprintf("%q", clip(n.Value))
}

// jsonFields are the fields of a struct as encoding/json sees them, embedded structs included.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type)
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case name == "" && f.Anonymous && f.Type.Kind() == reflect.Struct:
			for k, v := range jsonFields(f.Type) {
				fields[k] = v
			}
		case name == "":
			fields[f.Name] = f.Type
		default:
			fields[name] = f.Type
		}
	}
	return fields
}

// closest is the known field that a misspelt one most likely stands for, "" if none is near.
func closest(key string, fields map[string]reflect.Type) string {
	if len(key) > 64 {
		return ""
	}
	best, distance := "", 1+len(key)/3
	for name := range fields {
		d := editDistance(strings.ToLower(key), strings.ToLower(name))
		if d < distance || d == distance && (best == "" || name < best) {
			best, distance = name, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions, substitutions and swaps of neighbours that turn a into b (the optimal
// string alignment distance).
func editDistance(a, b string) int {
	older, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			substitution := last[j-1]
			if a[i-1] != b[j-1] {
				substitution++
			}
			row[j] = min(last[j]+1, row[j-1]+1, substitution)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, last, row = last, row, older
	}
	return last[len(b)]
}
