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

// The table of the course: requests until an alarm at α = 0.001, β = 0.05.
func TestSampleNumbers(t *testing.T) {
	for _, c := range []struct{ p0, p1, sequential, fixed float64 }{
		{0.005, 0.05, 89, 164}, {0.005, 0.02, 496, 893}, {0.01, 0.02, 1626, 2892}, {0.001, 0.01, 452, 843},
	} {
		near(t, "sequential", math.Round(DefaultErrorRates().ExpectedFaulty(c.p1, c.p0)), c.sequential, 1)
		near(t, "fixed", math.Round(DefaultErrorRates().FixedSize(c.p1, c.p0)), c.fixed, 1)
	}
}

// Table 2 of Armitage, McPherson and Rowe 1969.
func TestPeeking(t *testing.T) {
	for looks, want := range map[int]float64{1: 0.05, 2: 0.083, 5: 0.142, 10: 0.193, 20: 0.248} {
		near(t, "peeking", Peeking(0.05, looks), want, 0.0007)
	}
}

func TestBurnRates(t *testing.T) {
	near(t, "threshold at 14.4", BurnThreshold(14.4, 99.5), 0.072, 1e-12)
	// A canary of 10 % that fails half its requests never pages.
	if rate := BurnRate(0.1*0.5, 99.5); rate >= 14.4 {
		t.Errorf("burn rate %v pages", rate)
	}
}

// Textbook values, by Abramowitz and Stegun's tables 26.2, 26.8 and 26.10.
func TestDistributions(t *testing.T) {
	near(t, "z 0.975", NormalQuantile(0.975), 1.959964, 1e-6)
	near(t, "z 0.999", NormalQuantile(0.999), 3.090232, 1e-6)
	near(t, "χ² 3.841, 1", ChiSquare(3.841459, 1), 0.05, 1e-7)
	near(t, "χ² 10.828, 1", ChiSquare(10.827566, 1), 0.001, 1e-9)
	near(t, "χ² 18.307, 10", ChiSquare(18.307038, 10), 0.05, 1e-7)
	near(t, "χ² 0.1, 4", ChiSquare(0.1, 4), 0.998791, 1e-6)
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

func TestWilsonHoldsItsShare(t *testing.T) {
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

// Textbook values (Brown, Cai and DasGupta 2001, among others), and the ends, which have a formula of their own.
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

// At the interval's ends so many successes, or so few, have the chance that the definition says.
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

func TestSurvivalFallsFromOneToZero(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		df := rapid.IntRange(1, 200).Draw(t, "df")
		x := rapid.Float64Range(0, 500).Draw(t, "x")
		y := x + rapid.Float64Range(0, 50).Draw(t, "more")
		p, q := ChiSquare(x, df), ChiSquare(y, df)
		if !(q <= p+1e-12 && p <= 1+1e-12 && q >= -1e-12) {
			t.Fatalf("df %d: Q(%v) = %v, Q(%v) = %v", df, x, p, y, q)
		}
	})
}

func TestSampleRatioMismatch(t *testing.T) {
	near(t, "even", RatioMismatch([]int{500, 500}, []float64{0.5, 0.5}), 1, 1e-12)
	// χ² = (60² + 60²)/5000 = 1.44
	near(t, "slightly odd", RatioMismatch([]int{5060, 4940}, []float64{0.5, 0.5}), ChiSquare(1.44, 1), 1e-12)
	if p := RatioMismatch([]int{5200, 4800}, []float64{0.5, 0.5}); p >= 0.001 {
		t.Errorf("a lopsided split has p = %v", p)
	}
}

// sprt plays one test with random requests until it decides.
func sprt(r *rand.Rand, p, p1, p0 float64, e ErrorRates) (Decision, int) {
	s, err := NewSPRT(p1, p0, e)
	if err != nil {
		panic(err)
	}
	for n := 1; ; n++ {
		bad := 0
		if r.Float64() < p {
			bad = 1
		}
		if d := s.Add(bad, 1-bad); d != Undecided {
			return d, n
		}
	}
}

// Wald's inequalities: no more false alarms than α/(1−β), no more misses than β/(1−α); and his sample numbers, which
// neglect the overshoot, are met from above within it.
func TestSPRTAgainstSimulation(t *testing.T) {
	e := ErrorRates{Alpha: 0.05, Beta: 0.1}
	const p0, p1, rounds = 0.01, 0.05, 4000
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		p, expected, limit float64
		wrong              Decision
	}{
		{p1, e.ExpectedFaulty(p1, p0), e.Beta / (1 - e.Alpha), Clear},
		{p0, e.ExpectedHealthy(p1, p0), e.Alpha / (1 - e.Beta), Alarm},
	} {
		wrong, requests := 0, 0
		for range rounds {
			d, n := sprt(r, c.p, p1, p0, e)
			requests += n
			if d == c.wrong {
				wrong++
			}
		}
		if share := float64(wrong) / rounds; share > c.limit+3*math.Sqrt(c.limit/rounds) {
			t.Errorf("p = %v: wrong in %v of the tests, at most %v allowed", c.p, share, c.limit)
		}
		mean := float64(requests) / rounds
		if mean < 0.9*c.expected || mean > 1.35*c.expected {
			t.Errorf("p = %v: %v requests on average, %v expected", c.p, mean, c.expected)
		}
	}
}

