package result_test

import (
	"path/filepath"
	"strings"
	"testing"

	"coalmine/lab/run/folder"
	"coalmine/lab/run/result"
	"coalmine/lab/scenario"
	"coalmine/scenarios"
)

// TestStarterIsALearners checks that a card calls the untouched starter what it is, also where another
// variant of the scenario says the same.
func TestStarterIsALearners(t *testing.T) {
	const starter = "The guardrails are the scenario's starter, unchanged."
	names, err := scenario.Names(scenarios.Library())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if card := cardOf(t, name, scenario.Starter, ""); card.Own != "" ||
			!strings.Contains(strings.Join(card.Remarks, "\n"), starter) {
			t.Errorf("%s: the starter is %q, and the card says %q", name, card.Own, card.Remarks)
		}
		if card := cardOf(t, name, scenario.Solution, ""); card.Own != scenario.Solution ||
			strings.Contains(strings.Join(card.Remarks, "\n"), starter) {
			t.Errorf("%s: the solution is %q, and the card says %q", name, card.Own, card.Remarks)
		}
	}
	if card := cardOf(t, "retry-storm", "naive", "naive"); card.Own != "naive" {
		t.Errorf("the variant that was named is %q", card.Own)
	}
}

// cardOf returns the card of a run folder with the manifests of a variant, and without logs.
func cardOf(t *testing.T, name, variant, given string) (card struct {
	Own     string
	Remarks []string
}) {
	t.Helper()
	src, err := scenario.Open(scenarios.Library(), name)
	if err != nil {
		t.Fatal(err)
	}
	text, err := src.Text(scenario.FileScenario)
	if err != nil {
		t.Fatal(err)
	}
	files, err := src.Files(variant)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	m := folder.Manifest{Scenario: name, Runs: []folder.Run{{Role: "faulty", Version: "v2", Seed: 1}}}
	m.Options.Guardrails = given
	w, err := folder.Create(dir, m, map[string][]byte{scenario.FileScenario: text}, files)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := result.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := r.Card()
	card.Own, card.Remarks = c.Own, c.Remarks
	return card
}
