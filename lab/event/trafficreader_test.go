package event

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func traffic(t *rapid.T) Event {
	count := rapid.IntRange(0, 3)
	text := rapid.SampledFrom([]string{"", "premium", "a b", "Zürich", `q"\`})
	cell := rapid.Custom(func(t *rapid.T) Cell {
		c := Cell{
			Cohort: text.Draw(t, "cohort"), Route: text.Draw(t, "route"), Workload: text.Draw(t, "workload"),
			Version: text.Draw(t, "version"),
			N:       count.Draw(t, "n"), Retried: count.Draw(t, "retried"), Errors: count.Draw(t, "errors"),
			ProxyRetried: count.Draw(t, "proxyRetried"), Denied: count.Draw(t, "denied"),
			Limited: count.Draw(t, "limited"), Slow: count.Draw(t, "slow"), Wrong: count.Draw(t, "wrong"),
			Bad: count.Draw(t, "bad"),
			Hit: count.Draw(t, "hit"), Harm: count.Draw(t, "harm"), ByMesh: count.Draw(t, "mesh"),
		}
		for range count.Draw(t, "buckets") {
			c.Latency = append(c.Latency, BucketCount{rapid.IntRange(0, LatencyBuckets-1).Draw(t, "bucket"),
				rapid.IntRange(0, 1e6).Draw(t, "count")})
		}
		return c
	})
	at := rapid.Map(rapid.Int64Range(0, 1e10), func(us int64) time.Duration {
		return time.Duration(us) * time.Microsecond
	})
	return Event{Seq: rapid.IntRange(1, 1e6).Draw(t, "seq"), At: at.Draw(t, "at"), Fact: Traffic{
		From: Seconds(at.Draw(t, "from")), To: Seconds(at.Draw(t, "to")), Cells: rapid.SliceOf(cell).Draw(t, "cells"),
		HurtSoFar: count.Draw(t, "hurt"),
	}}
}

// line returns an event as the writer writes it.
func line(t interface{ Fatal(...any) }, e Event) []byte {
	b, err := e.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Lines of plain ASCII are decoded by hand, with the same result as package json.
func TestTrafficReader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q trafficReader // one for all lines, as in a log
		for range rapid.IntRange(1, 5).Draw(t, "lines") {
			b := line(t, traffic(t))
			e, ok := q.read(b)
			if plain := !bytes.ContainsAny(b, `\ü`); ok != plain {
				t.Fatalf("decoded by hand: %v, want %v\n%s", ok, plain, b)
			}
			checkAgainstJSON(t, b, e, ok)
		}
	})
}

// checkAgainstJSON compares an event that was decoded by hand with the result of package json.
func checkAgainstJSON(t interface{ Fatalf(string, ...any) }, b []byte, e Event, ok bool) {
	if !ok {
		return
	}
	var want Event
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatalf("decoded by hand, but package json returns %v\n%s", err, b)
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Fatalf("package json decodes something else (-json +hand):\n%s\n%s", diff, b)
	}
}

// Lines that an editor may have changed are left to package json.
func TestTrafficReaderLeavesOtherFormsToJSON(t *testing.T) {
	whole := `{"seq":7,"at":1.5,"kind":"traffic","data":{"from":0.5,"to":1.5,"cells":[{"cohort":"c","route":"r","n":3,"bad":1,"lat":[[4,3]]}],"hurt_so_far":1}}`
	if _, ok := new(trafficReader).read([]byte(whole)); !ok {
		t.Fatal("the whole line is not read by hand")
	}
	for _, c := range [][2]string{
		{`"n":3`, `"n": 3`}, {`"n":3`, `"n":03`}, {`"n":3`, `"n":-3`}, {`"n":3`, `"n":3.0`}, {`"n":3`, `"n":3e0`},
		{`"n":3`, `"n":99999999999`},
		{`"bad":1`, `"bad":0`}, {`"bad":1`, `"worse":1`}, {`"at":1.5`, `"at":1.50`}, {`"at":1.5`, `"at":1.5000001`},
		{`"at":1.5`, `"at":1.`},
		{`[4,3]`, `[400,3]`}, {`[4,3]`, `[4,3,1]`}, {`[[4,3]]`, `[]`}, {`"c"`, `"\u0063"`},
		{`"hurt_so_far":1`, `"hurt_so_far":0`},
		{`"kind":"traffic"`, `"kind":"traffic.totals"`}, {`}}`, `}}}`}, {`}}`, `}} `}, {`"lat"`, `"late"`},
		{`[{"cohort"`, `[,{"cohort"`},
	} {
		changed := strings.Replace(whole, c[0], c[1], 1)
		if _, ok := new(trafficReader).read([]byte(changed)); ok || changed == whole {
			t.Errorf("decoded by hand: %s", changed)
		}
	}
}

// Appending to one event's slices does not change the next event.
func TestTrafficReaderSlicesDoNotOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q trafficReader
		var lines [][]byte
		var events []Event
		for range rapid.IntRange(2, 30).Draw(t, "lines") {
			b := line(t, traffic(t))
			if e, ok := q.read(b); ok {
				lines, events = append(lines, b), append(events, e)
			}
		}
		for i, e := range events {
			f := e.Fact.(Traffic)
			f.Cells = append(f.Cells, Cell{Cohort: "appended"})
			for j := range f.Cells {
				_ = append(f.Cells[j].Latency, BucketCount{9, 9})
			}
			checkAgainstJSON(t, lines[i], e, true)
			if i+1 < len(events) {
				checkAgainstJSON(t, lines[i+1], events[i+1], true)
			}
		}
	})
}

func FuzzTrafficReader(f *testing.F) {
	f.Add([]byte(
		`{"seq":7,"at":1.5,"kind":"traffic","data":{"from":0.5,"to":1.5,"cells":[{"cohort":"c","route":"r","n":3,"bad":1,"lat":[[4,3]]}],"hurt_so_far":1}}`))
	f.Add([]byte(`{"seq":1,"at":0,"kind":"traffic","data":{"from":0,"to":1,"cells":[]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, ok := new(trafficReader).read(b)
		checkAgainstJSON(t, b, e, ok)
	})
}

func BenchmarkRead(b *testing.B) {
	var log bytes.Buffer
	w := NewWriter(&log)
	w.Write(Event{Seq: 1, Fact: RunStarted{Format: Format}})
	for i := range 1000 {
		var cells []Cell
		for _, cohort := range []string{"premium", "regular"} {
			for _, route := range []string{"catalogue", "checkout", "item"} {
				for _, workload := range []string{"backend", "backend-primary"} {
					c := Cell{Cohort: cohort, Route: route, Workload: workload, Version: "v1", N: 20, Errors: 1, Bad: 1}
					for l := range 12 {
						c.Latency = append(c.Latency, BucketCount{50 + l, 3})
					}
					cells = append(cells, c)
				}
			}
		}
		at := time.Duration(i+1) * time.Second
		w.Write(Event{Seq: i + 2, At: at, Fact: Traffic{From: Seconds(at - time.Second), To: Seconds(at),
			Cells: cells}})
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(log.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if events, err := NewBudget(1 << 30).Read(bytes.NewReader(log.Bytes())); err != nil || len(events) != 1001 {
			b.Fatal(len(events), err)
		}
	}
}