func TestCUSUMAgainstSimulation(t *testing.T) {
	const p0, p1, h, rounds = 0.01, 0.1, 4.0, 1500
	r := rand.New(rand.NewPCG(3, 4))
	length := func(p float64) float64 {
		total := 0
		for range rounds {
			c := NewCUSUM(p1, p0, h)
			for total++; !c.Add(r.Float64() < p); total++ {
			}
		}
		return float64(total) / rounds
	}
	if healthy := length(p0); healthy < math.Exp(h) {
		t.Errorf("false-alarm run length %v, at least %v due", healthy, math.Exp(h))
	}
	delay := NewCUSUM(p1, p0, h).Delay()
	if faulty := length(p1); faulty < 0.8*delay || faulty > 1.6*delay {
		t.Errorf("delay %v, about %v due", faulty, delay)
	}
}

func TestFixedSizeAgainstSimulation(t *testing.T) {
	e := ErrorRates{Alpha: 0.05, Beta: 0.1}
	const p0, p1, rounds = 0.1, 0.2, 3000
	n := int(math.Ceil(e.FixedSize(p1, p0)))
	critical := float64(n)*p0 + NormalQuantile(1-e.Alpha)*math.Sqrt(float64(n)*p0*(1-p0))
	r := rand.New(rand.NewPCG(5, 6))
	share := func(p float64) float64 {
		alarms := 0
		for range rounds {
			bad := 0
			for range n {
				if r.Float64() < p {
					bad++
				}
			}
			if float64(bad) > critical {
				alarms++
			}
		}
		return float64(alarms) / rounds
	}
	near(t, "false alarms", share(p0), e.Alpha, 0.02)
	near(t, "detections", share(p1), 1-e.Beta, 0.025)
}

func TestPeekingAgainstSimulation(t *testing.T) {
	const rounds = 20000
	r := rand.New(rand.NewPCG(7, 8))
	alarms := 0
	for range rounds {
		sum := 0.0
		for k := 1; k <= 5; k++ {
			sum += r.NormFloat64()
			if math.Abs(sum) > NormalQuantile(0.975)*math.Sqrt(float64(k)) {
				alarms++
				break
			}
		}
	}
	near(t, "5 looks", float64(alarms)/rounds, Peeking(0.05, 5), 0.008)
}

// The key result: whatever the weights, an ideal alarm lets through about A·(p1−p0)/KL requests, and the lag's harm.
func TestHarmDoesNotDependOnTheWeights(t *testing.T) {
	const p0, p1, rate, rounds = 0.005, 0.1, 200, 300
	e := DefaultErrorRates()
	r := rand.New(rand.NewPCG(9, 10))
	for _, weight := range []float64{0.02, 0.05, 0.2} {
		total := 0
		for range rounds {
			total += Bound(simulated(r, rate*weight, p1, p0), []Segment{{P0: p0, P1: p1}}, e, Lag{}).Harm
		}
		// One second's requests come on top: the counts are by the second.
		want := e.HarmBound(p1, p0) + LagHarm(rate, weight, p1, p0, 0.5)
		near(t, "harm", float64(total)/rounds, want, 0.25*want)
	}
}

func simulated(r *rand.Rand, rate, p1, p0 float64) []Second {
	var slots []Second
	for at := range 300 {
		s := Second{From: time.Duration(at) * time.Second, To: time.Duration(at+1) * time.Second, Bad: []int{0}, Good: []int{0}}
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
		slots = append(slots, s)
	}
	return slots
}

func TestBoundActsAfterTheLag(t *testing.T) {
	slots := make([]Second, 60)
	for i := range slots {
		slots[i] = Second{From: time.Duration(i) * time.Second, To: time.Duration(i+1) * time.Second, Bad: []int{1}, Good: []int{1}, Harm: 1}
	}
	v := Bound(slots, []Segment{{P0: 0.001, P1: 0.5}}, DefaultErrorRates(), DefaultLag())
	// Each second brings ln(0.5/0.001) + ln(0.5/0.999) = 5.52 nats, so two do for A = 6.86.
	if v.Alarm != 2*time.Second || v.Stop != 22*time.Second || v.Harm != 22 {
		t.Errorf("bound %+v, want alarm after 2 s, stop at 22 s, harm 22", v)
	}
	if v := Bound(slots, []Segment{{P0: 0.5, P1: 0.5}}, DefaultErrorRates(), DefaultLag()); v.Alarm != 0 || v.Harm != 60 {
		t.Errorf("without evidence: %+v, want no alarm and all the harm", v)
	}
	if v := Bound(nil, nil, DefaultErrorRates(), DefaultLag()); v != (IdealAlarm{}) {
		t.Errorf("without traffic: %+v", v)
	}
}

func TestKL(t *testing.T) {
	near(t, "KL(p, p)", KL(0.3, 0.3), 0, 1e-15)
	near(t, "KL(0, p)", KL(0, 0.5), math.Ln2, 1e-15)
	if !math.IsInf(KL(0.5, 0), 1) {
		t.Errorf("KL(0.5, 0) = %v", KL(0.5, 0))
	}
	rapid.Check(t, func(t *rapid.T) {
		p, q := rapid.Float64Range(0.001, 0.999).Draw(t, "p"), rapid.Float64Range(0.001, 0.999).Draw(t, "q")
		if KL(p, q) < -1e-15 {
			t.Fatalf("KL(%v, %v) = %v", p, q, KL(p, q))
		}
	})
}

func TestNewSPRTRefusesImpossibleRates(t *testing.T) {
	for _, r := range [][2]float64{{0, 0}, {0.1, 0.1}, {0.1, 0.2}, {1, 0.5}, {math.NaN(), 0.1}} {
		if _, err := NewSPRT(r[0], r[1], DefaultErrorRates()); err == nil {
			t.Errorf("NewSPRT(%v, %v) has no error", r[0], r[1])
		}
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
