package sim_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/sim"
	"coalmine/lab/cluster/sim/prom"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/run"
)

// expensive is a run under as many checks and webhooks as are allowed, at the shortest interval, in
// which every check is an expensive query that passes.
func expensive(t *testing.T, query string) cluster.RunSpec {
	t.Helper()
	spec := withCanary(t, good, "", "interval: 10s\nthreshold: 1\nstepWeights: [50]"+check("vector(1)"))
	s := *spec.Scenario
	s.Timing.Horizon = 12 * time.Minute
	spec.Scenario = &s
	busy(&spec)
	var a strings.Builder
	a.WriteString("interval: 10s\nthreshold: 1000\nstepWeights: [10]\nmetrics:\n")
	for i := range guardrail.MaxQueries - 1 {
		fmt.Fprintf(&a, "- {name: m%d, query: %q, thresholdRange: {min: -1}, interval: 60m}\n", i, query)
	}
	a.WriteString("- {name: hold, query: \"vector(0)\", thresholdRange: {min: 1}}\nwebhooks:\n")
	for i := range guardrail.MaxQueries {
		fmt.Fprintf(&a, "- {name: w%d, type: rollout, retries: 10, timeout: 60s, url: "+
			"\"http://gate.coalmine/mtls\"}\n", i)
	}
	files := map[string][]byte{"canary.yaml": fmt.Appendf(nil, shortCanary, "  progressDeadlineSeconds: 600",
		indent(a.String(), 4))}
	var err error
	if spec.Guardrails, err = guardrail.Parse(files, guardrail.EnvironmentOf(&s)); err != nil {
		t.Fatal(err)
	}
	return spec
}

// Valid guardrails that are too expensive end the run with an error that says so, at the same query
// on any machine, before a worker reaches its resource limits.
func TestCostlyGuardrailsEndTheRun(t *testing.T) {
	spec := expensive(t, "sum(rate(response_latency_ms_bucket[1h]))")
	before, _ := usage(t)
	var last event.Event
	err := run.Play(context.Background(), sim.Cluster{Version: "test"}, spec, func(e event.Event) { last = e })
	after, peak := usage(t)
	if !errors.Is(err, prom.ErrQueryBudget) {
		t.Errorf("error %v, want ErrSpent", err)
	}
	if end, ok := last.Fact.(event.RunEnded); !ok || end.Outcome != event.OutcomeLabFault ||
		!strings.Contains(end.Reason, "million samples") {
		t.Errorf("the log ends with %#v", last.Fact)
	}
	if took := after - before; took > time.Minute || peak > 512 {
		t.Errorf("it took %v of processor time and %.0f MB at the peak of the process", took, peak)
	}
	t.Logf("%v of processor time, %.0f MB at the peak of the process, up to %v", after-before, peak, last.At)
}
