package sim_test

import (
	"testing"

	"coalmine/lab/event"
)

// To Flagger, the deprecated threshold of an inline query is a maximum
// (pkg/controller/scheduler_metrics.go).
func TestThresholdIsRecordedAsMaximum(t *testing.T) {
	events, _ := play(t, withCanary(t, good, "", "interval: 10s\nthreshold: 2\nstepWeights: [50]\nmetrics:\n"+
		"  - name: old\n    query: vector(2)\n    threshold: 3\n    interval: 1m"))
	queries := 0
	for _, e := range events {
		q, ok := e.Fact.(event.Query)
		if !ok || q.Metric != "old" {
			continue
		}
		queries++
		if q.Max == nil || *q.Max != 3 || q.Min != nil {
			t.Fatalf("check %+v, want a maximum of 3", q)
		}
	}
	if queries == 0 {
		t.Error("the check was never queried")
	}
}
