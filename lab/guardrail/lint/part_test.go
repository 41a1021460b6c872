package lint_test

import (
	"path/filepath"
	"strings"
	"testing"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/guardrailtest"
	"coalmine/lab/guardrail/lint"
)

// TestInvalidManifestsAreCheckedToo runs the rules on what could be read of manifests with errors:
// they must not panic, nor blame an object for what another one lacks.
func TestInvalidManifestsAreCheckedToo(t *testing.T) {
	paths, err := filepath.Glob("../testdata/cases/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	checked := 0
	for _, path := range paths {
		guardrailtest.EachCase(t, path, func(name string, files map[string][]byte) {
			set, err := guardrail.Parse(files, scenarioEnvironment())
			if err == nil || set == nil {
				return
			}
			checked += len(set.Objects)
			for _, f := range lint.CheckPart(set) {
				if f.Rule == "" || f.Message == "" || strings.ContainsAny(f.String(), "\n\x00\x1b") {
					t.Errorf("%s: got %q", name, f)
				}
				if f.Rule == "unused" || f.Rule == "dangling-policy" {
					t.Errorf("%s: %s", name, f)
				}
			}
		})
	}
	if checked < 100 {
		t.Errorf("only %d objects were checked", checked)
	}
}

// TestANeighbourHidesNothing requires a warning about a Canary although another file is not valid.
func TestANeighbourHidesNothing(t *testing.T) {
	found := 0
	guardrailtest.EachCase(t, "testdata/rules/canary.txtar", func(name string, files map[string][]byte) {
		if name != "one-strike" {
			return
		}
		files["broken.yaml"] = []byte("apiVersion: flagger.app/v1beta1\nkind: MetricTemplate\nmetadata: {name: a}\n" +
			"spec: {providr: {type: prometheus}}\n---\nkind: [\n")
		set, err := guardrail.Parse(files, scenarioEnvironment())
		if err == nil {
			t.Error("the neighbour is valid")
		}
		for _, f := range lint.CheckPart(set) {
			if f.Rule == name {
				found++
			}
		}
	})
	if found != 1 {
		t.Errorf("one-strike was found %d times beside a broken file, want once", found)
	}
}
