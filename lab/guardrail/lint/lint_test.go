package lint_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/guardrailtest"
	"coalmine/lab/guardrail/lint"
)

var update = flag.Bool("update", false, "write the actual warnings to testdata/cases")

func testEnvironment() guardrail.Environment {
	return guardrail.Environment{
		Namespace:   "develop",
		Targets:     []string{"backend", "frontend"},
		Ports:       map[string]int{"backend": 80, "frontend": 8080},
		TargetPorts: map[string]int{"backend": 8080, "frontend": 8080},
		Horizon:     10 * time.Minute, VersionLabels: []string{"exposure"},
	}
}

// TestCases compares the warnings of each case.
func TestCases(t *testing.T) {
	guardrailtest.RunCases(t, "testdata/cases/*.txtar", *update, func(files map[string][]byte) []string {
		set, err := guardrail.Parse(files, testEnvironment())
		if err != nil {
			return []string{"error: " + err.Error()}
		}
		var lines []string
		for _, w := range lint.Check(set) {
			lines = append(lines, "warning "+w.Rule+": "+w.String())
		}
		return lines
	})
}

func TestGoodGuardrailsHaveNoWarnings(t *testing.T) {
	a, err := txtar.ParseFile("../testdata/good/course-lab.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, f := range a.Files {
		if filepath.Ext(f.Name) != ".md" {
			files[f.Name] = f.Data
		}
	}
	set, err := guardrail.Parse(files, testEnvironment())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range lint.Check(set) {
		t.Errorf("warning: %s (%s)", w, w.Rule)
	}
}

// TestEveryRuleHasCase requires a case and a documented row for each rule.
func TestEveryRuleHasCase(t *testing.T) {
	var cases strings.Builder
	paths, _ := filepath.Glob("testdata/cases/*.txtar")
	for _, path := range paths {
		cases.Write(read(t, path))
	}
	page := string(read(t, "../../../docs/guardrails.md"))
	seen := make(map[string]bool)
	for _, r := range lint.Rules() {
		if seen[r.Name] || r.Why == "" || r.Source == "" {
			t.Errorf("rule %q is a duplicate, or lacks Why or Source", r.Name)
		}
		seen[r.Name] = true
		if !strings.Contains(cases.String(), "\nwarning "+r.Name+": ") {
			t.Errorf("rule %s has no case", r.Name)
		}
		if !strings.Contains(page, "| `"+r.Name+"` |") {
			t.Errorf("docs/guardrails.md does not describe rule %s", r.Name)
		}
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
