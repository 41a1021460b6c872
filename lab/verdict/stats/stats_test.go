package stats

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %.6g, want %.6g ± %g", what, got, want, tolerance)
	}
}

// Textbook values, by Abramowitz and Stegun's tables 26.2, 26.8 and 26.10.
func TestDistributions(t *testing.T) {
	near(t, "z 0.975", NormalQuantile(0.975), 1.959964, 1e-6)
	near(t, "z 0.999", NormalQuantile(0.999), 3.090232, 1e-6)
	near(t, "χ² 3.841, 1", chiSquare(3.841459), 0.05, 1e-7)
	near(t, "χ² 10.828, 1", chiSquare(10.827566), 0.001, 1e-9)
	near(t, "χ² 0, 1", chiSquare(0), 1, 0)
	near(t, "t 0.975, 1", StudentQuantile(0.975, 1), 12.7062, 1e-4)
	near(t, "t 0.975, 4", StudentQuantile(0.975, 4), 2.776445, 1e-6)
	near(t, "t 0.975, 30", StudentQuantile(0.975, 30), 2.042272, 1e-6)
	w := Wilson(1, 10, 0.95)
	near(t, "Wilson low", w.Low, 0.017876, 1e-6)
	near(t, "Wilson high", w.High, 0.404150, 1e-6)
	if w := Wilson(0, 0, 0.95); w != (Interval{0, 1}) {
		t.Errorf("Wilson without trials %v", w)
	}
}

func TestWilsonContainsTheProportion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 1000).Draw(t, "n")
		k := rapid.IntRange(0, n).Draw(t, "k")
		w := Wilson(k, n, 0.95)
		p := float64(k) / float64(n)
		if !(0 <= w.Low && w.Low <= p && p <= w.High && w.High <= 1 && w.Low < w.High) {
			t.Fatalf("Wilson(%d, %d) = %v", k, n, w)
		}
	})
}

// Textbook values (Brown, Cai and DasGupta 2001, among others), and the ends, which have closed
// forms.
func TestClopperPearson(t *testing.T) {
	for _, c := range []struct {
		k, n      int
		low, high float64
	}{
		{0, 0, 0, 1}, {1, 10, 0.002529, 0.445016}, {5, 10, 0.187086, 0.812914}, {10, 10, math.Pow(0.025, 0.1), 1},
		{0, 300, 0, 1 - math.Pow(0.025, 1.0/300)}, {1, 1, 0.025, 1}, {20, 100_000, 0.000122165, 0.000308869},
	} {
		i := ClopperPearson(c.k, c.n, 0.95)
		near(t, "Clopper-Pearson low", i.Low, c.low, 1e-6)
		near(t, "Clopper-Pearson high", i.High, c.high, 1e-6)
	}
	exact, wilson := ClopperPearson(7000, maxExactTrials-1, 0.95), Wilson(7000, maxExactTrials-1, 0.95)
	near(t, "where Wilson takes over, low", exact.Low, wilson.Low, 1e-6)
	near(t, "where Wilson takes over, high", exact.High, wilson.High, 1e-6)
}

// At the ends of the interval, so many successes or so few have the chance that the definition asks
// for.
func TestClopperPearsonIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(t, "n")
		k := rapid.IntRange(0, n).Draw(t, "k")
		i := ClopperPearson(k, n, 0.9)
		upper, lower := 0.0, 0.0
		for j := range n + 1 {
			if j >= k {
				upper += binomial(n, j, i.Low)
			}
			if j <= k {
				lower += binomial(n, j, i.High)
			}
		}
		if k > 0 && math.Abs(upper-0.05) > 1e-6 || k < n && math.Abs(lower-0.05) > 1e-6 {
			t.Fatalf("%d of %d: %v, tails %v and %v", k, n, i, upper, lower)
		}
	})
}

func TestRatioMismatch(t *testing.T) {
	near(t, "even", RatioMismatch(500, 500, 0.5), 1, 1e-12)
	near(t, "no units", RatioMismatch(0, 0, 0.5), 1, 0)
	// χ² = (60² + 60²)/5000 = 1.44; the p-value of 1.2 standard deviations.
	near(t, "slightly uneven", RatioMismatch(5060, 4940, 0.5), 0.230139, 1e-6)
	// χ² = 50²/250 + 50²/750 = 13.33
	near(t, "a quarter", RatioMismatch(300, 700, 0.25), 0.000261, 1e-6)
	if p := RatioMismatch(5200, 4800, 0.5); p >= 0.001 {
		t.Errorf("a lopsided split has p = %v", p)
	}
}

