package loadgen_test

import (
	"syscall"
	"testing"
	"time"

	"coalmine/loadgen"
	"coalmine/loadgen/rng"
)

// cpuTime is the time that this process spent on the processor.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchPlan has about n arrivals.
func benchPlan(b *testing.B, n float64) *loadgen.Plan {
	w := shop(loadgen.Curve{Constant: 2000})
	p, err := loadgen.NewPlan(w, 1, time.Duration(n/2000*float64(time.Second)))
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// BenchmarkVirtualExecutor plays whole plans against a server with lognormal service times, two versions and a fault. It
// reports requests per second of processor time, garbage collection included.
func BenchmarkVirtualExecutor(b *testing.B) {
	const perPlay = 1_000_000
	plan, latency := benchPlan(b, perPlay), rng.NewLognormal(20*time.Millisecond, 200*time.Millisecond)
	draws, picks := rng.New(1, "latency"), rng.New(1, "version")
	serve := func(a loadgen.Arrival, _ int, _ time.Duration) loadgen.Answer {
		r := loadgen.Answer{Latency: latency.Draw(draws.Bits(a.Seq)), Status: 200}
		if pick := picks.Unit(a.Seq); pick < 0.1 {
			r.Version = 1
			if r.Hit = pick < 0.01; r.Hit {
				r.Status = 500
			}
		}
		return r
	}
	b.ReportAllocs()
	requests, begin := uint64(0), cpuTime(b)
	for b.Loop() {
		tally, err := loadgen.Virtual{Versions: 2}.Play(b.Context(), plan, serve)
		if err != nil {
			b.Fatal(err)
		}
		requests += tally.Sent()
	}
	spent := cpuTime(b) - begin
	b.ReportMetric(float64(requests)/spent.Seconds(), "req/s/core")
	b.ReportMetric(float64(spent.Nanoseconds())/float64(requests), "cpu-ns/req")
}

func BenchmarkCursor(b *testing.B) {
	plan := benchPlan(b, 1e12)
	c := plan.Arrivals()
	b.ReportAllocs()
	for b.Loop() {
		c.Next()
	}
}

// BenchmarkSessions walks over plans with sessions, of which some thousand are under way.
func BenchmarkSessions(b *testing.B) {
	for name, think := range thinks() {
		b.Run(name, func(b *testing.B) {
			w := mall(loadgen.Curve{Constant: 2000}, think)
			p, err := loadgen.NewPlan(w, 1, 1e6*time.Second)
			if err != nil {
				b.Fatal(err)
			}
			c := p.Arrivals()
			b.ReportAllocs()
			for b.Loop() {
				c.Next()
			}
		})
	}
}

// BenchmarkBegin makes cursors of a plan with sessions under way.
func BenchmarkBegin(b *testing.B) {
	p, err := loadgen.NewPlan(mall(loadgen.Curve{Constant: 2000}, thinks()["lognormal"]), 1, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p.Arrivals()
	}
}

func BenchmarkHistogram(b *testing.B) {
	var h loadgen.Histogram
	for i := time.Duration(0); b.Loop(); i++ {
		h.Add(i * 977 % time.Second)
	}
}
