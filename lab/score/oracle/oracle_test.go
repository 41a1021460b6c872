package oracle

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %.6g, want %.6g ± %g", what, got, want, tolerance)
	}
}

// The table of the course: requests until an alarm at α = 0.001, β = 0.05.
func TestExpectedSampleNumbers(t *testing.T) {
	for _, c := range []struct{ p0, p1, sequential, fixed float64 }{
		{0.005, 0.05, 89, 164}, {0.005, 0.02, 496, 893}, {0.01, 0.02, 1626, 2892}, {0.001, 0.01, 452, 843},
	} {
		near(t, "sequential", math.Ceil(Default().ExpectedFaulty(c.p1, c.p0)), c.sequential, 1)
		near(t, "fixed", math.Ceil(Default().FixedSize(c.p1, c.p0)), c.fixed, 1)
	}
}
