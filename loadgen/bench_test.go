package loadgen_test

import (
	"testing"
	"time"

	"coalmine/loadgen"
)

// benchPlan returns a plan with about n arrivals.
func benchPlan(b *testing.B, n float64) *loadgen.Plan {
	w := shop(loadgen.Curve{Constant: 2000})
	p, err := loadgen.NewPlan(w, 1, time.Duration(n/2000*float64(time.Second)))
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func BenchmarkCursor(b *testing.B) {
	plan := benchPlan(b, 1e12)
	c := plan.Arrivals()
	b.ReportAllocs()
	for b.Loop() {
		c.Next()
	}
}

// BenchmarkSessions iterates over plans with some thousand active sessions.
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

// BenchmarkSessionsAtStart creates cursors of a plan with active sessions.
func BenchmarkSessionsAtStart(b *testing.B) {
	p, err := loadgen.NewPlan(mall(loadgen.Curve{Constant: 2000}, thinks()["lognormal"]), 1, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p.Arrivals()
	}
}
