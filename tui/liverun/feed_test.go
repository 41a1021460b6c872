package liverun_test

import (
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"coalmine/lab/event"
	"coalmine/lab/verdict/score"
	script "coalmine/lab/verdict/timelinetest"
	"coalmine/tui/liverun"
	"coalmine/tui/recording"
)

// TestFeedLosesNothing plays runs in their own goroutines while another one reads batches.
func TestFeedLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logs := map[int][]event.Event{0: script.RolledBack(1).Events()[:90],
			1: script.Promoted("healthy", 1).Events()[:30],
			2: script.Unguarded(1).Events()[:rapid.IntRange(0, 9).Draw(t, "cut")]}
		tr := &liverun.Trial{Runs: []*liverun.Run{{Name: "a"}, {Name: "b"}, {Name: "c"}}}
		f := liverun.NewFeed(tr)
		var playing sync.WaitGroup
		for i, events := range logs {
			playing.Go(func() {
				f.Begin(i)
				for _, e := range events {
					f.Event(i, e)
				}
				problem := ""
				if i == 2 {
					problem = "cut off"
				}
				f.End(i, problem)
			})
		}
		go func() {
			playing.Wait()
			f.Close(&score.Card{Points: 7}, "")
			f.Event(0, event.Event{}) // ignored: the feed is closed
			f.Close(nil, "again")
		}()
		for {
			b := f.Next()
			b.Apply()
			if b.Last {
				break
			}
		}
		for i, events := range logs {
			r := tr.Runs[i]
			var got []event.Event
			if r.Rec != nil {
				got = r.Rec.Events()
			}
			same := func(a, b event.Event) bool { return a.Seq == b.Seq && a.Fact.Kind() == b.Fact.Kind() }
			if !slices.EqualFunc(events, got, same) {
				t.Fatalf("run %d has %d events, want %d in their order", i, len(got), len(events))
			}
		}
		if !tr.Done || tr.Card == nil || tr.Card.Points != 7 || tr.Problem != "" {
			t.Fatalf("the trial ended as %+v", tr)
		}
		if tr.Runs[0].Status != liverun.Complete || tr.Runs[2].Status != liverun.Failed ||
			tr.Runs[2].Problem != "cut off" {
			t.Fatalf("the runs ended as %+v and %+v", tr.Runs[0], tr.Runs[2])
		}
	})
}

func TestTrial(t *testing.T) {
	tr := &liverun.Trial{Runs: []*liverun.Run{
		{Name: "healthy-seed1", Role: score.RoleHealthy, Seed: 1},
		{Name: "faulty-seed1", Role: score.RoleFaulty, Seed: 1},
		{Name: "unguarded-seed2", Role: score.RoleUnguarded, Seed: 2},
		{Name: "unguarded-seed1", Role: score.RoleUnguarded, Seed: 1, Rec: recording.New()},
	}}
	if got := tr.DefaultRun(); got != 1 {
		t.Errorf("the first run is %d", got)
	}
	if got := tr.Counterpart(tr.Runs[1], score.RoleUnguarded); got != tr.Runs[3] {
		t.Errorf("the counterpart is %v", got)
	}
	if got := tr.Counterpart(tr.Runs[1], score.RoleReference); got != nil {
		t.Errorf("there is a reference: %v", got)
	}
	if got := tr.RunIndex("none"); got != -1 {
		t.Errorf("a run that is not there has number %d", got)
	}
	if got := (&liverun.Trial{}).DefaultRun(); got != 0 {
		t.Errorf("the first run of none is %d", got)
	}
}
