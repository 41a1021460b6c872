package sim_test

import (
	"testing"

	"coalmine/lab/event"
)

// The deprecated threshold of a query of one's own is a maximum to Flagger (pkg/controller/scheduler_metrics.go).
func TestThresholdIsNotedAsMaximum(t *testing.T) {
	events, _ := play(t, under(t, good, "", "interval: 10s\nthreshold: 2\nstepWeights: [50]\nmetrics:\n  - name: old\n    query: vector(2)\n    threshold: 3\n    interval: 1m"))
	asked := 0
	for _, e := range events {
		q, ok := e.Fact.(event.Query)
		if !ok || q.Metric != "old" {
			continue
		}
		asked++
		if q.Max == nil || *q.Max != 3 || q.Min != nil {
			t.Fatalf("check %+v, want a maximum of 3", q)
		}
	}
	if asked == 0 {
		t.Error("the check was never asked")
	}
}
