package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"coalmine/lab/guardrail/mapping"
	"coalmine/lab/scenario"
	"coalmine/scenarios"
)

// root is the folder of the module.
const root = "../../.."

func TestPublishedSchemasAreUpToDate(t *testing.T) {
	files, err := render(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is out of date; run go generate ./scenarios (-want +got):\n%s", name, diff)
		}
	}
}

func TestSchemasHaveDescriptions(t *testing.T) {
	for file, example := range map[string]func(*schema) (description, want string){
		"scenarios/schema.json": func(s *schema) (string, string) {
			return s.Defs["Fault"].Properties["share"].Description, "Share of the matching requests"
		},
		"scenarios/workload.schema.json": func(s *schema) (string, string) {
			return s.Defs["WorkloadSpec"].Properties["rate"].Description, "Rate "
		},
		"scenarios/quiz.schema.json": func(s *schema) (string, string) {
			return s.Defs["FileQuestion"].Properties["unit"].Description, "Unit is that of a number"
		},
	} {
		top := load(t, file)
		if d, want := example(top); !strings.HasPrefix(d, want) {
			t.Errorf("%s: description is %q, want prefix %q", file, d, want)
		}
		for name, def := range top.Defs {
			if def.Description == "" {
				t.Errorf("%s: %s has no description", file, name)
			}
		}
	}
}

// The brackets of Go's doc links are removed from descriptions, other brackets are kept.
func TestOneLine(t *testing.T) {
	if got := oneLine("See [Items], [Router.Route]\nand [0, 1]."); got != "See Items, Router.Route and [0, 1]." {
		t.Errorf("oneLine returned %q", got)
	}
}

