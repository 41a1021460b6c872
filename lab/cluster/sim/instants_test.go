package sim_test

import (
	"runtime"
	"testing"
)

// Intervals that no grid foresees must not let two of Flagger, driver and story act at one instant: the order would be the
// scheduler's, and two that settle at once end the process.
func TestOddIntervals(t *testing.T) {
	for _, interval := range []string{"10.5s", "10037ms", "10s37311us", "10s934402us"} {
		t.Run(interval, func(t *testing.T) {
			f := under(t, bad, "", "interval: 10s\nthreshold: 3\nstepWeights: [20, 40]"+success)
			f.Guardrails.CanaryFor("backend").Spec.Analysis.Interval = interval
			_, want := play(t, f)
			for range 2 {
				if _, got := play(t, f); got != want {
					t.Errorf("the log differs: %s", difference(want, got))
				}
			}
		})
	}
}

// Every scenario under every variant of its guardrails gives the same log on one processor and on eight.
func TestLibraryIsTheSameOnAnyMachine(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, x := range expectations() {
		f := quiet(flight(t, x.scenario, x.variant, "", 7))
		f.Version = f.Scenario.Release.Faulty
		runtime.GOMAXPROCS(1)
		_, one := play(t, f)
		runtime.GOMAXPROCS(8)
		if _, eight := play(t, f); eight != one {
			t.Errorf("%s/%s: the log differs: %s", x.scenario, x.variant, difference(one, eight))
		}
	}
}
