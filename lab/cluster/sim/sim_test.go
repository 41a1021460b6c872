package sim_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/sim"
	"coalmine/lab/event"
	"coalmine/lab/run"
	"coalmine/lab/run/runtest"
	"coalmine/loadgen"
)

func runSpec(t testing.TB, name, variant, version string, seed uint64) cluster.RunSpec {
	t.Helper()
	return runtest.RunSpec(t, name, variant, version, seed)
}

// quiet reduces the traffic of a run to 20 requests/s, for tests in which traffic does not matter.
func quiet(spec cluster.RunSpec) cluster.RunSpec {
	s := *spec.Scenario
	s.Traffic.Rate = loadgen.Curve{Constant: 20}
	spec.Scenario = &s
	return spec
}

func play(t testing.TB, spec cluster.RunSpec) ([]event.Event, string) {
	t.Helper()
	var events []event.Event
	err := run.Play(context.Background(), sim.Cluster{Version: "test"}, spec, func(e event.Event) {
		events = append(events, e)
	})
	if err != nil {
		t.Fatal(err)
	}
	return events, runtest.LogText(t, events)
}

func phases(events []event.Event) []string {
	var ps []string
	for _, e := range events {
		if c, ok := e.Fact.(event.Canary); ok && (len(ps) == 0 || ps[len(ps)-1] != c.Phase) {
			ps = append(ps, c.Phase)
		}
	}
	return ps
}

func TestFaultyIsRolledBackAndHealthyPromoted(t *testing.T) {
	for _, c := range []struct{ version, last string }{{"v2", "Failed"}, {"v3", "Succeeded"}} {
		events, _ := play(t, runSpec(t, "full-rollout", "solution", c.version, 1))
		ps := phases(events)
		if len(ps) == 0 || ps[len(ps)-1] != c.last {
			t.Errorf("%s: phases %v, want the last to be %s", c.version, ps, c.last)
		}
		if end, ok := events[len(events)-1].Fact.(event.RunEnded); !ok || end.Outcome != event.OutcomeCompleted {
			t.Errorf("%s: the log ends with %#v", c.version, events[len(events)-1].Fact)
		}
	}
}

// A log is reproducible: the same inputs give the same bytes, on any number of processors.
func TestSameSeedSameBytes(t *testing.T) {
	spec := runSpec(t, "full-rollout", "solution", "v2", 3)
	_, want := play(t, spec)
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for _, procs := range []int{1, 2, 4, 8} {
		runtime.GOMAXPROCS(procs)
		if _, got := play(t, spec); got != want {
			t.Fatalf("with %d processors the log differs: %s", procs, difference(want, got))
		}
	}
	if _, other := play(t, runSpec(t, "full-rollout", "solution", "v2", 4)); other == want {
		t.Error("another seed gives the same log")
	}
}

func TestConcurrentRunsDoNotInterfere(t *testing.T) {
	spec := quiet(runSpec(t, "full-rollout", "solution", "v2", 3))
	_, want := play(t, spec)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, got := play(t, spec); got != want {
				t.Errorf("a concurrent run differs: %s", difference(want, got))
			}
		})
	}
	wg.Wait()
}

func difference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return fmt.Sprintf("line %d:\n%.400s\n%.400s", i+1, as[i], bs[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(as), len(bs))
}

func TestNothingIsLeftBehind(t *testing.T) {
	spec := quiet(runSpec(t, "full-rollout", "solution", "v2", 1))
	play(t, spec) // initializes process-wide state
	before := runtime.NumGoroutine()
	for range 5 {
		play(t, spec)
	}
	// Connections of the proxy, outside virtual time, may take a moment to end.
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before, %d after five runs", before, after)
	}
}
