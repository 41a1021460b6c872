package guardrail

import (
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"

	"coalmine/lab/input/yamlpos"
)

// fieldSchema is the part of a CRD's schema by which the test makes and damages values.
type fieldSchema struct {
	Type                 string                  `json:"type"`
	Properties           map[string]*fieldSchema `json:"properties"`
	Required             []string                `json:"required"`
	Items                *fieldSchema            `json:"items"`
	AdditionalProperties json.RawMessage         `json:"additionalProperties"`
	Enum                 []any                   `json:"enum"`
	Pattern              string                  `json:"pattern"`
	Minimum              *int                    `json:"minimum"`
	Maximum              *int                    `json:"maximum"`
	MinLength            *int                    `json:"minLength"`
	MaxLength            *int                    `json:"maxLength"`
	MinItems             *int                    `json:"minItems"`
	MaxItems             *int                    `json:"maxItems"`
	OneOf                []struct {
		Required []string `json:"required"`
	} `json:"oneOf"`
	IntOrString bool `json:"x-kubernetes-int-or-string"`
	Preserve    bool `json:"x-kubernetes-preserve-unknown-fields"`
}

// TestEveryDamageIsRefused damages each field that the CRDs have, in each way that the schema tells to
// be wrong: another type, an unknown or missing field, and values outside of the enum, the pattern and
// the bounds. Each is refused at its line, by its path.
func TestEveryDamageIsRefused(t *testing.T) {
	files, err := filepath.Glob("crd/schemas/*")
	if err != nil || len(files) == 0 {
		t.Fatal("no schemas", err)
	}
	for _, file := range files {
		name, group, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), ".")
		for version, s := range readSchemas(t, file) {
			k, problem := findKind(group+"/"+version, name)
			if k == nil || problem != nil {
				continue
			}
			t.Run(name+"."+version, func(t *testing.T) {
				t.Parallel()
				d := &damager{t: t, random: rand.New(rand.NewPCG(1, 1)), apiVersion: group + "/" + version, kind: name}
				d.top = s
				if d.walk(s.Properties["spec"], []string{"spec"}); d.n < 10 {
					t.Errorf("%d damages only", d.n)
				}
				t.Logf("%d damages", d.n)
			})
		}
	}
}

func readSchemas(t *testing.T, file string) map[string]*fieldSchema {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Versions []struct {
			Version string       `json:"version"`
			Schema  *fieldSchema `json:"schema"`
		} `json:"versions"`
	}
	if err := sigsyaml.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	schemas := map[string]*fieldSchema{}
	for _, v := range d.Versions {
		if v.Schema != nil {
			schemas[v.Version] = v.Schema
		}
	}
	return schemas
}

// damager damages one version of a kind.
type damager struct {
	t                *testing.T
	random           *rand.Rand
	apiVersion, kind string
	top              *fieldSchema
	n                int
}

const item = "[]" // the step of a path into a list

// walk damages a field and all below it.
func (d *damager) walk(s *fieldSchema, path []string) {
	for _, value := range d.wrong(s) {
		d.refused(path, value)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		d.walk(s.Properties[name], append(slices.Clip(path), name))
	}
	if s.Items != nil {
		d.walk(s.Items, append(slices.Clip(path), item))
	}
	if values := s.values(); values != nil {
		d.walk(values, append(slices.Clip(path), "key"))
	}
	if len(s.Properties) > 0 && !s.Preserve {
		d.refused(append(slices.Clip(path), "unknownField"), "value")
	}
	for _, name := range s.Required {
		if s.Type != "object" {
			continue // the CRD of the Canary demands fields of a list, which has none
		}
		d.missing(append(slices.Clip(path), name))
	}
}

// values returns the schema of the values of a map with any keys.
func (s *fieldSchema) values() *fieldSchema {
	var v fieldSchema
	if json.Unmarshal(s.AdditionalProperties, &v) != nil {
		return nil
	}
	return &v
}

// wrong returns values that the schema excludes.
func (d *damager) wrong(s *fieldSchema) []any {
	var list []any
	types := map[string]any{"string": map[string]any{"a": "b"}, "integer": "many", "number": "many", "boolean": "maybe",
		"array": "text", "object": "text"}
	if v, ok := types[s.Type]; ok {
		list = append(list, v)
	}
	switch s.Type {
	case "string":
		list = append(list, 7+d.random.IntN(100), []any{"a"})
	case "integer", "number", "boolean":
		list = append(list, []any{1})
	case "array", "object":
		list = append(list, d.random.IntN(100))
	}
	if s.IntOrString {
		list = append(list, []any{1}, map[string]any{"a": 1})
	}
	if len(s.Enum) > 0 && s.Type == "string" {
		list = append(list, "none-of-them")
	}
	if s.Pattern != "" {
		for _, text := range []string{"", "%%", "_ _", "-", "/ /"} {
			if !regexp.MustCompile(s.Pattern).MatchString(text) {
				list = append(list, text)
				break
			}
		}
	}
	return append(list, d.outside(s)...)
}

