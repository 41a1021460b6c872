package mesh_test

import (
	"math"
	"testing"
	"time"

	"coalmine/lab/mesh"
	"coalmine/loadgen/rng"
)

func TestCostFollowsPeakEWMA(t *testing.T) {
	var b mesh.Balancer
	b.Set(0, []int{7})
	e := b.Pick(0, 1)
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9*want {
			t.Errorf("%s: %g, want %g", what, got, want)
		}
	}
	ms := float64(time.Millisecond)
	near("new endpoint", e.Cost(0), 30*ms)
	e.Begin()
	near("with one pending", e.Cost(0), 60*ms)
	e.End(0, 200*time.Millisecond)
	near("peak at once", e.Cost(0), 200*ms)
	near("after one decay period", e.Cost(10*time.Second), 200*ms/math.E)
	e.Begin()
	e.End(20*time.Second, 10*time.Millisecond)
	near("towards a lower sample", e.Cost(20*time.Second), 200*ms/math.E/math.E+10*ms*(1-1/math.E))
	b.Set(21*time.Second, []int{7, 8})
	near("kept over a change of endpoints", e.Cost(20*time.Second), 200*ms/math.E/math.E+10*ms*(1-1/math.E))
}

// TestDecayIsSmooth compares the series for short times with the exponential.
func TestDecayIsSmooth(t *testing.T) {
	for _, d := range []time.Duration{time.Microsecond, time.Millisecond, 77 * time.Millisecond, 79 * time.Millisecond,
		time.Second} {
		var b mesh.Balancer
		b.Set(0, []int{1})
		got, want := b.Pick(0, 0).Cost(d), 30e6*math.Exp(-d.Seconds()/10)
		if math.Abs(got/want-1) > 1e-11 {
			t.Errorf("after %v: %.15g, want %.15g", d, got, want)
		}
	}
}

// play sends requests to two endpoints with fixed latencies and returns the share of the first.
func play(first, second time.Duration) float64 {
	var b mesh.Balancer
	b.Set(0, []int{0, 1})
	words := rng.New(1, "balance")
	type open struct {
		e    *mesh.Endpoint
		ends time.Duration
		rtt  time.Duration
	}
	var inFlight []open
	got := 0
	const n = 20_000
	for i := range uint64(n) {
		now := time.Duration(i) * 5 * time.Millisecond
		kept := inFlight[:0]
		for _, o := range inFlight {
			if o.ends <= now {
				o.e.End(now, o.rtt)
			} else {
				kept = append(kept, o)
			}
		}
		inFlight = kept
		e := b.Pick(now, words.Bits(i))
		e.Begin()
		rtt := []time.Duration{first, second}[e.Key]
		if e.Key == 0 {
			got++
		}
		inFlight = append(inFlight, open{e, now + rtt, rtt})
	}
	return float64(got) / n
}

func TestSlowPodGetsLess(t *testing.T) {
	if share := play(20*time.Millisecond, 20*time.Millisecond); share < 0.4 || share > 0.6 {
		t.Errorf("equal pods: the first gets %.2f", share)
	}
	if share := play(200*time.Millisecond, 20*time.Millisecond); share > 0.3 {
		t.Errorf("a pod ten times slower gets %.2f", share)
	}
	if share := play(time.Millisecond, 20*time.Millisecond); share < 0.7 {
		t.Errorf("a pod that fails fast gets %.2f", share)
	}
}

func TestNoEndpoint(t *testing.T) {
	var b mesh.Balancer
	if b.Pick(0, 1) != nil {
		t.Error("Pick() of an empty balancer is not nil")
	}
}
