package guardrail

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"

	"coalmine/lab/input/yamlpos"
)

// fieldChecker compares a node tree with the Go type that it will be decoded into, so that each
// error has a line. The strict JSON decoder runs afterwards and knows only paths.
type fieldChecker struct {
	document *document
	findings []Finding
	// kind is the kind of the object.
	kind string
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func (c *fieldChecker) fail(n *yaml.Node, path, message, hint string) {
	f := c.document.finding(path, message, hint)
	if c.document.origin == nil {
		f.Line, f.Column = n.Line, n.Column // in a mapping that is merged, or for a key that occurs twice
	}
	c.findings = append(c.findings, f)
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

// quantityPattern matches the quantities that are cheap to parse. resource.ParseQuantity computes
// the power of ten of any exponent, which takes minutes for "1e-2147483648".
var quantityPattern = regexp.MustCompile(
	`^[+-]?([0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20})([eE][+-]?[0-9]{1,2}|[KMGTPE]i|[numkMGTPE])?$`)

// checkUnmarshaler checks a type that decodes itself, such as Quantity, IntOrString or Time.
func (c *fieldChecker) checkUnmarshaler(t reflect.Type, n *yaml.Node, path string) {
	if t == reflect.TypeFor[resource.Quantity]() && !isQuantity(n) {
		c.fail(n, path, describe(n)+" is not a valid Quantity",
			"write a number with an optional unit, such as 500m or 2Gi")
		return
	}
	if unmarshalNode(t, n) != nil {
		c.fail(n, path, describe(n)+" is not a valid "+t.Name(), "see the documentation of the field")
	}
}

// isQuantity reports whether the quantity that a node is decoded to is cheap to parse.
func isQuantity(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode {
		return false
	}
	data, err := nodeJSON(n)
	return err == nil && quantityPattern.Match(bytes.Trim(data, `"`))
}

func unmarshalNode(t reflect.Type, n *yaml.Node) error {
	data, err := nodeJSON(n)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, reflect.New(t).Interface())
}

func (c *fieldChecker) checkStruct(t reflect.Type, n *yaml.Node, path string) {
	if n.Kind != yaml.MappingNode {
		c.fail(n, path, "must be a mapping, not "+describe(n), "write its fields below it, indented")
		return
	}
	fields := jsonFields(t)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, fieldPath := n.Content[i], joinPath(path, n.Content[i].Value)
		field, ok := fields[key.Value]
		if !ok {
			c.failUnknown(key, fieldPath, fields)
			continue
		}
		c.check(field, n.Content[i+1], fieldPath)
	}
}

func (c *fieldChecker) failUnknown(key *yaml.Node, path string, fields map[string]reflect.Type) {
	c.fail(key, path, "unknown field", unknownFieldHint(key.Value, fields))
}

func unknownFieldHint(key string, fields map[string]reflect.Type) string {
	if s := closest(key, fields); s != "" {
		return "did you mean " + s + "?"
	}
	if len(fields) > 8 {
		return "remove it"
	}
	return "the fields here are " + strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
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
	switch {
	case t.Elem().Kind() == reflect.Uint8:
		if unmarshalNode(t, n) != nil {
			c.fail(n, path, "is not base64", "encode the value, or write it as plain text under stringData")
		}
	case n.Kind != yaml.SequenceNode:
		c.fail(n, path, "must be a list, not "+describe(n), "write its items below it, each after a dash")
	default:
		for i, item := range n.Content {
			c.check(t.Elem(), item, yamlpos.Index(path, i))
		}
	}
}

func (c *fieldChecker) checkScalar(t reflect.Type, n *yaml.Node, path string) {
	if n.Kind == yaml.ScalarNode && fits(t, n) {
		return
	}
	if c.kind == "Canary" && isDurationField(path) && n.ShortTag() == "!!int" {
		message, hint := noUnit(n.Value)
		c.fail(n, path, message, hint)
		return
	}
	want, hint := scalarName(t), "write "+scalarName(t)
	switch {
	case want == "an integer" && n.ShortTag() == "!!int":
		c.fail(n, path, fmt.Sprintf("%s does not fit in %d bits", Clip(n.Value), t.Bits()), "write a smaller number")
		return
	case want == "a string" && n.Kind == yaml.ScalarNode:
		hint = "put it in quotes"
	}
	c.fail(n, path, "must be "+want+", not "+describe(n), hint)
}

// isDurationField reports whether a field of a Canary holds a duration, such as 30s.
func isDurationField(path string) bool {
	switch yamlpos.WithoutIndices(path) {
	case "spec.analysis.interval", "spec.analysis.metrics.interval", "spec.analysis.webhooks.timeout":
		return true
	}
	return false
}

// noUnit is the finding about a duration that is only a number.
func noUnit(number string) (message, hint string) {
	return fmt.Sprintf("%q has no unit", Clip(number)), "write " + Clip(number) + "s"
}

func scalarName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint, reflect.Uint64:
		return "a non-negative integer"
	default:
		return "an integer"
	}
}

// fits reports whether the scalar can be decoded into the type.
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
		return "the number " + Clip(n.Value)
	case "!!bool":
		return "the boolean " + Clip(n.Value)
	}
	return fmt.Sprintf("the string %q", Clip(n.Value))
}

// jsonFields returns the fields of a struct as encoding/json sees them, with those of embedded
// structs.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type)
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case name == "" && f.Anonymous && f.Type.Kind() == reflect.Struct:
			maps.Copy(fields, jsonFields(f.Type))
		case name == "":
			fields[f.Name] = f.Type
		default:
			fields[name] = f.Type
		}
	}
	return fields
}