// outside returns values beyond the bounds of the schema.
func (d *damager) outside(s *fieldSchema) []any {
	var list []any
	if s.Minimum != nil {
		list = append(list, *s.Minimum-1)
	}
	if s.Maximum != nil {
		list = append(list, *s.Maximum+1)
	}
	if s.MinLength != nil && *s.MinLength > 0 {
		list = append(list, strings.Repeat("a", *s.MinLength-1))
	}
	if s.MaxLength != nil {
		list = append(list, strings.Repeat("a", *s.MaxLength+1))
	}
	if s.MinItems != nil && *s.MinItems > 0 {
		list = append(list, []any{})
	}
	if s.MaxItems != nil {
		var many []any
		for range *s.MaxItems + 1 {
			many = append(many, s.Items.sample())
		}
		list = append(list, many)
	}
	return list
}

// sample returns a small value that the schema admits.
func (s *fieldSchema) sample() any {
	switch s.Type {
	case "object":
		m := map[string]any{}
		required := slices.Clone(s.Required)
		if len(s.OneOf) > 0 {
			required = append(required, s.OneOf[0].Required...)
		}
		for _, name := range required {
			if p := s.Properties[name]; p != nil {
				m[name] = p.sample()
			}
		}
		return m
	case "array":
		return []any{s.Items.sample()}
	case "boolean":
		return true
	case "integer", "number":
		if s.Minimum != nil {
			return *s.Minimum
		}
		return 1
	}
	if len(s.Enum) > 0 {
		return s.Enum[0]
	}
	for _, text := range []string{"a", "10s", "/a", "http://a.b/c", "GET", "80"} {
		if s.Pattern == "" || regexp.MustCompile(s.Pattern).MatchString(text) {
			return text
		}
	}
	return ""
}

// object returns an object that has the field at a path, and what it needs around it.
func (d *damager) object(path []string, value any) map[string]any {
	top := map[string]any{"apiVersion": d.apiVersion, "kind": d.kind,
		"metadata": map[string]any{"name": "backend", "namespace": "develop"}}
	top["spec"] = place(d.top.Properties["spec"], path[1:], value)
	return top
}

// place returns a sample of the schema with a value at the path.
func place(s *fieldSchema, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if path[0] == item {
		return []any{place(s.Items, path[1:], value)}
	}
	m, ok := s.sample().(map[string]any)
	if !ok {
		m = map[string]any{} // the schema says nothing of the type
	}
	if s.Properties["templateRef"] != nil {
		m["name"] = "request-success-rate" // another metric is refused for what it lacks
	}
	below := s.Properties[path[0]]
	if below == nil {
		below = s.values()
	}
	m[path[0]] = place(below, path[1:], value)
	return m
}

// refused expects an object with a wrong value to be refused for it.
func (d *damager) refused(path []string, value any) {
	d.t.Helper()
	field := fieldPath(path)
	d.check(d.object(path, value), field, field)
}

// missing expects an object without a required field to be refused for that.
func (d *damager) missing(path []string) {
	d.t.Helper()
	within := path[:len(path)-1]
	object := d.object(path, "x")
	parent := yamlpos.Split(fieldPath(within))
	var at any = object
	for _, step := range parent {
		switch v := at.(type) {
		case map[string]any:
			at = v[step]
		case []any:
			at = v[0]
		}
	}
	delete(at.(map[string]any), path[len(path)-1])
	d.check(object, fieldPath(path), fieldPath(within))
}

func fieldPath(path []string) string {
	return strings.ReplaceAll(strings.Join(path, "."), "."+item, "[0]")
}

// refusedWhole are fields that are refused whatever is in them, or by the numbers in them.
func refusedWhole() []string {
	return []string{"spec.ingressRef", "spec.routeRef", "spec.upstreamRef",
		"spec.autoscalerRef.primaryScalerReplicas"}
}

// about reports whether a finding is about a field. One that is missing may be named by what it needs,
// and one of several that are refused by the whole.
func about(f Finding, field string) bool {
	return f.Field == field || strings.HasPrefix(f.Field, field+".") ||
		slices.Contains(refusedWhole(), f.Field) && strings.HasPrefix(field, f.Field+".")
}

// check expects an error about a field, at the line of the field at, or of the nearest around it.
func (d *damager) check(object map[string]any, field, at string) {
	d.t.Helper()
	d.n++
	data, err := yaml.Marshal(object)
	if err != nil {
		d.t.Fatal(err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		d.t.Fatal(err)
	}
	near := yamlpos.Root(root.Content[0]).Nearest(yamlpos.Split(at)...)
	_, err = Parse(map[string][]byte{"all.yaml": data}, Environment{Namespace: "develop", Targets: []string{"backend"}})
	var found Errors
	errors.As(err, &found)
	if !slices.ContainsFunc(found, func(f Finding) bool {
		around := yamlpos.Root(root.Content[0]).Nearest(yamlpos.Split(f.Field)...)
		lines := []int{near.Key.Line, near.Value.Line, around.Key.Line}
		return about(f, field) && slices.Contains(lines, f.Line) && f.Column > 0 && f.Message != ""
	}) {
		d.t.Errorf("%s is not refused at line %d, but: %v\n%s", field, near.Key.Line, err, data)
	}
}
