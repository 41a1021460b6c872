package event_test

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coalmine/lab/event"
)

// everyFact returns one fact of each kind, with all fields set.
func everyFact() []event.Fact {
	v := 0.25
	return []event.Fact{
		event.RunStarted{Format: event.Format, Scenario: "s", Service: "backend", Version: "v2", Baseline: "v1",
			Role: "faulty", Seed: 1 << 63, Cluster: "sim", Mesh: "m", Guarded: true,
			Versions: map[string]string{"a": "1", "b": "2"}},
		event.Stage{Name: event.StageRollout, Reason: "r"},
		event.Applied{ObjectKind: "Canary", Namespace: "develop", Name: "backend", Owner: "learner",
			Source: "a.yaml:3", Annotations: map[string]string{"k": "v"}},
		event.Deleted{ObjectKind: "Canary", Name: "backend"},
		event.LeftOut{What: event.LeftOutCheck, Name: "p99", Canary: "backend", Reason: "r", Source: "a.yaml:3"},
		event.Released{Service: "backend", Version: "v2"},
		event.Workload{Name: "backend", Version: "v2", Desired: 3, Updated: 2, Ready: 1},
		event.Canary{Name: "backend", Phase: "Progressing", Weight: 25, Iterations: 1, FailedChecks: 2, Threshold: 5,
			MaxIterations: 10},
		event.Flagger{Canary: "backend", Type: "Warning", Message: "Halt <&> \"advancement\" – 97.2 < 99"},
		event.Alert{Canary: "backend", Provider: "slack", Severity: "error", Message: "m"},
		event.Route{Name: "backend", Rules: []event.RouteRule{{Match: "header x: y",
			Backends: []event.RouteBackend{{Service: "p", Weight: 100}}}}},
		event.Query{Asker: "backend", Metric: "m", PromQL: "up", Value: &v},
		event.Query{PromQL: "up{", Error: "parse"},
		event.Gate{Canary: "backend", Name: "mtls", URL: "http://gate.coalmine/mtls", Phase: "Progressing",
			Passed: true, Status: 200, Reason: "ok"},
		event.RollbackDrill{Canary: "backend", Passed: true, Reason: "r", Forward: 20, Back: 20, Probes: 20},
		event.Traffic{From: event.Seconds(time.Second), To: event.Seconds(2 * time.Second),
			Cells: []event.Cell{{Cohort: "c", Route: "r", Workload: "canary", Version: "v2", N: 3, Bad: 3, Harm: 1,
				ByMesh: 2, Latency: []event.BucketCount{{Bucket: 4, Count: 3}}}}, HurtSoFar: 2},
		event.TrafficTotals{Planned: 10, Answered: 9, Open: 1, Users: map[string]int{"c": 4},
			Hurt: map[string]int{"c": 1}, Assigned: map[string]map[string]int{"c": {"canary": 1}}},
		event.LoadTest{Canary: "backend", Webhook: "load", Service: "backend-canary", From: event.Seconds(time.Second),
			To: event.Seconds(2 * time.Second), Requests: 20, Failed: 1, OnCanary: 20},
		event.LoadTester{Canary: "backend", Webhook: "load", URL: "http://flagger-loadtester.coalmine/"},
		event.Mesh{From: event.Seconds(time.Second), To: event.Seconds(11 * time.Second), Cells: []event.MeshEffect{
			{Service: "stock", Workload: "stock", Version: "v1", Attempts: 9, Retried: 1, Repeated: 2, TimedOut: 3,
				GivenUp: 4, Ejected: 5, Limited: 6, Denied: 7}, {Service: "stock", TimedOut: 1}}},
		event.RunEnded{Outcome: event.OutcomeCompleted, Reason: "r"},
	}
}

func logOf(facts ...event.Fact) (string, []event.Event) {
	var b bytes.Buffer
	w := event.NewWriter(&b)
	var events []event.Event
	rec := event.NewRecorder(w.Write, func(e event.Event) { events = append(events, e) })
	for i, f := range facts {
		rec.Record(time.Duration(i)*1234567*time.Microsecond, "x", f)
	}
	rec.Flush()
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.String(), events
}

