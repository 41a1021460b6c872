package yamlpos_test

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/input/yamlpos"
)

const canary = `# a comment
apiVersion: flagger.app/v1beta1
metadata:
  annotations:
    coalmine.dev/owner: shop
spec:
  "0": zero
  metrics:
    - name: errors
      interval: 1m
    - name: latency
  limits: &limits
    max: 5
  again: *limits
`

func root(t *testing.T, text string) yamlpos.Field {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		t.Fatal(err)
	}
	return yamlpos.Root(&n)
}

func TestFindAndNearest(t *testing.T) {
	doc := root(t, canary)
	for path, want := range map[string]struct {
		value string // "" for a mapping or a list
		line  int
		found bool
	}{
		"":           {"", 2, true},
		"apiVersion": {"flagger.app/v1beta1", 2, true},
		"metadata.annotations[coalmine.dev/owner]": {"shop", 5, true},
		"spec[0]":                  {"zero", 7, true},
		"spec.metrics":             {"", 8, true},
		"spec.metrics[0]":          {"", 9, true},
		"spec.metrics[0].interval": {"1m", 10, true},
		"spec.metrics[1].name":     {"latency", 11, true},
		"spec.again.max":           {"5", 13, true},
		"spec.metrics[1].interval": {"", 11, false},
		"spec.metrics[2].name":     {"", 8, false},
		"spec.metrics[-1]":         {"", 8, false},
		"spec.metrics.name":        {"", 8, false},
		"spec.other":               {"", 6, false},
		"status.phase":             {"", 2, false},
		"apiVersion.more":          {"flagger.app/v1beta1", 2, false},
	} {
		steps := yamlpos.Split(path)
		got, found := doc.Find(steps...)
		if found != want.found {
			t.Errorf("Find(%s): found is %v", path, found)
		}
		if found && got.Value.Value != want.value {
			t.Errorf("Find(%s) = %q, want %q", path, got.Value.Value, want.value)
		}
		if line := doc.Nearest(steps...).Line(); line != want.line {
			t.Errorf("Nearest(%s) is on line %d, want %d", path, line, want.line)
		}
	}
}

func TestItems(t *testing.T) {
	doc := root(t, canary)
	metrics, _ := doc.Find("spec", "metrics")
	var lines []int
	for _, item := range metrics.Items() {
		lines = append(lines, item.Line())
	}
	if !slices.Equal(lines, []int{9, 11}) {
		t.Errorf("got lines %v", lines)
	}
	if items := doc.Items(); items != nil {
		t.Errorf("got items %v of a mapping", items)
	}
	if items := (yamlpos.Field{}).Items(); items != nil {
		t.Errorf("got items %v of no field", items)
	}
}

func TestRootOfEmptyDocument(t *testing.T) {
	var n yaml.Node
	doc := yamlpos.Root(&n)
	if _, ok := doc.Child("spec"); ok || doc.Line() != 0 {
		t.Errorf("an empty document has a field, or line %d", doc.Line())
	}
}

func TestPaths(t *testing.T) {
	for path, want := range map[string][]string{
		"":                {},
		"a":               {"a"},
		"a.b":             {"a", "b"},
		"a[0].b[c.d/e]":   {"a", "0", "b", "c.d/e"},
		"a[0][1]":         {"a", "0", "1"},
		"a[unclosed":      {"a", "unclosed"},
		"headers[x-a].re": {"headers", "x-a", "re"},
	} {
		if got := yamlpos.Split(path); !slices.Equal(got, want) {
			t.Errorf("Split(%s) = %q, want %q", path, got, want)
		}
	}
	path := yamlpos.Index(yamlpos.Join(yamlpos.Join("", "spec"), "metrics"), 2)
	if path = yamlpos.Join(path, "coalmine.dev/owner"); path != "spec.metrics[2][coalmine.dev/owner]" {
		t.Errorf("got %s", path)
	}
	for path, want := range map[string]string{
		"a.b": "a.b", "a[0].b[1]": "a.b", "[0].b": ".b", "a[0": "a[0", "a]": "a]", "": "",
	} {
		if got := yamlpos.WithoutIndices(path); got != want {
			t.Errorf("WithoutIndices(%s) = %s, want %s", path, got, want)
		}
	}
}

func TestSplitError(t *testing.T) {
	for text, want := range map[string]struct {
		line    int
		message string
	}{
		"yaml: line 5: did not find expected key": {5, "did not find expected key"},
		"line 12: cannot unmarshal !!seq":         {12, "cannot unmarshal !!seq"},
		"yaml: control characters: no":            {0, "control characters: no"},
		"line x: y":                               {0, "line x: y"},
		"line 7":                                  {0, "line 7"},
		"":                                        {0, ""},
	} {
		if line, message := yamlpos.SplitError(text); line != want.line || message != want.message {
			t.Errorf("SplitError(%q) = %d, %q", text, line, message)
		}
	}
}

func TestLineAt(t *testing.T) {
	data := []byte("a\nb\n\nc")
	for offset, want := range map[int]int{0: 1, 1: 1, 2: 2, 4: 3, 5: 4, 6: 4} {
		if got := yamlpos.LineAt(data, offset); got != want {
			t.Errorf("LineAt(%d) = %d, want %d", offset, got, want)
		}
	}
}

func TestFlowDepth(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "a: 1": 0, "[]": 1, "[{}]": 2, "[[], []]": 2, "]]][": 1, `"[["`: 2,
		strings.Repeat("[", 500): 500,
	} {
		if got := yamlpos.FlowDepth([]byte(text)); got != want {
			t.Errorf("FlowDepth(%.20s) = %d, want %d", text, got, want)
		}
	}
}