// An editor that uses the published schema accepts every scenario of the library.
func TestLibraryMatchesTheSchema(t *testing.T) {
	top := load(t, "scenarios/schema.json")
	names, err := scenario.Names(scenarios.Library())
	if err != nil || len(names) == 0 {
		t.Fatalf("the library has %d scenarios, error %v", len(names), err)
	}
	for _, name := range names {
		folder, err := scenario.Open(scenarios.Library(), name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := folder.Text(scenario.FileScenario)
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range validate(t, top, data) {
			t.Errorf("%s: %s", path.Join(name, scenario.FileScenario), finding)
		}
	}
}

func TestWorkloadsMatchTheSchema(t *testing.T) {
	top := load(t, "scenarios/workload.schema.json")
	files, err := filepath.Glob("../../../scenarios/workloads/*.yaml")
	if err != nil || len(files) != len(scenario.WorkloadNames()) {
		t.Fatalf("there are %d files for %d workloads, error %v", len(files), len(scenario.WorkloadNames()), err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range validate(t, top, data) {
			t.Errorf("%s: %s", name, finding)
		}
	}
}

// TestQuizzesMatchTheSchema validates every quiz of the library, and what an editor would mark as wrong.
func TestQuizzesMatchTheSchema(t *testing.T) {
	top := load(t, "scenarios/quiz.schema.json")
	files, err := filepath.Glob("../../../scenarios/*/quiz.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are %d quizzes, error %v", len(files), err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range validate(t, top, data) {
			t.Errorf("%s: %s", name, finding)
		}
	}
	for text, want := range map[string]string{
		"questions: [{question: Q, why: W, kind: choice}]":    "questions[0].kind: is choice, want one of",
		"questions: [{question: Q, why: W, at: noon}]":        "questions[0].at: is noon, want one of",
		"questions: [{question: Q, why: W, answer: [A]}]":     "questions[0].answer: is !!seq",
		"questions: [{question: Q, why: W, tolerance: true}]": "questions[0].tolerance: is !!bool",
		"questions: [{question: Q, option: [a, b]}]":          "questions[0].why is missing",
		"questions: [{question: Q, why: W, option: [a, b]}]":  "questions[0].option is unknown",
	} {
		if found := validate(t, top, []byte(text)); !anyContains(found, want) {
			t.Errorf("%q: no finding contains %q: %q", text, want, found)
		}
	}
}

// What an editor with the schema marks as wrong, the decoder refuses.
func TestSchemaAndDecoderAgree(t *testing.T) {
	top := load(t, "scenarios/workload.schema.json")
	good, err := os.ReadFile("../../../scenarios/workloads/browse.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ old, new, schema, decoder string }{
		{"rate: {constant: 50}", "rate: {constant: fifty}", "spec.rate.constant: is !!str, want number",
			"cannot unmarshal !!str `fifty` into float64"},
		{"rate: {constant: 50}", "rate: {steady: 50}", "spec.rate.steady is unknown", "Curve has no field steady"},
		{"  rate:", "  bounds: {}\n  rate:", "spec.bounds is unknown",
			"WorkloadSpec has no field bounds: see scenarios/workload.schema.json"},
		{"  rate:", "  replay: {log: a, lines: []}\n  rate:", "spec.replay.lines is unknown",
			"Replay has no field lines"},
		{"  rate:", "  services: []\n  rate:", "spec.services is unknown", "WorkloadSpec has no field services"},
		{"catalogue: {item: 8, catalogue: 2}", "catalogue: {item: much}", "next.catalogue.item: is !!str, want number",
			"cannot unmarshal !!str `much` into float64"},
		{"catalogue: {item: 8, catalogue: 2}", "catalogue: 8", "next.catalogue: is !!int, want object",
			"cannot unmarshal !!int `8` into map[string]float64"},
		{"{p50: 5s, p99: 45s}", "{p50: 5 seconds, p99: 45s}", "\"5 seconds\" does not match",
			"cannot unmarshal !!str `5 seconds` into time.Duration"},
		{"max: 2s", "max: 2s\n        on: [never]", "retry.on[0]: is !!str, want integer",
			"cannot unmarshal !!str `never` into int"},
		{"ignoreSetCookie: true", "ignoreSetCookie: sometimes", "ignoreSetCookie: is !!str, want boolean",
			"cannot unmarshal !!str `sometimes` into bool"},
		{"kind: Workload", "kind: Scenario", "kind: is Scenario, want Workload", "and kind \"Scenario\""},
	} {
		if !strings.Contains(string(good), test.old) {
			t.Fatalf("%q is not in the workload", test.old)
		}
		data := []byte(strings.Replace(string(good), test.old, test.new, 1))
		if found := validate(t, top, data); !anyContains(found, test.schema) {
			t.Errorf("%q: the schema gives %q, want %q", test.new, found, test.schema)
		}
		name := filepath.Join(t.TempDir(), "w.yaml")
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := scenario.OpenWorkload(t.Context(), name)
		if err == nil || !strings.Contains(err.Error(), test.decoder) {
			t.Errorf("%q: the decoder gives %v, want %q", test.new, err, test.decoder)
		}
	}
}

// What an editor marks as wrong in a coalmine.yaml, its reader refuses.
func TestWorkspaceSchemaAndReaderAgree(t *testing.T) {
	top := load(t, "docs/workspace.schema.json")
	const good = "apiVersion: coalmine.dev/v1alpha1\nkind: Workspace\n" +
		"map:\n  podinfo: backend\n  ingress/gate.way: edge\n"
	if found := validate(t, top, []byte(good)); len(found) > 0 {
		t.Errorf("the schema gives %q", found)
	}
	if rules, err := mapping.ParseFile([]byte(good)); err != nil || len(rules) != 2 {
		t.Errorf("the reader gives %v, %v", rules, err)
	}
	for _, change := range []struct{ old, new, want string }{
		{"kind: Workspace\n", "", "kind is missing"},
		{"kind: Workspace", "kind: Scenario", "kind: is Scenario"},
		{"v1alpha1", "v2", "apiVersion: is coalmine.dev/v2"},
		{"map:", "names: {}\nmap:", "names is unknown"},
		{"podinfo: backend", "podinfo: [backend]", "map.podinfo: is !!seq"},
		{"podinfo: backend", "podinfo: Backend", "does not match"},
		{"podinfo: backend", "a/b/c: backend", "map has the key a/b/c"},
		{"podinfo: backend", "-podinfo: backend", "map has the key -podinfo"},
		{"map:\n  podinfo: backend\n  ingress/gate.way: edge\n", "map: [podinfo]\n", "map: is !!seq"},
	} {
		data := []byte(strings.Replace(good, change.old, change.new, 1))
		if found := validate(t, top, data); !anyContains(found, change.want) {
			t.Errorf("%q: the schema gives %q, want %q", change.new, found, change.want)
		}
		if _, err := mapping.ParseFile(data); err == nil {
			t.Errorf("%q: the reader accepts it", change.new)
		}
	}
}

// TestValidator checks that the validator of these tests reports violations.
func TestValidator(t *testing.T) {
	top := load(t, "scenarios/schema.json")
	for text, want := range map[string]string{
		"kind: Scenario\nmetadata: {name: x}\nspec: {}":                    "apiVersion is missing",
		"apiVersion: other\nkind: Scenario\nmetadata: {name: x}\nspec: {}": "apiVersion: is other",
		"metadata: {name: 7}": "metadata.name: is !!int, want string",
		"metadata: {nam: x}":  "metadata.nam is unknown",
		"spec: {timing: {baseline: 2 minutes, horizon: 1m}}": "spec.timing.baseline: " +
			"\"2 minutes\" does not match",
		"spec: {services: [{versions: {v1: {behaviour: {faults: [{when: {uptime: 1}}]}}}}]}": "spec.services[0]" +
			".versions.v1.behaviour.faults[0].when.uptime: is !!int",
		"spec: {traffic: {cohorts: [{mix: {home: lots}}]}}": "spec.traffic.cohorts[0].mix.home: " +
			"is !!str, want number",
		"spec: {level: 1.5}":            "spec.level: is !!float, want integer",
		"spec: {clients: {name: edge}}": "spec.clients: is !!map, want array",
		"spec: {services: [{versions: {v1: {behaviour: {capacity: {concurrency: 1, queues: 3}}}}}]}": "behaviour." +
			"capacity.queues is unknown",
	} {
		if found := validate(t, top, []byte(text)); !anyContains(found, want) {
			t.Errorf("%q: no finding contains %q: %q", text, want, found)
		}
	}
}

// anyContains reports whether any of the findings contains a text.
func anyContains(findings []string, text string) bool {
	return slices.ContainsFunc(findings, func(f string) bool { return strings.Contains(f, text) })
}

func load(t *testing.T, file string) *schema {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, file))
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

// validator validates YAML against the part of JSON Schema that schemagen writes.
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
		"object": {"!!map"}, "array": {"!!seq"}, "string": {"!!str"}, "boolean": {"!!bool"},
		"integer": {"!!int"}, "number": {"!!int", "!!float"},
	}
	switch {
	case len(s.AnyOf) > 0:
		v.anyOf(at, s.AnyOf, n)
	case !slices.Contains(tags[s.Type], n.Tag):
		v.add("%s: is %s, want %s", at, n.Tag, s.Type)
	case s.Const != "" && n.Value != s.Const:
		v.add("%s: is %s, want %s", at, n.Value, s.Const)
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, n.Value):
		v.add("%s: is %s, want one of %q", at, n.Value, s.Enum)
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

// anyOf keeps the findings of the last schema if none accepts the value.
func (v *validator) anyOf(at string, all []*schema, n *yaml.Node) {
	before := v.found
	for _, s := range all {
		v.found = before
		if v.check(at, s, n); len(v.found) == len(before) {
			return
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
		case s.PropertyNames != nil && !regexp.MustCompile(s.PropertyNames.Pattern).MatchString(key):
			v.add("%s has the key %s, want %s", at, key, s.PropertyNames.Pattern)
		default:
			v.check(below, v.values(s), n.Content[i+1])
		}
	}
	for _, name := range missing {
		v.add("%s is missing", strings.TrimPrefix(at+"."+name, "."))
	}
}

// values returns the schema of a map's values, which JSON decoded as untyped.
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
