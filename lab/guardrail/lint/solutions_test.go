package lint_test

import (
	"io/fs"
	"path"
	"testing"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/lint"
	"coalmine/lab/scenario"
	"coalmine/scenarios"
)

// TestSolutionsAreWell requires the scenarios' own solutions to have no findings.
func TestSolutionsAreWell(t *testing.T) {
	all, err := scenario.List(scenarios.Library())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		files := map[string][]byte{}
		dir := path.Join(s.Name, scenario.Solution)
		names, err := fs.Glob(scenarios.Library(), dir+"/*.yaml")
		if err != nil || len(names) == 0 {
			t.Fatalf("%s has no manifests: %v", dir, err)
		}
		for _, name := range names {
			if files[path.Base(name)], err = fs.ReadFile(scenarios.Library(), name); err != nil {
				t.Fatal(err)
			}
		}
		set, err := guardrail.Parse(files, guardrail.EnvironmentOf(s))
		if err != nil {
			t.Fatal(err)
		}
		if rate := set.Environment.Rates[s.Release.Service]; rate <= 0 && s.Traffic.Replay == nil {
			t.Errorf("%s: the traffic of %s is not known", s.Name, s.Release.Service)
		}
		for _, f := range lint.Check(set) {
			t.Errorf("%s: %s [%s]", dir, f, f.Rule)
		}
	}
}
