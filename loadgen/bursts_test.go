package loadgen_test

import (
	"math"
	"testing"
	"time"

	"coalmine/loadgen"
)

// variance returns mean and variance of a sample.
func variance(sample []float64) (mean, v float64) {
	for _, x := range sample {
		mean += x / float64(len(sample))
	}
	for _, x := range sample {
		v += (x - mean) * (x - mean) / float64(len(sample)-1)
	}
	return mean, v
}

// TestBurstsDisperseCounts compares the index of dispersion of counts in [0, t), variance over
// mean, with that of a two-state MMPP (Heffes, Lucantoni: A Markov modulated characterization of
// packetized voice and data traffic, IEEE JSAC 4, 1986):
//
//	1 + 2(λ1-λ2)²r1·r2/((r1+r2)²(λ1·r2+λ2·r1)) · (1 - (1-exp(-(r1+r2)t))/((r1+r2)t))
//
// It also compares the counts of two cohorts. If an MMPP is divided at random, the parts have a
// covariance of (variance - mean) times both shares, from their common path of states.
func TestBurstsDisperseCounts(t *testing.T) {
	const seeds, rate, factor = 5000, 20.0, 6.0
	calm, burst := 1500*time.Millisecond, 500*time.Millisecond
	w := mall(loadgen.Curve{Constant: rate}, loadgen.Think{Constant: time.Second})
	w.Cohorts[0].Items.Exponent = 0 // faster
	w.Bursts = &loadgen.Bursts{Factor: factor, Calm: calm, Burst: burst}
	w.Cohorts[0].Session.Length = 1 // so that all requests are an MMPP
	w.Cohorts[3].Session.Length = 1
	windows := []time.Duration{200 * time.Millisecond, time.Second, 5 * time.Second}
	var every, visitors, others [3][]float64
	for seed := range uint64(seeds) {
		var n, m [3]float64
		for _, a := range arrivals(newPlan(t, w, seed, windows[2])) {
			for i, d := range windows {
				n[i] += float64(one(a.At < d && a.Session > 0))
				m[i] += float64(one(a.At < d && a.Session == 0))
			}
		}
		for i := range windows {
			every[i], visitors[i], others[i] = append(every[i], n[i]+m[i]), append(visitors[i], n[i]),
				append(others[i], m[i])
		}
	}
	for i, d := range windows {
		all, visits, rest := every[i], visitors[i], others[i]
		r1, r2 := 1/calm.Seconds(), 1/burst.Seconds()
		limit := 2 * math.Pow(rate*(factor-1), 2) * r1 * r2 / (math.Pow(r1+r2, 2) * (rate*r2 + rate*factor*r1))
		x := (r1 + r2) * d.Seconds()
		want := 1 + limit*(1-(1-math.Exp(-x))/x)
		average, v := variance(all)
		mean(t, "requests", all, rate*d.Seconds()*(1.5+factor*0.5)/2)
		if got := v / average; math.Abs(got/want-1) > 0.08 { // the standard error is near 2 %
			t.Errorf("%v: index of dispersion %.2f, want %.2f", d, got, want)
		}
		_, v1 := variance(visits)
		_, v2 := variance(rest)
		if got, want := (v-v1-v2)/2, (v-average)*0.7*0.3; math.Abs(got/want-1) > 0.1 {
			t.Errorf("%v: covariance of cohorts %.2f, want %.2f", d, got, want)
		}
	}
}

func TestExpectedCountsBursts(t *testing.T) {
	w := shop(loadgen.Curve{Ramp: &loadgen.Ramp{From: 0, To: 100, Over: 10 * time.Second}})
	w.Bursts = &loadgen.Bursts{Factor: 5, Calm: 3 * time.Second, Burst: time.Second}
	p := newPlan(t, w, 1, 10*time.Second)
	if p.Expected() != 1000 || p.Mean() != 100 {
		t.Errorf("%g arrivals expected, %g per second", p.Expected(), p.Mean())
	}
	var counts []float64
	for seed := range uint64(300) {
		counts = append(counts, float64(len(arrivals(newPlan(t, w, seed, 10*time.Second)))))
	}
	mean(t, "arrivals", counts, p.Expected())
	if got := newPlan(t, w, 1, 0).Mean(); got != 0 {
		t.Errorf("mean of no time: %g", got)
	}
}

// TestBurstsFollowTheCurve checks that bursts do not change a rate of 0, and that states continue
// across the segments of a curve.
func TestBurstsFollowTheCurve(t *testing.T) {
	w := shop(shapes()["steps"])
	w.Bursts = &loadgen.Bursts{Factor: 3, Calm: 700 * time.Millisecond, Burst: 300 * time.Millisecond}
	const seeds = 200
	var counts [20][]float64
	for seed := range uint64(seeds) {
		var n [20]float64
		for _, a := range arrivals(newPlan(t, w, seed, time.Minute)) {
			n[a.At/(3*time.Second)]++
		}
		for i := range n {
			counts[i] = append(counts[i], n[i])
		}
	}
	for i := range counts {
		begin := time.Duration(i) * 3 * time.Second
		mean(t, begin.String(), counts[i], 1.6*(w.Rate.Integral(begin+3*time.Second)-w.Rate.Integral(begin)))
	}
}
