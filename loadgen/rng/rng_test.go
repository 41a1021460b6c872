package rng_test

import (
	"math"
	"math/bits"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/loadgen/rng"
)

func near(t *rapid.T, what string, x, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Fatalf("%s(%g) = %.17g, want %.17g", what, x, got, want)
	}
}

func TestFunctionsAgreeWithMath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(1e-300, 1e300).Draw(t, "x")
		near(t, "Log", x, rng.Log(x), math.Log(x), 1e-14*math.Abs(math.Log(x)))
		u := rapid.Float64Range(0.5, 2).Draw(t, "u")
		near(t, "Log", u, rng.Log(u), math.Log(u), 1e-14*math.Abs(math.Log(u)))
		y := rapid.Float64Range(-690, 690).Draw(t, "y")
		near(t, "Exp", y, rng.Exp(y), math.Exp(y), 1e-10*math.Exp(y))
		a := rapid.Float64Range(-100, 100).Draw(t, "turns")
		near(t, "Sin", a, rng.Sin(a), math.Sin(2*math.Pi*(a-math.Floor(a))), 1e-13)
		p := rapid.Float64Range(1e-16, 0.9999).Draw(t, "p")
		near(t, "Φ∘Quantile", p, math.Erfc(-rng.Quantile(p)/math.Sqrt2)/2, p, 1e-4*p)
	})
}

func TestQuantileTable(t *testing.T) {
	for p, want := range map[float64]float64{
		0.5: 0, 0.975: 1.959963984540054, 0.99: rng.Z99, 0.001: -3.090232306167813, 1e-12: -7.034483825301131,
	} {
		if got := rng.Quantile(p); math.Abs(got-want) > 1e-6*math.Abs(want) {
			t.Errorf("Quantile(%g) = %.16g, want %.16g", p, got, want)
		}
	}
}

func TestExtremeWordsGiveFiniteDraws(t *testing.T) {
	wide := rng.NewLognormal(time.Nanosecond, time.Hour)
	for _, word := range []uint64{0, 1, math.MaxUint64, math.MaxUint64 - 1, 1 << 63} {
		if u := rng.UnitOpen(word); u <= 0 || u >= 1 {
			t.Errorf("Open(%#x) = %g", word, u)
		}
		if u := rng.Unit(word); u < 0 || u >= 1 {
			t.Errorf("Unit(%#x) = %g", word, u)
		}
		if e := rng.Exponential(word); !(e > 0 && e < 40) {
			t.Errorf("Exponential(%#x) = %g", word, e)
		}
		if d := wide.Draw(word); d < 0 || d > 24*time.Hour {
			t.Errorf("Draw(%#x) = %v", word, d)
		}
	}
}

func TestBitsChangeWithEveryInput(t *testing.T) {
	a, b, c := rng.New(1, "a"), rng.New(1, "b"), rng.New(2, "a")
	differing := func(x, y rng.Stream, shift uint64) int {
		n := 0
		for i := range uint64(1000) {
			n += bits.OnesCount64(x.Bits(i) ^ y.Bits(i+shift))
		}
		return n
	}
	// 64,000 fair coins: standard deviation 126.
	for name, n := range map[string]int{
		"purpose": differing(a, b, 0), "seed": differing(a, c, 0), "counter": differing(a, a, 1),
	} {
		if n < 32000-600 || n > 32000+600 {
			t.Errorf("another %s changes %d bits of 64000, want about half", name, n)
		}
	}
}

func TestUniformDrawsFillTheirBins(t *testing.T) {
	const n, bins = 1_000_000, 100
	s := rng.New(7, "uniform")
	var unit, below [bins]int
	for i := range uint64(n) {
		unit[int(s.Unit(i)*bins)]++
		below[rng.Below(s.Bits(i), bins)]++
	}
	for name, counts := range map[string][bins]int{"Unit": unit, "Below": below} {
		chi := 0.0
		for _, c := range counts {
			chi += math.Pow(float64(c)-n/bins, 2) / (n / bins)
		}
		// 99 degrees of freedom: the 0.9999-quantile of chi-square is 160, the 0.0001-quantile 54.
		if chi < 54 || chi > 160 {
			t.Errorf("%s: chi-square %.1f", name, chi)
		}
	}
}

func TestLognormalKeepsItsQuantiles(t *testing.T) {
	l := rng.NewLognormal(20*time.Millisecond, 200*time.Millisecond)
	for p, want := range map[float64]float64{0.5: 20e6, 0.99: 200e6, 0.01: 2e6} {
		if got := float64(l.Draw(uint64(p * math.MaxUint64))); math.Abs(got/want-1) > 1e-5 {
			t.Errorf("%g-quantile %.0f ns, want %.0f", p, got, want)
		}
	}
	if d := rng.NewLognormal(time.Second, time.Second).Draw(3); d != time.Second {
		t.Errorf("constant draws %v", d)
	}
}

// TestDrawsAreTheSameEverywhere pins words and draws: a change would break the replay of every
// recorded run.
func TestDrawsAreTheSameEverywhere(t *testing.T) {
	s := rng.New(42, "golden")
	l := rng.NewLognormal(20*time.Millisecond, 250*time.Millisecond)
	var words, latency, other uint64
	for i := range uint64(100_000) {
		w := s.Bits(i)
		words = words*31 + w
		latency = latency*31 + uint64(l.Draw(w))
		other = other*31 + math.Float64bits(rng.Exponential(w)) + math.Float64bits(rng.Sin(rng.Unit(w)*3))
	}
	got := [3]uint64{words, latency, other}
	want := [3]uint64{0x890f20463fc977cd, 0xc70acdb71d30bb30, 0x698d7540fc1c007}
	if got != want {
		t.Errorf("draws changed: %#x, want %#x", got, want)
	}
}

func BenchmarkLognormal(b *testing.B) {
	s, l := rng.New(1, "b"), rng.NewLognormal(20*time.Millisecond, 200*time.Millisecond)
	var sink time.Duration
	for i := 0; b.Loop(); i++ {
		sink += l.Draw(s.Bits(uint64(i)))
	}
	_ = sink
}

func BenchmarkExponential(b *testing.B) {
	s := rng.New(1, "b")
	var sink float64
	for i := 0; b.Loop(); i++ {
		sink += rng.Exponential(s.Bits(uint64(i)))
	}
	_ = sink
}
