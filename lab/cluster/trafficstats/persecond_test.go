package trafficstats_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coalmine/lab/cluster/trafficstats"
	"coalmine/lab/event"
)

const ms = time.Millisecond

func TestPerSecond(t *testing.T) {
	tl := trafficstats.New(config())
	var got [][3]int // from and to in ms, requests
	s := trafficstats.NewPerSecond(tl, 1500*ms, func(f event.Traffic) {
		got = append(got, [3]int{int(time.Duration(f.From) / ms), int(time.Duration(f.To) / ms), f.Cells[0].N})
	})
	a := trafficstats.Response{Status: 200}
	for _, at := range []time.Duration{1500 * ms, 2499 * ms, 2500 * ms, 5600 * ms, 5550 * ms, 5400 * ms} {
		s.Add(at, &a, 0)
	}
	s.Advance(6499 * ms) // nothing has ended
	s.Advance(8000 * ms)
	s.Advance(7000 * ms) // time does not go back
	s.Add(8600*ms, &a, 0)
	totals := s.End(8700*ms, 10)
	// The response of 5.4 s came late: its second had been emitted.
	want := [][3]int{{1500, 2500, 2}, {2500, 3500, 1}, {5500, 6500, 3}, {8500, 8700, 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if totals.Planned != 10 || totals.Answered != 7 || totals.Open != 3 {
		t.Errorf("totals %+v", totals)
	}
}

// Each response counts in exactly one second, and seconds do not overlap.
func TestPerSecondCountsEveryResponse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Duration(rapid.IntRange(0, 5000).Draw(t, "start")) * ms
		at, end, sent, seen := start, start, map[time.Duration]int{}, map[time.Duration]int{}
		s := trafficstats.NewPerSecond(trafficstats.New(config()), start, func(f event.Traffic) {
			from, to := time.Duration(f.From), time.Duration(f.To)
			if from < end || to < from || to > from+time.Second || (from-start)%time.Second != 0 {
				t.Fatalf("a second from %v to %v after one to %v", from, to, end)
			}
			end = to
			for _, c := range f.Cells {
				seen[from] += c.N + c.Retried
			}
		})
		for range rapid.IntRange(0, 100).Draw(t, "answers") {
			at += time.Duration(rapid.IntRange(0, 3000).Draw(t, "gap")) * ms
			a := trafficstats.Response{Status: 200, Retried: rapid.Bool().Draw(t, "retried")}
			sent[at-(at-start)%time.Second]++
			s.Add(at, &a, 0)
		}
		totals := s.End(at+time.Duration(rapid.IntRange(0, 3000).Draw(t, "rest"))*ms, 0)
		if diff := cmp.Diff(sent, seen); diff != "" {
			t.Fatal(diff)
		}
		if totals.Planned != totals.Answered || totals.Open != 0 {
			t.Fatalf("%+v", totals)
		}
	})
}