func TestWriteAndReadEveryFact(t *testing.T) {
	text, events := logOf(everyFact()...)
	got, err := event.NewBudget(1 << 30).Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(events, got); diff != "" {
		t.Error(diff)
	}
	again, _ := logOf(everyFact()...)
	if again != text {
		t.Error("the same facts have other bytes the second time")
	}
}

// A log of format 1 has no counts of the mesh's own answers.
func TestReadFormat1(t *testing.T) {
	events, err := event.NewBudget(1 << 30).Read(strings.NewReader(
		`{"seq":1,"at":0,"kind":"run.started","data":{"format":1,"scenario":"s",` +
			`"service":"backend","version":"v2","baseline":"v1","seed":1,"cluster":"sim","mesh":"m","guarded":true,"versions":{}}}
{"seq":2,"at":1,"kind":"traffic","data":{"from":0,"to":1,"cells":[{"cohort":"c","route":"r","n":3,"bad":1,"hit":1,"harm":1}]}}
`))
	if err != nil || len(events) != 2 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	want := event.Cell{Cohort: "c", Route: "r", N: 3, Bad: 1, Hit: 1, Harm: 1}
	if diff := cmp.Diff(want, events[1].Fact.(event.Traffic).Cells[0]); diff != "" {
		t.Error(diff)
	}
}

func TestBrokenLogs(t *testing.T) {
	text, _ := logOf(everyFact()...)
	lines := strings.SplitAfter(strings.TrimSpace(text), "\n")
	for _, c := range []struct {
		name  string
		lines []string
		whole int
		want  string
	}{
		{"truncated", append(slices.Clone(lines[:3]), lines[3][:20]), 3, "line 4: not an event"},
		{"line missing", append(slices.Clone(lines[:3]), lines[4:]...), 3, "line 4: sequence number is 5, want 4"},
		{"no start", []string{strings.Replace(lines[1], `"seq":2`, `"seq":1`, 1)}, 0,
			"a log must start with run.started"},
		{"newer format", []string{strings.Replace(lines[0], `"format":2`, `"format":3`, 1)}, 0, "use a newer one"},
		{"unknown kind", append(slices.Clone(lines[:1]), strings.Replace(lines[1], "run.stage", "run.stages", 1)), 1,
			`kind "run.stages" is unknown`},
		{"unknown field", append(slices.Clone(lines[:1]), strings.Replace(lines[1], `"name"`, `"nome"`, 1)), 1,
			`unknown field "nome"`},
		{"backwards", append(slices.Clone(lines[:2]), strings.Replace(lines[2], `"at":2.469134`, `"at":0.1`, 1)), 2,
			"has an earlier time than event 2"},
		{"bad time", []string{strings.Replace(lines[0], `"at":0`, `"at":-1`, 1)}, 0, "is not a number of seconds"},
		{"bad bucket", append(slices.Clone(lines[:15]), strings.Replace(lines[15], "[4,3]", "[4000000,3]", 1)), 15,
			"out of range"},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, err := event.NewBudget(1 << 30).Read(strings.NewReader(strings.Join(c.lines, "")))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if len(events) != c.whole {
				t.Errorf("%d events, want %d", len(events), c.whole)
			}
		})
	}
}

// The order in which goroutines record facts of one instant does not change the log.
func TestOrderWithinAnInstant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type noted struct {
			source string
			n      int
		}
		var want []noted
		perSource := map[string]int{}
		for range rapid.IntRange(1, 30).Draw(t, "facts") {
			s := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "source")
			want = append(want, noted{s, perSource[s]})
			perSource[s]++
		}
		var got []string
		rec := event.NewRecorder(func(e event.Event) { got = append(got, e.Fact.(event.Stage).Name) })
		var wg sync.WaitGroup
		for s, n := range perSource {
			wg.Go(func() {
				for i := range n {
					rec.Record(time.Second, s, event.Stage{Name: s + string(rune('A'+i))})
				}
			})
		}
		wg.Wait()
		rec.Record(2*time.Second, "z", event.Stage{Name: "z"})
		rec.Flush()
		if !slices.IsSorted(got) || len(got) != len(want)+1 {
			t.Fatalf("order %v", got)
		}
	})
}

