package sim_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"coalmine/lab/cluster"
)

// randomRuns is how many random runs TestRandomRunsAreRepeatable plays; COALMINE_RANDOM_RUNS
// overrides it.
const randomRuns = 6

// pick returns one of the values.
func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// randomSpec returns a short run under random valid guardrails.
func randomSpec(t *testing.T, r *rand.Rand) cluster.RunSpec {
	t.Helper()
	var a strings.Builder
	fmt.Fprintf(&a, "interval: %ds\nthreshold: %d\n", 10+r.IntN(25), 1+r.IntN(4))
	switch r.IntN(4) {
	case 0:
		fmt.Fprintf(&a, "iterations: %d\n", 1+r.IntN(5))
	case 1:
		fmt.Fprintf(&a, "iterations: %d\nmatch:\n- headers: {%s}\n- headers: {x-canary: {exact: always}}\n",
			1+r.IntN(5),
			pick(r, `cookie: {regex: ".*a=.*"}`, "x-device: {exact: mobile}"))
	case 2:
		fmt.Fprintf(&a, "stepWeight: %d\nmaxWeight: %d\n", 1+r.IntN(40), 40+r.IntN(60))
	case 3:
		fmt.Fprintf(&a, "stepWeights: [%d, %d, 100]\n", 1+r.IntN(40), 41+r.IntN(50))
	}
	a.WriteString("metrics:\n")
	for i := range 1 + r.IntN(3) {
		query := pick(r, `sum(rate(response_total{deployment="backend"}[1m]))`, `vector(1) / 0`, `vector(0) / 0`,
			`histogram_quantile(0.99, sum by (le) (rate(response_latency_ms_bucket{deployment="backend"}[1m])))`,
			`max_over_time(sum(response_total)[1m:])`, `sum(app_http_requests_total{route="report"}) or vector(0)`,
			`topk(3, response_total)`)
		fmt.Fprintf(&a, "- {name: m%d, query: '%s', thresholdRange: {%s: %d}, interval: 30s}\n", i, query,
			pick(r, "min", "max"), r.IntN(50))
	}
	a.WriteString("webhooks:\n")
	for i := range 1 + r.IntN(3) {
		fmt.Fprintf(&a, "- {name: w%d, type: %s, url: 'http://gate.coalmine/%s'}\n", i,
			pick(r, "pre-rollout", "rollout", "confirm-promotion", "post-rollout", "rollback"),
			pick(r, "mtls", "policy", "rollback-drill", "volume?min=50", "approve"))
	}
	spec := withCanary(t, pick(r, good, bad, late), "", a.String())
	spec.Seed = r.Uint64N(1 << 40)
	return spec
}

// A run is a function of its inputs: under random guardrails and seeds, the log is the same with
// one processor and with several.
func TestRandomRunsAreRepeatable(t *testing.T) {
	n := randomRuns
	if env := os.Getenv("COALMINE_RANDOM_RUNS"); env != "" {
		var err error
		if n, err = strconv.Atoi(env); err != nil {
			t.Fatal(err)
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for i := range n {
		spec := randomSpec(t, rand.New(rand.NewPCG(1, uint64(i))))
		var logs [2]string
		for j, processors := range []int{1, 4} {
			runtime.GOMAXPROCS(processors)
			_, logs[j] = play(t, spec)
		}
		if logs[0] != logs[1] {
			t.Fatalf("run %d differs: %s", i, difference(logs[0], logs[1]))
		}
	}
}
