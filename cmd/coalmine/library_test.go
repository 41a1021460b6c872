package main

import (
	"testing"

	"coalmine/lab/scenario"
	"coalmine/scenarios"
)

// TestLibrary opens every scenario as the verbs do, rubric included, and checks every variant of
// guardrails.
func TestLibrary(t *testing.T) {
	names, err := scenario.Names(scenarios.Library())
	if err != nil {
		t.Fatal(err)
	}
	env := newTestEnv(t, &fakeCluster{}).Env
	for _, name := range names {
		src, err := env.openScenario(name)
		if err != nil {
			t.Error(err)
			continue
		}
		variants, err := src.Variants()
		if err != nil {
			t.Error(err)
		}
		for _, variant := range variants {
			if _, _, err := src.LoadGuardrails(t.Context(), env.Dir, variant); err != nil {
				t.Errorf("%s/%s: %v", name, variant, err)
			}
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	}
}
