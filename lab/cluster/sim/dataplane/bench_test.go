package dataplane_test

import (
	"testing"
	"time"

	"coalmine/lab/service"
)

// BenchmarkPlane plays ten minutes of 200 requests/s to two services by five cohorts, with weight
// changes, cells every second and a scrape every ten.
func BenchmarkPlane(b *testing.B) {
	b.ReportAllocs()
	requests := 0
	for b.Loop() {
		b.StopTimer()
		s := open(b, nil)
		s.canary(service.Fault{Name: "errors", Share: 0.1, Effect: service.Effect{Status: 500}})
		b.StartTimer()
		for t := time.Second; t <= 10*time.Minute; t += time.Second {
			if t%(60*time.Second) == 0 {
				s.weigh(int(t / (12 * time.Second)))
			}
			for at := t - 900*time.Millisecond; at <= t; at += 100 * time.Millisecond {
				s.Advance(at)
			}
			s.Cells()
		}
		requests += s.Totals().Answered
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(requests), "ns/request")
	b.ReportMetric(float64(requests)/float64(b.N), "requests")
}
