// Package runtest provides run specs and logs for tests of clusters and players.
package runtest

import (
	"bytes"
	"testing"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
	"coalmine/scenarios"
)

// RunSpec returns a run of a scenario of the library under a variant of its guardrails, or without
// guardrails if variant is "".
func RunSpec(t testing.TB, scn, variant, version string, seed uint64) cluster.RunSpec {
	t.Helper()
	folder, err := scenario.Open(scenarios.Library(), scn)
	if err != nil {
		t.Fatal(err)
	}
	s, err := folder.Load()
	if err != nil {
		t.Fatal(err)
	}
	spec := cluster.RunSpec{Scenario: s, Version: version, Seed: seed, ApproveAfter: -1}
	if variant == "" {
		return spec
	}
	files, err := folder.Files(variant)
	if err != nil {
		t.Fatal(err)
	}
	if spec.Guardrails, err = guardrail.Parse(files, guardrail.EnvironmentOf(s)); err != nil {
		t.Fatal(err)
	}
	return spec
}

// LogText returns events in the format of a log.
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
