package attack_test

import (
	"math"
	"slices"
	"testing"
	"time"
)

// generate runs one generator against one server.
func generate(b *testing.B, s serverOrder, g generatorOrder) (figures, stalled) {
	b.Helper()
	mine, theirs := cores(b)
	server := start(b, order{Serve: &s}, theirs)
	server.read(b, &g.URL)
	generator := start(b, order{Generate: &g}, mine)
	var f figures
	var log stalled
	generator.read(b, &f)
	generator.end(b)
	server.stdin.Close()
	server.read(b, &log)
	server.end(b)
	if f.Failures > 0 || f.Requests == 0 {
		b.Fatalf("%d of %d requests failed", f.Failures, f.Requests)
	}
	return f, log
}

// lateness lists how much later than meant requests were written, in µs, in order of size.
func (f figures) lateness() []float64 {
	var list []float64
	for i, at := range f.Intended {
		if f.Written[i] > 0 {
			list = append(list, math.Abs(float64(f.Written[i]-at))/1e3)
		}
	}
	slices.Sort(list)
	return list
}

// poissonDistance is Kolmogorov and Smirnov's distance between the gaps of what was written and an exponential distribution.
func (f figures) poissonDistance(rate float64) float64 {
	times := slices.Clone(f.Written)
	times = slices.DeleteFunc(times, func(at int64) bool { return at == 0 })
	slices.Sort(times)
	gaps := make([]float64, len(times)-1)
	for i := range gaps {
		gaps[i] = float64(times[i+1]-times[i]) / 1e9
	}
	slices.Sort(gaps)
	far := 0.0
	for i, gap := range gaps {
		want := 1 - math.Exp(-rate*gap)
		far = max(far, math.Abs(want-float64(i)/float64(len(gaps))), math.Abs(want-float64(i+1)/float64(len(gaps))))
	}
	return far
}

// BenchmarkSchedule sends 2,000 requests a second to a server that answers after 20 ms, and states how late they were written
// and how far their gaps are from those of a Poisson process. Goals: 25 µs and 0.05.
func BenchmarkSchedule(b *testing.B) {
	const rate = 2000
	run := func(stock, even bool) figures {
		f, _ := generate(b, serverOrder{Service: 20 * time.Millisecond},
			generatorOrder{Stock: stock, Even: even, Rate: rate, For: 3 * time.Second, Workers: 1000, Stamp: true})
		return f
	}
	for b.Loop() {
		ours, even, poisson := run(false, false), run(true, true), run(true, false)
		mine, theirs := ours.lateness(), even.lateness()
		b.ReportMetric(mine[len(mine)/2], "p50-µs")
		b.ReportMetric(theirs[len(theirs)/2], "vegeta-p50-µs")
		b.ReportMetric(mine[len(mine)*99/100], "p99-µs")
		b.ReportMetric(theirs[len(theirs)*99/100], "vegeta-p99-µs")
		b.ReportMetric(ours.poissonDistance(rate), "KS")
		b.ReportMetric(poisson.poissonDistance(rate), "vegeta-KS")
	}
}

// BenchmarkStall sends 500 requests a second, at most ten at a time, to a server that stalls for a second, and states the 99th
// percentile of latency that is reported, as a multiple of what users would have seen: a request waits from its time to the end of
// the stall.
func BenchmarkStall(b *testing.B) {
	run := func(stock bool) float64 {
		f, stall := generate(b, serverOrder{StallAfter: 1500 * time.Millisecond, Stall: time.Second},
			generatorOrder{Stock: stock, Even: true, Rate: 500, For: 4 * time.Second, Workers: 10})
		var waits []time.Duration
		for _, at := range f.Intended {
			wait := time.Duration(0)
			if stall.Begin <= at && at < stall.End {
				wait = time.Duration(stall.End - at)
			}
			waits = append(waits, wait)
		}
		slices.Sort(waits)
		return float64(f.P99) / float64(waits[len(waits)*99/100])
	}
	for b.Loop() {
		b.ReportMetric(run(false), "p99/true")
		b.ReportMetric(run(true), "vegeta-p99/true")
	}
}

// BenchmarkCost states what a request costs the generator's process, in µs of processor time, accounts included: as fast as it
// can, and at 5,000 a second. Each is the median of three, taken in turns. Goal: at most 15 % more than vegeta.
func BenchmarkCost(b *testing.B) {
	run := func(stock bool, rate float64) float64 {
		f, _ := generate(b, serverOrder{}, generatorOrder{Stock: stock, Rate: rate, For: 1500 * time.Millisecond, Workers: 64})
		return float64(f.CPU.Nanoseconds()) / 1e3 / float64(f.Requests)
	}
	for b.Loop() {
		for _, load := range []struct {
			name string
			rate float64
		}{{"full", 0}, {"5k", 5000}} {
			var mine, theirs []float64
			for range 3 {
				mine, theirs = append(mine, run(false, load.rate)), append(theirs, run(true, load.rate))
			}
			slices.Sort(mine)
			slices.Sort(theirs)
			b.ReportMetric(mine[1], load.name+"-µs")
			b.ReportMetric(theirs[1], load.name+"-vegeta-µs")
			b.ReportMetric(100*(mine[1]/theirs[1]-1), load.name+"-over-%")
		}
	}
}
