package loadgen_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/loadgen"
)

// hostile draws a workload of extreme values, most of which pass validation one by one.
func hostile(t *rapid.T) loadgen.Workload {
	number := func(what string, list ...float64) float64 { return rapid.SampledFrom(list).Draw(t, what) }
	length := func(what string, list ...time.Duration) time.Duration { return rapid.SampledFrom(list).Draw(t, what) }
	rates := []float64{1e-300, 1e-9, 1, 1e3, 1e7, math.NaN()}
	rate := func() float64 { return number("rate", rates...) }
	w := mall(loadgen.Curve{Constant: rate()}, loadgen.Think{})
	switch rapid.IntRange(0, 4).Draw(t, "curve") {
	case 0:
		w.Rate = loadgen.Curve{Diurnal: &loadgen.Diurnal{Mean: rate(), Amplitude: rate(),
			Period: length("period", 1, time.Hour, 1e6*time.Hour, 1<<62), Phase: 0.75}}
		w.Rate.Diurnal.Amplitude = w.Rate.Diurnal.Mean
	case 1:
		w.Rate = loadgen.Curve{Steps: []loadgen.Step{{At: 1, Rate: rate()}, {At: 1 << 62, Rate: rate()}}}
	}
	if rapid.Bool().Draw(t, "bursts") {
		soon := []time.Duration{time.Millisecond, time.Second, 24 * time.Hour}
		w.Bursts = &loadgen.Bursts{Factor: number("factor", 1.0000001, 2, 1000), Calm: length("calm", soon...),
			Burst: length("burst", soon...)}
	}
	s := w.Cohorts[0].Session
	s.Length = number("length", 1, 1.0000000000000002, 2, 1000)
	times := []time.Duration{1, time.Millisecond, time.Minute, 24 * time.Hour}
	switch rapid.IntRange(0, 2).Draw(t, "think") {
	case 0:
		s.Think.Constant = length("constant", times...)
	case 1:
		s.Think.Lognormal = &loadgen.LognormalThink{P50: length("p50", times...), P99: length("p99", times...)}
	default:
		s.Think.Pareto = &loadgen.ParetoThink{Min: length("min", times...), Alpha: number("alpha", 1.01, 2, 100),
			Max: length("max", times...)}
	}
	w.Cohorts[0].Items = &loadgen.Items{Count: rapid.SampledFrom([]int{1, 2, 1000}).Draw(t, "count"),
		Exponent: number("exponent", 0, 1e-300, 1, 10), Offset: 1 << 31}
	w.Cohorts[0].Share, w.Cohorts[1].Share = number("share", 0, 1e-300, 0.6, 0.85), 0.85
	w.Cohorts[1].Share -= w.Cohorts[0].Share
	w.Cohorts[0].Users = rapid.SampledFrom([]int{0, 1, 1 << 31}).Draw(t, "users")
	w.Cohorts[1].Users = 0
	w.Cohorts[2].Users = 0
	return w
}

// playHostile takes some arrivals of a hostile workload.
func playHostile(t *rapid.T) {
	w := hostile(t)
	p, err := loadgen.NewPlan(w, rapid.Uint64().Draw(t, "seed"),
		rapid.SampledFrom([]time.Duration{1, time.Minute, time.Hour, 1 << 62}).Draw(t, "duration"))
	if err != nil {
		return
	}
	last := time.Duration(0)
	for c := p.Arrivals(); ; {
		a, ok := c.Next()
		if !ok || a.Seq > 200 {
			return
		}
		first, count := p.Users(int(a.Cohort))
		if a.At < last || a.At >= p.Duration() || a.User < first || a.User-first >= count ||
			!strings.HasPrefix(p.Target(a), "/") {
			t.Fatalf("after %v: %+v; users from %d, %d of them; %s", last, a, first, count, p.Target(a))
		}
		last = a.At
	}
}

func TestHostileWorkloads(t *testing.T) { rapid.Check(t, playHostile) }

func FuzzHostile(f *testing.F) { f.Fuzz(rapid.MakeFuzz(playHostile)) }
