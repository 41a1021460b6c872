package agent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/event"
)

// field is the traffic of a run with a clock of its own.
type field struct {
	*traffic
	clock    time.Time
	recorded []event.Fact
}

func newField(counts map[string]int) *field {
	f := &field{clock: time.Unix(1000, 0)}
	f.traffic = newTraffic(counts, func() time.Time {
		return f.clock
	}, func(_ time.Time, x event.Fact) { f.recorded = append(f.recorded, x) })
	return f
}

func who(name string, index, count int) client.TrafficPod {
	return client.TrafficPod{Client: name, Index: index, Count: count, Process: name + "-process"}
}

// come lets traffic pods ask for commands.
func (f *field) come(t *testing.T, pods ...client.TrafficPod) {
	t.Helper()
	for _, s := range pods {
		if _, err := f.waitCommands(t.Context(), s, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
}

func (f *field) begun(t *testing.T) client.Start {
	t.Helper()
	s := client.Start{Zero: f.clock.UnixNano(), Begin: f.clock.Add(time.Second).UnixNano()}
	if err := f.start(s); err != nil {
		t.Fatal(err)
	}
	return s
}

func status(err error) int {
	var r *httpError
	if errors.As(err, &r) {
		return r.status
	}
	return 200
}

// TestStartNeedsAllPods: traffic does not start before all pods are there, nor twice at different
// times.
func TestStartNeedsAllPods(t *testing.T) {
	f := newField(map[string]int{"edge": 2})
	one, two := who("edge", 1, 2), who("edge", 2, 2)
	f.come(t, one)
	s := client.Start{Zero: 1, Begin: 2}
	if err := f.start(s); status(err) != 409 || !strings.Contains(err.Error(), "edge 2/2") ||
		strings.Contains(err.Error(), "edge 1/2") {
		t.Error(err)
	}
	f.come(t, two)
	f.clock = f.clock.Add(absentAfter + time.Second)
	if err := f.start(s); status(err) != 409 || !strings.Contains(err.Error(), "edge 1/2, edge 2/2") {
		t.Errorf("both have gone: %v", err)
	}
	f.come(t, one, two)
	for range 2 {
		if err := f.start(s); err != nil {
			t.Error(err)
		}
	}
	if err := f.start(client.Start{Zero: 1, Begin: 3}); status(err) != 409 {
		t.Error(err)
	}
	if _, err := f.waitCommands(t.Context(), who("edge", 1, 3), 0, 0); status(err) != 410 {
		t.Errorf("a pod of another count: %v", err)
	}
}

// TestPodRestarts: another process of a pod may come before the start, and not after it.
func TestPodRestarts(t *testing.T) {
	f := newField(map[string]int{"edge": 1})
	old, fresh := who("edge", 1, 1), who("edge", 1, 1)
	fresh.Process = "another"
	f.come(t, old, fresh)
	f.begun(t)
	if err := f.report(client.Report{TrafficPod: old, Number: 1}); status(err) != 410 {
		t.Errorf("the process that was replaced: %v", err)
	}
	if fault := f.traffic.status().Fault; !strings.Contains(fault, "edge 1/1 was restarted") {
		t.Errorf("fault %q", fault)
	}
}

func TestSilentPod(t *testing.T) {
	f := newField(map[string]int{"edge": 1, "lounge": 1})
	edge, lounge := who("edge", 1, 1), who("lounge", 1, 1)
	f.come(t, edge, lounge)
	f.watch()
	f.begun(t)
	f.clock = f.clock.Add(15 * time.Second)
	f.watch()
	if err := f.report(client.Report{TrafficPod: lounge, Number: 1}); err != nil {
		t.Error(err)
	}
	f.come(t, edge) // it asks for commands and does not report
	if fault := f.traffic.status().Fault; fault != "" {
		t.Errorf("after 14 s: %s", fault)
	}
	f.clock = f.clock.Add(2 * time.Second)
	f.watch()
	if fault := f.traffic.status().Fault; fault != "traffic pod edge 1/1 has not reported for 16s" {
		t.Errorf("fault %q", fault)
	}
	if err := f.stop(t.Context(), client.Stop{At: f.clock.UnixNano()}); err != nil {
		t.Errorf("stop waits: %v", err)
	}
}

// TestReportsAreNumbered: a missing report is a fault; a repeated one is not counted again.
func TestReportsAreNumbered(t *testing.T) {
	f := newField(map[string]int{"edge": 1})
	edge := who("edge", 1, 1)
	f.come(t, edge)
	if err := f.report(client.Report{TrafficPod: edge, Number: 1}); status(err) != 409 {
		t.Errorf("before the start: %v", err)
	}
	f.begun(t)
	r := client.Report{TrafficPod: edge, Number: 1, Through: 2 * time.Second, Seconds: []event.Traffic{{
		From: event.Seconds(time.Second), To: event.Seconds(2 * time.Second),
		Cells: []event.Cell{{Cohort: "c", Route: "r", N: 3}},
	}}}
	for range 3 {
		if err := f.report(r); err != nil {
			t.Error(err)
		}
	}
	if len(f.recorded) != 1 || f.recorded[0].(event.Traffic).Cells[0].N != 3 {
		t.Errorf("%+v", f.recorded)
	}
	r.Number = 3
	if err := f.report(r); status(err) != 409 || !strings.Contains(f.traffic.status().Fault, "report 3 instead of 2") {
		t.Errorf("%v, fault %q", err, f.traffic.status().Fault)
	}
}

// TestCommandsComeAtOnce: a waiting pod gets a new command at once.
func TestCommandsComeAtOnce(t *testing.T) {
	f := newField(map[string]int{"edge": 1})
	edge := who("edge", 1, 1)
	f.come(t, edge)
	got := make(chan client.Commands)
	go func() {
		o, err := f.waitCommands(context.Background(), edge, 1, time.Hour)
		if err != nil {
			t.Error(err)
		}
		got <- o
	}()
	s := f.begun(t)
	if o := <-got; o.Start == nil || *o.Start != s || o.Generation != 2 {
		t.Errorf("%+v", o)
	}
	f.release(client.Release{At: 5})
	f.release(client.Release{At: 6})
	if o, err := f.waitCommands(t.Context(), edge, 2, time.Hour); err != nil || o.Release.At != 5 {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestMergeBySecond: in whatever order reports arrive, each second is recorded once, in order, when
// all pods have reported it, with the sums of all.
func TestMergeBySecond(tt *testing.T) {
	rapid.Check(tt, func(t *rapid.T) {
		n, seconds := rapid.IntRange(1, 4).Draw(t, "pods"), rapid.IntRange(1, 6).Draw(t, "seconds")
		f := newField(map[string]int{"edge": n})
		queues := make([][]client.Report, n)
		want, hurt := map[time.Duration]int{}, map[time.Duration]int{}
		for i := range n {
			s := who("edge", i+1, n)
			f.come(tt, s)
			so := 0
			for k := range seconds {
				from := time.Duration(k+1) * time.Second
				r := client.Report{TrafficPod: s, Number: k + 1, Through: from + time.Second}
				if count := rapid.IntRange(0, 3).Draw(t, "answers"); count > 0 {
					so += rapid.IntRange(0, count).Draw(t, "hurt")
					r.Seconds = []event.Traffic{{From: event.Seconds(from), To: event.Seconds(from + time.Second),
						HurtSoFar: so,
						Cells: []event.Cell{{Cohort: "c", Route: "r", N: count,
							Latency: []event.BucketCount{{Bucket: 3 + i, Count: count}}}}}}
					want[from] += count
				}
				hurt[from] += so
				if k == seconds-1 {
					r.Totals = &event.TrafficTotals{Users: map[string]int{"c": 1},
						Assigned: map[string]map[string]int{"c": {"backend": 1}}}
				}
				queues[i] = append(queues[i], r)
			}
		}
		f.begun(tt)
		for slices.ContainsFunc(queues, func(q []client.Report) bool { return len(q) > 0 }) {
			i := rapid.IntRange(0, n-1).Draw(t, "who tells")
			if len(queues[i]) == 0 {
				continue
			}
			if err := f.report(queues[i][0]); err != nil {
				t.Fatal(err)
			}
			queues[i] = queues[i][1:]
			for _, x := range f.recorded {
				second, ok := x.(event.Traffic)
				for j := range queues {
					if ok && len(queues[j]) > 0 && queues[j][0].Through <= time.Duration(second.To) {
						t.Fatalf("second %v was recorded before pod %d reported it", time.Duration(second.From), j)
					}
				}
			}
		}
		got, last := map[time.Duration]int{}, time.Duration(0)
		for _, x := range f.recorded[:len(f.recorded)-1] {
			second := x.(event.Traffic)
			from := time.Duration(second.From)
			sum := 0
			for _, b := range second.Cells[0].Latency {
				sum += b.Count
			}
			if from <= last || second.HurtSoFar != hurt[from] || len(second.Cells) != 1 || sum != second.Cells[0].N {
				t.Fatalf("%+v, want %d hurt", second, hurt[from])
			}
			last, got[from] = from, second.Cells[0].N
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		totals := event.TrafficTotals{Users: map[string]int{"c": n}, Hurt: map[string]int{},
			Assigned: map[string]map[string]int{"c": {"backend": n}}}
		if diff := cmp.Diff(event.Fact(totals), f.recorded[len(f.recorded)-1]); diff != "" {
			t.Fatal(diff)
		}
	})
}
