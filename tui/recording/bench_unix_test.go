//go:build unix

package recording_test

import (
	"bytes"
	"syscall"
	"testing"
	"time"

	"coalmine/lab/event"
	script "coalmine/lab/verdict/timelinetest"
	"coalmine/tui/recording"
)

// long returns a run of n events: mostly seconds of traffic, with the facts of a rollout that never
// ends.
func long(n int) []event.Event {
	s := script.Ready("faulty", 1, true).Release()
	v, least := 99.5, 99.0
	for i := 0; len(s.Events()) < n; i++ {
		s.Canary(event.PhaseProgressing, 5+i%40, i%4)
		for range 6 {
			s.Add(event.Query{Asker: script.Service, Metric: "success-rate", PromQL: "good / all * 100", Value: &v,
				Min: &least})
		}
		s.Gate(event.GateVolume, i%3 > 0)
		s.Add(event.Flagger{Canary: script.Service, Type: "Normal", Message: "Advance checkout.develop canary weight"})
		s.Traffic(30)
	}
	return s.Events()[:n]
}

// BenchmarkOpen reads a log of 100,000 events and derives all that a deck shows at once.
func BenchmarkOpen(b *testing.B) {
	var log bytes.Buffer
	w := event.NewWriter(&log)
	for _, e := range long(100_000) {
		w.Write(e)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(log.Len()))
	b.ReportAllocs()
	start := used(b)
	for b.Loop() {
		events, err := event.NewBudget(1 << 30).Read(bytes.NewReader(log.Bytes()))
		if err != nil {
			b.Fatal(err)
		}
		r := recording.FromEvents(events)
		if len(r.Narrative()) == 0 || len(r.Markers()) == 0 || len(r.Lines()) == 0 {
			b.Fatal("there is no narrative")
		}
	}
	b.ReportMetric(float64((used(b)-start).Milliseconds())/float64(b.N), "cpu-ms/op")
}

// used returns the CPU time of this process so far: wall time means little on a busy machine.
func used(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkSeek(b *testing.B) {
	r := recording.FromEvents(long(100_000))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		at := r.End() * time.Duration(i*7919%1000) / 1000
		if s := r.At(at); s.Last.At > at {
			b.Fatal(s.Last)
		}
	}
}
