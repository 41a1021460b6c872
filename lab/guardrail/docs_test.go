package guardrail

import (
	"os"
	"strings"
	"testing"

	"coalmine/lab/event"
)

// TestPageIsComplete requires the documentation to mention every gate and annotation.
func TestPageIsComplete(t *testing.T) {
	data, err := os.ReadFile("../../docs/guardrails.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	words := []string{LabPrometheus, MeshProvider, event.AnnotationOwner, event.AnnotationStart, event.AnnotationEnd,
		event.AnnotationHypothesis}
	for _, g := range []string{event.GateMTLS, event.GatePolicy, event.GateRollbackDrill, event.GateVolume,
		event.GateCohort, event.GateApprove, event.GateEvents} {
		words = append(words, "http://"+GateHost+"/"+g)
	}
	for _, w := range words {
		if !strings.Contains(page, w) {
			t.Errorf("docs/guardrails.md does not mention %s", w)
		}
	}
}
