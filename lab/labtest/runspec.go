// Package labtest makes flights and logs for the tests of clusters and players. It knows the library of scenarios, and no
// cluster.
package labtest

import (
	"bytes"
	"testing"

	"coalmine/lab"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/scenarios"
)

// RunSpec is a flight of a scenario of the library under a variant of its guardrails; variant "" is none.
func RunSpec(t testing.TB, scenario, variant, version string, seed uint64) lab.RunSpec {
	t.Helper()
	folder, err := scenarios.Open(scenarios.Library(), scenario)
	if err != nil {
		t.Fatal(err)
	}
	s, err := folder.Load()
	if err != nil {
		t.Fatal(err)
	}
	f := lab.RunSpec{Scenario: s, Version: version, Seed: seed, ApproveAfter: -1}
	if variant == "" {
		return f
	}
	files, err := folder.Files(variant)
	if err != nil {
		t.Fatal(err)
	}
	if f.Guardrails, err = guardrail.Parse(files, lab.EnvironmentOf(s)); err != nil {
		t.Fatal(err)
	}
	return f
}

// LogText is the events as they stand in a log.
func LogText(t testing.TB, events []event.Event) string {
	t.Helper()
	var b bytes.Buffer
	w := event.NewWriter(&b)
	for _, e := range events {
		w.Write(e)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
