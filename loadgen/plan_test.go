package loadgen_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/loadgen"
)

// TestDigestIsPinned guards the promise that a seed gives the same traffic on every machine and in
// every version: results are verified by replaying them.
func TestDigestIsPinned(t *testing.T) {
	pinned := map[string]string{
		"constant": "2ff46db4b75f2db9", "diurnal": "95dfacc31cac5997", "ramp down": "af68d61528e1276a",
		"ramp up": "cc0f6e3239dd8830", "spike": "2303de3f7632ff16", "steps": "f9ba8c3c7231a9c0",
	}
	for name, c := range shapes() {
		p := newPlan(t, shop(c), 42, time.Minute)
		if got := p.Digest()[:16]; got != pinned[name] {
			t.Errorf("%s: digest %s, want %s", name, got, pinned[name])
		}
		if newPlan(t, shop(c), 42, time.Minute).Digest() != p.Digest() {
			t.Errorf("%s: two plans of one seed differ", name)
		}
		if newPlan(t, shop(c), 43, time.Minute).Digest() == p.Digest() {
			t.Errorf("%s: another seed gives the same plan", name)
		}
	}
}

// shapes returns one curve of each kind.
func shapes() map[string]loadgen.Curve {
	return map[string]loadgen.Curve{
		"constant":  {Constant: 100},
		"ramp up":   {Ramp: &loadgen.Ramp{From: 0, To: 200, Over: 40 * time.Second}},
		"ramp down": {Ramp: &loadgen.Ramp{From: 200, To: 0, Over: 40 * time.Second}},
		"steps": {Steps: []loadgen.Step{
			{At: 5 * time.Second, Rate: 150}, {At: 20 * time.Second, Rate: 0}, {At: 30 * time.Second, Rate: 300},
		}},
		"spike":   {Spike: &loadgen.Spike{Base: 20, Peak: 800, At: 17 * time.Second, For: 9 * time.Second}},
		"diurnal": {Diurnal: &loadgen.Diurnal{Mean: 100, Amplitude: 100, Period: 37 * time.Second, Phase: 0.1}},
	}
}

func TestPlanIsWellFormed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"constant", "diurnal", "ramp down", "ramp up", "spike", "steps"}
		w := shop(shapes()[rapid.SampledFrom(names).Draw(t, "curve")])
		d := time.Duration(rapid.Int64Range(0, int64(40*time.Second)).Draw(t, "duration"))
		p, err := loadgen.NewPlan(w, rapid.Uint64().Draw(t, "seed"), d)
		if err != nil {
			t.Fatal(err)
		}
		last, seq := time.Duration(0), uint64(0)
		for c := p.Arrivals(); ; seq++ {
			ahead, more := c.Peek()
			a, ok := c.Next()
			if a != ahead || ok != more {
				t.Fatalf("Peek gave %+v, %t; Next %+v, %t", ahead, more, a, ok)
			}
			if !ok {
				break
			}
			first, count := p.Users(int(a.Cohort))
			if a.At < last || a.At >= d || a.Seq != seq || a.User < first || uint64(a.User) >= uint64(first)+
				uint64(count) {
				t.Fatalf("arrival %d after %v: %+v; users from %d, %d of them", seq, last, a, first, count)
			}
			if weight := w.Cohorts[a.Cohort].Mix[w.Routes[a.Route].Name]; weight <= 0 {
				t.Fatalf("cohort %d asks for route %d, which has weight %g", a.Cohort, a.Route, weight)
			}
			last = a.At
		}
	})
}

func TestLongerPlanExtendsShorter(t *testing.T) {
	for name, c := range shapes() {
		short, long := arrivals(newPlan(t, shop(c), 7, 25*time.Second)),
			arrivals(newPlan(t, shop(c), 7, 60*time.Second))
		if len(short) == 0 || len(long) <= len(short) || !slices.Equal(short, long[:len(short)]) {
			t.Errorf("%s: %d arrivals are no prefix of %d", name, len(short), len(long))
		}
		if len(long) > len(short) && long[len(short)].At < 25*time.Second {
			t.Errorf("%s: the shorter plan lacks an arrival at %v", name, long[len(short)].At)
		}
	}
}

// TestGapsAreExponential is the Kolmogorov-Smirnov test of a Poisson process at a constant rate.
func TestGapsAreExponential(t *testing.T) {
	const rate = 500.0
	list := arrivals(newPlan(t, shop(loadgen.Curve{Constant: rate}), 3, 100*time.Second))
	gaps := make([]float64, len(list))
	for i, a := range list {
		gaps[i] = a.At.Seconds()
		if i > 0 {
			gaps[i] -= list[i-1].At.Seconds()
		}
	}
	slices.Sort(gaps)
	n, distance := float64(len(gaps)), 0.0
	for i, g := range gaps {
		cdf := 1 - math.Exp(-rate*g)
		distance = max(distance, cdf-float64(i)/n, float64(i+1)/n-cdf)
	}
	// The 0.999-quantile of Kolmogorov's distribution is 1.95/√n.
	if limit := 1.95 / math.Sqrt(n); distance > limit {
		t.Errorf("KS distance %.4f of %d gaps, want under %.4f", distance, len(gaps), limit)
	}
}