func TestQuantilesFromBuckets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "n")
		var ds []time.Duration
		var hs [][]event.BucketCount
		for range n {
			d := time.Duration(rapid.Int64Range(int64(100*time.Microsecond), int64(time.Minute)).Draw(t, "latency"))
			ds = append(ds, d)
			hs = append(hs, []event.BucketCount{{Bucket: event.LatencyBucket(d), Count: 1}})
		}
		slices.Sort(ds)
		q := rapid.Float64Range(0.01, 1).Draw(t, "q")
		truth := ds[max(int(math.Ceil(q*float64(n))), 1)-1]
		got := event.Quantile(q, hs...)
		if got < truth || float64(got) > 1.11*float64(truth) {
			t.Fatalf("quantile %.2f of %d: %v, truth %v", q, n, got, truth)
		}
	})
	if got := event.Quantile(0.5); got != 0 {
		t.Errorf("quantile of no values: %v", got)
	}
}

func FuzzRead(f *testing.F) {
	text, _ := logOf(everyFact()...)
	f.Add(text)
	f.Add("{}\n")
	f.Fuzz(func(t *testing.T, text string) {
		events, _ := event.NewBudget(1 << 30).Read(strings.NewReader(text))
		var b bytes.Buffer
		w := event.NewWriter(&b)
		for _, e := range events {
			w.Write(e)
		}
		if err := w.Close(); err != nil {
			t.Fatalf("cannot write what was read: %v", err)
		}
		again, err := event.NewBudget(1 << 30).Read(&b)
		if err != nil || len(again) != len(events) {
			t.Fatalf("read %d of %d events that were written, error %v", len(again), len(events), err)
		}
	})
}

// The hand-written encoder writes the same bytes as package json.
func TestTrafficEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(0, 3)
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "premium", "a<b>&\"\\\u2028"}))
		cell := rapid.Custom(func(t *rapid.T) event.Cell {
			c := event.Cell{
				Cohort: text.Draw(t, "cohort"), Route: text.Draw(t, "route"), Workload: text.Draw(t, "workload"),
				Version: text.Draw(t, "version"),
				N:       count.Draw(t, "n"), Errors: count.Draw(t, "errors"), Denied: count.Draw(t, "denied"),
				Limited: count.Draw(t, "limited"),
				Slow:    count.Draw(t, "slow"), Wrong: count.Draw(t, "wrong"), Bad: count.Draw(t, "bad"),
				Hit: count.Draw(t, "hit"), Harm: count.Draw(t, "harm"), ByMesh: count.Draw(t, "mesh"),
			}
			for range count.Draw(t, "buckets") {
				c.Latency = append(c.Latency, event.BucketCount{Bucket: count.Draw(t, "bucket"),
					Count: count.Draw(t, "count")})
			}
			return c
		})
		f := event.Traffic{From: event.Seconds(time.Second), To: event.Seconds(1500 * time.Millisecond),
			Cells: rapid.SliceOf(cell).Draw(t, "cells"), HurtSoFar: count.Draw(t, "hurt")}
		want, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := event.Event{Seq: 1, Fact: f}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(`{"seq":1,"at":0,"kind":"traffic","data":`+string(want)+"}", string(got)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestWriterKeepsTheFirstError(t *testing.T) {
	var b strings.Builder
	w := event.NewWriter(&b)
	nan := math.NaN() // which JSON cannot say
	w.Write(event.Event{Seq: 1, Fact: event.Query{Value: &nan}})
	w.Write(event.Event{Seq: 2, Fact: event.Stage{Name: event.StageSettle}})
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "event 1 (metric.query)") {
		t.Errorf("error %v, want that of the first event", err)
	}
	if b.Len() > 0 {
		t.Errorf("after an error %q was written: the log would have a gap", b.String())
	}
}
