package stats

import (
	"math/rand/v2"
	"testing"
)

// One check on a release with 0.5 % errors: fewer than 100 requests make every error fatal.
func TestOneCheckOnAHealthyRelease(t *testing.T) {
	for n, want := range map[int]float64{30: 0.14, 99: 0.39, 100: 0.09} {
		near(t, "check fails", CheckFails(0.005, n, 99), want, 0.005)
	}
	if CheckFails(0, 0, 99) != 1 || CheckFails(0, 10, 99) != 0 || CheckFails(1, 10, 99) != 1 {
		t.Error("a check without requests, without errors or without successes")
	}
}

// The published figures take an interval without requests for a passed one, which matters for λ = 1 only.
func TestCoursePolicy(t *testing.T) {
	for rate, want := range map[float64][3]float64{1: {0, 0.01, 0.22}, 5: {0.03, 0.76, 0.999}, 20: {0.013, 0.99, 1}} {
		for i, bad := range []float64{0.005, 0.02, 0.05} {
			near(t, "rollback", CoursePolicy().Rollback(bad, rate), want[i], 0.013)
		}
	}
}

func TestPolicyAgainstSimulation(t *testing.T) {
	const rounds = 4000
	r := rand.New(rand.NewPCG(11, 12))
	p := CoursePolicy()
	undone := 0
	for range rounds {
		failed, step := 0, 0
		for failed < p.Threshold && step < len(p.Weights) {
			n, bad := 0, 0
			for at := r.ExpFloat64(); at < 5*p.Weights[step]*p.Interval; at += r.ExpFloat64() {
				if n++; r.Float64() < 0.02 {
					bad++
				}
			}
			if n > 0 && float64(n-bad)/float64(n)*100 >= p.Success {
				step++
			} else {
				failed++
			}
		}
		if failed == p.Threshold {
			undone++
		}
	}
	near(t, "rollback", p.Rollback(0.02, 5), float64(undone)/rounds, 0.025)
}

func TestSegments(t *testing.T) {
	for share, want := range map[float64][2]float64{0.1: {4264, 1190}, 0.05: {15360, 2379}} {
		all, each := DefaultErrorRates().SegmentNeed(share, 0.05, 0.005, 5)
		near(t, "aggregate", all, want[0], 1)
		near(t, "segmented", each, want[1], 1)
	}
}
