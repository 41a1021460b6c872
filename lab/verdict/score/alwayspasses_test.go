package score

import (
	"testing"

	"coalmine/lab/verdict/timeline"
)

// TestAlwaysPasses expects the bound to be named that no illness of the canary exceeds.
func TestAlwaysPasses(t *testing.T) {
	const quantile = `histogram_quantile(0.99, sum by (le) (rate(response_latency_ms_bucket{deployment="app"}[1m])))`
	for most, want := range map[float64]string{
		1e9: ": an ill canary does not exceed the maximum of 1e+09 either",
		500: "",
	} {
		tl := &timeline.Timeline{Measured: []timeline.Measured{{PromQL: quantile, Max: &most, Ticks: 1}}}
		tl.Run.Service = "app"
		if got := alwaysPasses(tl); got != want {
			t.Errorf("maximum %v: %q, want %q", most, got, want)
		}
	}
}