// TestGapsAreUncorrelated checks neighbouring gaps.
func TestGapsAreUncorrelated(t *testing.T) {
	list := arrivals(newPlan(t, shop(loadgen.Curve{Constant: 500}), 4, 100*time.Second))
	sum, n := 0.0, float64(len(list)-2)
	for i := range len(list) - 2 {
		a, b := list[i+1].At-list[i].At, list[i+2].At-list[i+1].At
		sum += (a.Seconds()*500 - 1) * (b.Seconds()*500 - 1)
	}
	if r := sum / n; math.Abs(r) > 4/math.Sqrt(n) {
		t.Errorf("correlation %.4f, want within ± %.4f", r, 4/math.Sqrt(n))
	}
}

// TestRateFollowsTheCurve compares counts in windows with the integral of the curve, by chi-square
// over several seeds.
func TestRateFollowsTheCurve(t *testing.T) {
	const seeds, window, windows = 20, 3 * time.Second, 20
	for name, c := range shapes() {
		var counts [windows]float64
		for seed := range uint64(seeds) {
			for _, a := range arrivals(newPlan(t, shop(c), seed, windows*window)) {
				counts[a.At/window]++
			}
		}
		chi, freedom := 0.0, 0.0
		for i, n := range counts {
			begin := time.Duration(i) * window
			mean := seeds * (c.Integral(begin+window) - c.Integral(begin))
			if mean < 1e-9 {
				if n != 0 {
					t.Errorf("%s: %g arrivals from %v on, where the rate is 0", name, n, begin)
				}
				continue
			}
			chi += (n - mean) * (n - mean) / mean
			freedom++
		}
		// The limit is four standard deviations of the chi-square distribution.
		if math.Abs(chi-freedom) > 4*math.Sqrt(2*freedom) {
			t.Errorf("%s: chi-square %.1f with %g degrees of freedom", name, chi, freedom)
		}
	}
}

func TestSharesAreKept(t *testing.T) {
	w := shop(loadgen.Curve{Constant: 2000})
	list := arrivals(newPlan(t, w, 11, 100*time.Second))
	cohorts, routes := make([]int, len(w.Cohorts)), make([][]int, len(w.Cohorts))
	for i := range routes {
		routes[i] = make([]int, len(w.Routes))
	}
	for _, a := range list {
		cohorts[a.Cohort]++
		routes[a.Cohort][a.Route]++
	}
	for i, c := range w.Cohorts {
		binomial(t, c.Name, cohorts[i], len(list), c.Share)
		sum := 0.0
		for _, weight := range c.Mix {
			sum += weight
		}
		for j, r := range w.Routes {
			binomial(t, c.Name+" on "+r.Name, routes[i][j], cohorts[i], c.Mix[r.Name]/sum)
		}
	}
}

// binomial fails unless count is within five standard deviations of n·p.
func binomial(t *testing.T, what string, count, n int, p float64) {
	t.Helper()
	mean, deviation := float64(n)*p, math.Sqrt(float64(n)*p*(1-p))
	if math.Abs(float64(count)-mean) > 5*deviation {
		t.Errorf("%s: %d of %d, want %.0f ± %.0f", what, count, n, mean, 5*deviation)
	}
}

func TestUsersAreStickyOrNew(t *testing.T) {
	w := shop(loadgen.Curve{Constant: 2000})
	p := newPlan(t, w, 12, 50*time.Second)
	perCohort := make([]map[uint32]int, len(w.Cohorts))
	for i := range perCohort {
		perCohort[i] = map[uint32]int{}
	}
	for _, a := range arrivals(p) {
		perCohort[a.Cohort][a.User]++
	}
	for i, c := range w.Cohorts {
		total, most := 0, 0
		for _, n := range perCohort[i] {
			total, most = total+n, max(most, n)
		}
		if c.Users == 0 {
			if most != 1 {
				t.Errorf("%s: a user comes %d times", c.Name, most)
			}
			continue
		}
		if len(perCohort[i]) != c.Users {
			t.Errorf("%s: %d users, want %d", c.Name, len(perCohort[i]), c.Users)
		}
		if mean := float64(total) / float64(c.Users); float64(most) > mean+6*math.Sqrt(mean) {
			t.Errorf("%s: a user comes %d times, the mean is %.0f", c.Name, most, mean)
		}
	}
}

func TestUserRangesDoNotOverlap(t *testing.T) {
	w := shop(loadgen.Curve{Constant: 1})
	w.Cohorts[1].Users = 0
	p := newPlan(t, w, 1, time.Second)
	for i := range w.Cohorts {
		for j := range i {
			a, n := p.Users(i)
			b, m := p.Users(j)
			if uint64(a) < uint64(b)+uint64(m) && uint64(b) < uint64(a)+uint64(n) {
				t.Errorf("cohorts %d and %d share users: %d+%d, %d+%d", j, i, b, m, a, n)
			}
		}
	}
}

func TestCursorDoesNotAllocatePerArrival(t *testing.T) {
	for name, c := range shapes() {
		cursor := newPlan(t, shop(c), 1, 10*time.Hour).Arrivals()
		if n := testing.AllocsPerRun(1000, func() { cursor.Next() }); n != 0 {
			t.Errorf("%s: %g allocations per arrival", name, n)
		}
	}
}

func one(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
