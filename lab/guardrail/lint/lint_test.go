package lint_test

import (
	"flag"
	"os"
	"path/filepath"
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
		env := testEnvironment()
		if files["canary.yaml"] != nil {
			env.ReleaseTarget, env.Clients = "backend", []string{"edge"}
		}
		set, err := guardrail.Parse(files, env)
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

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