// Whatever the weights, an ideal alarm lets through about A·(p1−p0)/KL requests: it stops when
// λ·KL·∫w dt reaches A. To these come the requests of half a second, since counts are by the
// second.
func TestBoundDoesNotDependOnTheWeights(t *testing.T) {
	const p0, p1, rate, rounds = 0.005, 0.1, 200, 300
	e := DefaultErrorRates()
	r := rand.New(rand.NewPCG(9, 10))
	for _, weight := range []float64{0.02, 0.05, 0.2} {
		total := 0
		for range rounds {
			total += Bound(simulated(r, rate*weight, p1, p0), []Segment{{P0: p0, P1: p1}}, e, Lag{}).Harm
		}
		kl := p1*math.Log(p1/p0) + (1-p1)*math.Log((1-p1)/(1-p0))
		want := e.threshold()*(p1-p0)/kl + rate*weight*(p1-p0)*0.5
		near(t, "harm", float64(total)/rounds, want, 0.25*want)
	}
}

func simulated(r *rand.Rand, rate, p1, p0 float64) []Second {
	var seconds []Second
	for at := range 300 {
		s := Second{From: time.Duration(at) * time.Second, To: time.Duration(at+1) * time.Second, Bad: []int{0},
			Good: []int{0}}
		for range int(rate) {
			switch {
			case r.Float64() >= p1:
				s.Good[0]++
			default:
				s.Bad[0]++
				if r.Float64() < (p1-p0)/p1 {
					s.Harm++
				}
			}
		}
		seconds = append(seconds, s)
	}
	return seconds
}

// binomial is the chance of k successes in n trials.
func binomial(n, k int, p float64) float64 {
	if p <= 0 || p >= 1 {
		if p <= 0 && k == 0 || p >= 1 && k == n {
			return 1
		}
		return 0
	}
	ln, _ := math.Lgamma(float64(n + 1))
	lk, _ := math.Lgamma(float64(k + 1))
	lr, _ := math.Lgamma(float64(n - k + 1))
	return math.Exp(ln - lk - lr + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

func TestBoundActsAfterTheLag(t *testing.T) {
	seconds := make([]Second, 60)
	for i := range seconds {
		seconds[i] = Second{From: time.Duration(i) * time.Second, To: time.Duration(i+1) * time.Second, Bad: []int{1},
			Good: []int{1}, Harm: 1}
	}
	v := Bound(seconds, []Segment{{P0: 0.001, P1: 0.5}}, DefaultErrorRates(), DefaultLag())
	// Each second brings ln(0.5/0.001) + ln(0.5/0.999) = 5.52 nats, so two do for A = 6.86.
	if v.Alarm != 2*time.Second || v.Stop != 22*time.Second || v.Harm != 22 {
		t.Errorf("bound %+v, want alarm after 2 s, stop at 22 s, harm 22", v)
	}
	if v := Bound(seconds, []Segment{{P0: 0.5, P1: 0.5}}, DefaultErrorRates(), DefaultLag()); v.Alarm != 0 ||
		v.Harm != 60 {
		t.Errorf("without evidence: %+v, want no alarm and all the harm", v)
	}
	if v := Bound(nil, nil, DefaultErrorRates(), DefaultLag()); v != (IdealAlarm{}) {
		t.Errorf("without traffic: %+v", v)
	}
}

func TestMeanInterval(t *testing.T) {
	m, i, ok := MeanInterval([]float64{1, 2, 3}, 0.95)
	// sd 1, t(0.975, 2) = 4.302653
	near(t, "mean", m, 2, 1e-12)
	near(t, "low", i.Low, 2-4.302653/math.Sqrt(3), 1e-5)
	if !ok {
		t.Error("no interval of three samples")
	}
	if _, _, ok := MeanInterval([]float64{1}, 0.95); ok {
		t.Error("an interval of one sample")
	}
}
