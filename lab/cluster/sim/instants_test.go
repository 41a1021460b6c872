package sim_test

import (
	"runtime"
	"testing"
)

// With unusual intervals, no two of Flagger, driver and runner may act at one instant: their order
// would depend on the scheduler, and concurrent calls of WaitIdle end the process.
func TestOddIntervals(t *testing.T) {
	for _, interval := range []string{"10.5s", "10037ms", "10s37311us", "10s934402us"} {
		t.Run(interval, func(t *testing.T) {
			spec := withCanary(t, bad, "", "interval: 10s\nthreshold: 3\nstepWeights: [20, 40]"+success)
			spec.Guardrails.CanaryFor("backend").Spec.Analysis.Interval = interval
			_, want := play(t, spec)
			for range 2 {
				if _, got := play(t, spec); got != want {
					t.Errorf("the log differs: %s", difference(want, got))
				}
			}
		})
	}
}

// Every scenario under every variant of its guardrails has the same log on one processor and on
// eight.
func TestLibraryDoesNotDependOnProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, x := range expectations() {
		spec := quiet(runSpec(t, x.scenario, x.variant, "", 7))
		spec.Version = spec.Scenario.Release.Faulty
		runtime.GOMAXPROCS(1)
		_, one := play(t, spec)
		runtime.GOMAXPROCS(8)
		if _, eight := play(t, spec); eight != one {
			t.Errorf("%s/%s: the log differs: %s", x.scenario, x.variant, difference(one, eight))
		}
	}
}
