package sim_test

import (
	"fmt"
	"math"
	"testing"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
)

// solved is a quiet run of a healthy version under the library's solution with more files.
func solved(t *testing.T, more map[string]string) cluster.RunSpec {
	t.Helper()
	spec := quiet(runSpec(t, "full-rollout", "", "v3", 1))
	files := solutionOf(t, "full-rollout")
	for name, text := range more {
		files[name] = []byte(text)
	}
	return guardedBy(t, spec, files)
}

const everything = `
apiVersion: gateway.networking.k8s.io/v1beta1
kind: HTTPRoute
metadata: {name: %s, namespace: develop}
spec:
  parentRefs: [{group: core, kind: Service, name: backend, namespace: develop, port: 80}]
`

// Of two equal routes the older one holds, whatever its name. The guardrails' route is older than
// Flagger's by a control loop.
func TestOlderRouteHolds(t *testing.T) {
	rules := `  rules: [{matches: [{path: {type: PathPrefix, value: /}}], backendRefs: [{name: backend-primary, port: 80}]}]`
	for _, name := range []string{"a-everything", "z-everything"} {
		events, _ := play(t, solved(t, map[string]string{"route.yaml": fmt.Sprintf(everything, name) + rules}))
		if n := requests(canaryCells(events)); n > 0 {
			t.Errorf("%s: the canary answered %d requests", name, n)
		}
	}
}

// The API server gives a route without rules one that matches everything, to the Service itself,
// and it is older than Flagger's. A list without rules matches nothing.
func TestRouteWithoutRules(t *testing.T) {
	for rules, want := range map[string]bool{"": false, "  rules: []": true} {
		events, _ := play(t, solved(t, map[string]string{"route.yaml": fmt.Sprintf(everything, "mine") + rules}))
		if n := requests(canaryCells(events)); (n > 0) != want {
			t.Errorf("rules %q: the canary answered %d requests", rules, n)
		}
		for _, c := range cells(events, 0, math.MaxInt64, anyCell) {
			if c.ByMesh > 0 {
				t.Fatalf("rules %q: %+v", rules, c)
			}
		}
	}
}

// An infinite value passes a minimum and fails a maximum, and the log has it.
func TestInfiniteValues(t *testing.T) {
	for bound, want := range map[string]string{"min": event.PhaseSucceeded, "max": event.PhaseFailed} {
		query := `query: "vector(1) / 0", thresholdRange: {` + bound + ": 1}"
		events, text := play(t, withCanary(t, good, "", "interval: 10s\nthreshold: 2\nstepWeights: [50, 100]\n"+
			"metrics:\n- {name: inf, "+query+"}"))
		if ps := phases(events); ps[len(ps)-1] != want {
			t.Errorf("%s: phases %v, want the last to be %s", bound, ps, want)
		}
		value := factsOf[event.Query](events)[0].Value
		if value == nil || !math.IsInf(*value, 1) {
			t.Errorf("%s: value %v", bound, value)
		}
		if len(text) == 0 {
			t.Error("no log")
		}
	}
}

// A subquery without a step is valid PromQL.
func TestSubqueryWithoutStep(t *testing.T) {
	query := `query: "max_over_time(sum(response_total)[1m:])", thresholdRange: {min: 1}`
	events, _ := play(t, withCanary(t, good, "", "interval: 10s\nthreshold: 2\nstepWeights: [50, 100]\nmetrics:\n"+
		"- {name: most, "+query+"}"))
	if ps := phases(events); ps[len(ps)-1] != event.PhaseSucceeded {
		t.Errorf("phases %v", ps)
	}
}

// Flagger needs two control loops to initialize a canary, however long they are.
func TestLongInterval(t *testing.T) {
	for _, interval := range []string{"5m", "20m"} {
		events, _ := play(t, withCanary(t, good, "", "interval: "+interval+"\nthreshold: 2\n"+
			"stepWeights: [50, 100]"+success))
		if end := factsOf[event.RunEnded](events)[0]; end.Outcome != event.OutcomeCompleted {
			t.Errorf("interval %s: %+v", interval, end)
		}
	}
}
