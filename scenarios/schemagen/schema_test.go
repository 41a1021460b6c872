package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"coalmine/scenarios"
)

const published = "../schema.json"

func TestPublishedSchemaIsOfTheWireTypes(t *testing.T) {
	want, err := render("../..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(published)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("schema.json is of older types; run go generate ./scenarios (-want +got):\n%s", diff)
	}
}

func TestSchemaDescribesItsFields(t *testing.T) {
	comments, err := readComments("../..")
	if err != nil {
		t.Fatal(err)
	}
	top := document(comments)
	if d := top.Defs["Fault"].Properties["share"].Description; !strings.HasPrefix(d, "Share of the matching requests") {
		t.Errorf("the description of a fault's share is %q", d)
	}
	for name, def := range top.Defs {
		if def.Description == "" {
			t.Errorf("%s has no description", name)
		}
	}
}

// TestLibraryFollowsTheSchema checks the library as an editor with the published schema would.
func TestLibraryFollowsTheSchema(t *testing.T) {
	top := load(t)
	names, err := scenarios.Names(scenarios.Library())
	if err != nil || len(names) == 0 {
		t.Fatalf("the library has %d scenarios, error %v", len(names), err)
	}
	for _, name := range names {
		folder, err := scenarios.Open(scenarios.Library(), name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := folder.Text(scenarios.FileScenario)
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range validate(t, top, data) {
			t.Errorf("%s: %s", path.Join(name, scenarios.FileScenario), finding)
		}
	}
}

// TestSchemaRefuses keeps the checker of this test honest.
func TestSchemaRefuses(t *testing.T) {
	top := load(t)
	for text, want := range map[string]string{
		"kind: Scenario\nmetadata: {name: x}\nspec: {}":                    "apiVersion is missing",
		"apiVersion: other\nkind: Scenario\nmetadata: {name: x}\nspec: {}": "apiVersion: is other",
		"metadata: {name: 7}": "metadata.name: is !!int, want string",
		"metadata: {nam: x}":  "metadata.nam is unknown",
		"spec: {timing: {baseline: 2 minutes, horizon: 1m}}":                                 "spec.timing.baseline: \"2 minutes\" does not match",
		"spec: {services: [{versions: {v1: {behaviour: {faults: [{when: {uptime: 1}}]}}}}]}": "spec.services[0].versions.v1.behaviour.faults[0].when.uptime: is !!int",
		"spec: {traffic: {cohorts: [{mix: {home: lots}}]}}":                                  "spec.traffic.cohorts[0].mix.home: is !!str, want number",
		"spec: {level: 1.5}":            "spec.level: is !!float, want integer",
		"spec: {clients: {name: edge}}": "spec.clients: is !!map, want array",
		"spec: {services: [{versions: {v1: {behaviour: {capacity: {concurrency: 1, queues: 3}}}}}]}": "behaviour.capacity.queues is unknown",
	} {
		found := validate(t, top, []byte(text))
		if !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, want) }) {
			t.Errorf("%q: no finding says %q: %q", text, want, found)
		}
	}
}

func load(t *testing.T) *schema {
	t.Helper()
	data, err := os.ReadFile(published)
	if err != nil {
		t.Fatal(err)
	}
	var top schema
	if err := json.Unmarshal(data, &top); err != nil {
		t.Fatal(err)
	}
	return &top
}

func validate(t *testing.T, top *schema, data []byte) []string {
	t.Helper()
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	v := &validator{defs: top.Defs}
	v.check("", top, root.Content[0])
	return v.found
}

// validator checks YAML against the part of JSON Schema that schemagen writes.
type validator struct {
	defs  map[string]*schema
	found []string
}

func (v *validator) add(format string, args ...any) {
	v.found = append(v.found, fmt.Sprintf(format, args...))
}

func (v *validator) check(at string, s *schema, n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if def, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
		s = v.defs[def]
	}
	tags := map[string][]string{
		"object": {"!!map"}, "array": {"!!seq"}, "string": {"!!str"}, "boolean": {"!!bool"}, "integer": {"!!int"}, "number": {"!!int", "!!float"},
	}
	switch {
	case !slices.Contains(tags[s.Type], n.Tag):
		v.add("%s: is %s, want %s", at, n.Tag, s.Type)
	case s.Const != "" && n.Value != s.Const:
		v.add("%s: is %s, want %s", at, n.Value, s.Const)
	case s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(n.Value):
		v.add("%s: %q does not match %s", at, n.Value, s.Pattern)
	case s.Type == "object":
		v.object(at, s, n)
	case s.Type == "array":
		for i, item := range n.Content {
			v.check(fmt.Sprintf("%s[%d]", at, i), s.Items, item)
		}
	}
}

func (v *validator) object(at string, s *schema, n *yaml.Node) {
	missing := slices.Clone(s.Required)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		below := strings.TrimPrefix(at+"."+key, ".")
		missing = slices.DeleteFunc(missing, func(name string) bool { return name == key })
		switch property, known := s.Properties[key]; {
		case known:
			v.check(below, property, n.Content[i+1])
		case len(s.Properties) > 0:
			v.add("%s is unknown", below)
		default:
			v.check(below, v.values(s), n.Content[i+1])
		}
	}
	for _, name := range missing {
		v.add("%s is missing", strings.TrimPrefix(at+"."+name, "."))
	}
}

// values returns the schema of a map's values, which came out of JSON untyped.
func (v *validator) values(s *schema) *schema {
	data, err := json.Marshal(s.Additional)
	if err != nil {
		panic(err)
	}
	var values schema
	if err := json.Unmarshal(data, &values); err != nil {
		panic(err)
	}
	return &values
}
