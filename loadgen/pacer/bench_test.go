package pacer_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"coalmine/loadgen/pacer"
)

// BenchmarkLateness reports how late waits of half a millisecond end, in µs, for this package and
// for time.Sleep.
func BenchmarkLateness(b *testing.B) {
	timer, err := pacer.NewTimer()
	if err != nil {
		b.Fatal(err)
	}
	defer timer.Close()
	clock, err := pacer.NewClock()
	if err != nil {
		b.Fatal(err)
	}
	defer clock.Close()
	ctx := context.Background()
	b.Run("Timer", func(b *testing.B) { lateness(b, func(until time.Time) { _ = timer.Wait(ctx, until) }) })
	b.Run("Clock", func(b *testing.B) { lateness(b, func(until time.Time) { _ = clock.SleepUntil(ctx, until) }) })
	b.Run("time.Sleep", func(b *testing.B) { lateness(b, func(until time.Time) { time.Sleep(time.Until(until)) }) })
}

func lateness(b *testing.B, wait func(until time.Time)) {
	const waits = 400
	late := make([]float64, 0, waits)
	for b.Loop() {
		for late = late[:0]; len(late) < waits; {
			until := time.Now().Add(500 * time.Microsecond)
			wait(until)
			late = append(late, float64(time.Since(until))/1e3)
		}
	}
	slices.Sort(late)
	b.ReportMetric(late[waits/2], "p50-µs")
	b.ReportMetric(late[waits*99/100], "p99-µs")
}
