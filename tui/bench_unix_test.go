//go:build unix

package tui

import (
	"context"
	"io"
	"syscall"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"coalmine/lab/event"
	"coalmine/lab/verdict/score"
	script "coalmine/lab/verdict/timelinetest"
	"coalmine/tui/deck"
	"coalmine/tui/liverun"
	"coalmine/tui/liveruntest"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
)

// BenchmarkLive shows a run on a real cluster as it goes on: fifty events a second in real time,
// through the whole program up to the bytes for the terminal. One operation is one second; cpu-% is
// the share of one core.
func BenchmarkLive(b *testing.B) {
	for name, size := range map[string][2]int{"80x24": {80, 24}, "200x60": {200, 60}} {
		b.Run(name, func(b *testing.B) {
			t := &liverun.Trial{Scenario: "s", Runs: []*liverun.Run{{Name: "faulty-seed1", Role: score.RoleFaulty}}}
			feed := liverun.NewFeed(t)
			w := NewWindow(deck.New(t, deck.Options{}), theme.New(true, colorprofile.TrueColor), screen.Follow(feed))
			p := tea.NewProgram(w, tea.WithInput(nil), tea.WithOutput(io.Discard),
				tea.WithWindowSize(size[0], size[1]), tea.WithContext(context.Background()))
			done := make(chan error, 1)
			go func() { _, err := p.Run(); done <- err }()
			events := live(100 + 50*b.N)
			for _, e := range events[:100] {
				feed.Event(0, e)
			}
			tick := time.NewTicker(time.Second / 50)
			defer tick.Stop()
			b.ResetTimer()
			start, cpu := time.Now(), used(b)
			for _, e := range events[100:] {
				<-tick.C
				feed.Event(0, e)
			}
			b.ReportMetric(100*float64(used(b)-cpu)/float64(time.Since(start)), "cpu-%")
			feed.Close(nil, "")
			p.Quit()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		})
	}
}

// live returns the events of a run on a real cluster.
func live(n int) []event.Event {
	s := script.Ready("faulty", 1, true).Release()
	v, least := 99.5, 99.0
	for i := 0; len(s.Events()) < n; i++ {
		s.Traffic(1).Canary(event.PhaseProgressing, 5+i%40, i%4).Gate(event.GateVolume, i%3 > 0)
		s.Add(event.Query{Asker: script.Service, Metric: "success-rate", PromQL: "good / all * 100", Value: &v,
			Min: &least})
	}
	events := s.Events()
	start := events[0].Fact.(event.RunStarted)
	start.Cluster = "kind"
	events[0].Fact = start
	return events[:n]
}

// used returns the CPU time of this process so far.
func used(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkView draws the deck inside a window.
func BenchmarkView(b *testing.B) {
	d := deck.New(liveruntest.Caught(), deck.Options{Paused: true})
	w := NewWindow(d, theme.New(true, colorprofile.TrueColor))
	d.Init()
	w.Update(tea.WindowSizeMsg{Width: 200, Height: 60})
	b.ReportAllocs()
	start := used(b)
	for b.Loop() {
		w.rendered = ""
		if w.View().Content == "" {
			b.Fatal("nothing was drawn")
		}
	}
	b.ReportMetric(float64((used(b)-start).Microseconds())/float64(b.N), "cpu-µs/op")
}
