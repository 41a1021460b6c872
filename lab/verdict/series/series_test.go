package series_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coalmine/lab/event"
	"coalmine/lab/verdict/series"
	"coalmine/lab/verdict/timeline"
	script "coalmine/lab/verdict/timelinetest"
)

// traffic draws a log of seconds with gaps, of a few cohorts, routes and workloads.
func traffic(t *rapid.T) []event.Event {
	events := []event.Event{{Seq: 1, Fact: event.RunStarted{Format: event.Format, Service: "shop", Version: "v2",
		Baseline: "v1"}}}
	now := time.Duration(rapid.IntRange(0, 2e6).Draw(t, "start")) * time.Microsecond
	gaps := []time.Duration{0, 0, 0, time.Second, 10 * time.Second}
	if rapid.Bool().Draw(t, "long") { // long enough to merge pairs of buckets several times
		gaps = append(gaps, 5*time.Minute, 2*time.Hour)
	}
	cell := rapid.Custom(func(t *rapid.T) event.Cell {
		n := rapid.IntRange(0, 50).Draw(t, "n")
		c := event.Cell{Cohort: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "cohort"),
			Route: rapid.SampledFrom([]string{"r", "s"}).Draw(t, "route"), N: n}
		c.Workload = rapid.SampledFrom([]string{"", "shop", "shop-primary"}).Draw(t, "workload")
		if c.Workload != "" {
			c.Version = rapid.SampledFrom([]string{"v1", "v2"}).Draw(t, "version")
		}
		c.Errors = rapid.IntRange(0, n).Draw(t, "errors")
		c.Bad, c.Hit = c.Errors, c.Errors
		c.Harm = rapid.IntRange(0, c.Bad).Draw(t, "harm")
		if n > 0 {
			c.Latency = []event.BucketCount{{Bucket: rapid.IntRange(0, 150).Draw(t, "bucket"), Count: n}}
		}
		return c
	})
	for range rapid.IntRange(0, 60).Draw(t, "seconds") {
		now += rapid.SampledFrom(gaps).Draw(t, "gap")
		from := now
		now += time.Second
		events = append(events, event.Event{Seq: len(events) + 1, At: now,
			Fact: event.Traffic{From: event.Seconds(from), To: event.Seconds(now),
				Cells: rapid.SliceOfN(cell, 0, 6).Draw(t, "cells")}})
	}
	return events
}

func selections() []series.Selection {
	var all []series.Selection
	for _, side := range []series.Side{series.All, series.Canary, series.Primary} {
		for _, cohort := range []string{"", "a", "nobody"} {
			all = append(all, series.Selection{Side: side, Cohort: cohort},
				series.Selection{Side: side, Cohort: cohort, Route: "r", Version: "v2"})
		}
	}
	return all
}

// counted is another implementation of a selection.
func counted(tl *timeline.Timeline, s series.Selection) timeline.Counts {
	return tl.Sum(func(k timeline.Key) bool {
		if s.Cohort != "" && k.Cohort != s.Cohort || s.Route != "" && k.Route != s.Route || s.Version != "" &&
			k.Version != s.Version {
			return false
		}
		switch s.Side {
		case series.Canary:
			return tl.OnCanary()(k)
		case series.Primary:
			return k.Workload != "" && !tl.OnCanary()(k)
		}
		return true
	})
}

// slowest is the 99th percentile over all requests of a selection.
func slowest(tl *timeline.Timeline, s series.Selection) time.Duration {
	var all [][]event.BucketCount
	for _, f := range tl.Seconds() {
		for _, c := range f.Cells {
			one := timeline.Build([]event.Event{{Seq: 1, Fact: tl.Run},
				{Seq: 2, Fact: event.Traffic{Cells: []event.Cell{c}}}})
			if counted(one, s).N > 0 {
				all = append(all, c.Latency)
			}
		}
	}
	return event.Quantile(0.99, all...)
}

const forever = time.Duration(math.MaxInt64)

// Over any number of stretches the counts and the slowest requests are those of the timeline.
func TestPointsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := traffic(t)
		tl := timeline.Build(events)
		s := series.New()
		for _, e := range events {
			s.Fold(e)
		}
		n := rapid.IntRange(1, 300).Draw(t, "stretches")
		for _, sel := range selections() {
			points := s.Points(sel, 0, forever, n)
			if len(points) > n {
				t.Fatalf("%d points, at most %d were asked for", len(points), n)
			}
			var sum timeline.Counts
			for i, p := range points {
				sum = sum.Plus(p.Counts)
				if p.HarmSoFar != sum.Harm {
					t.Fatalf("%+v: point %d has had %d harmed so far, the points before it had %d", sel, i,
						p.HarmSoFar, sum.Harm)
				}
				if (p.N == 0) != (p.P99 == 0) || p.P50 > p.P99 {
					t.Fatalf("%+v: %d requests waited %v, the slowest %v", sel, p.N, p.P50, p.P99)
				}
				if i > 0 && p.From != points[i-1].To {
					t.Fatalf("point %d begins at %v, the one before ends at %v", i, p.From, points[i-1].To)
				}
			}
			if whole := s.Points(sel, 0, forever, 1); len(whole) == 1 && whole[0].P99 != slowest(tl, sel) {
				t.Fatalf("%+v: the slowest waited %v, the events say %v", sel, whole[0].P99, slowest(tl, sel))
			}
			if want := counted(tl, sel); sum != want {
				t.Fatalf("%+v over %d points: %+v, the timeline has %+v", sel, len(points), sum, want)
			}
		}
		if diff := cmp.Diff(s.Points(series.Selection{}, 0, forever, n),
			series.Of(tl).Points(series.Selection{}, 0, forever, n)); diff != "" {
			t.Fatalf("a series of a timeline differs (-events +timeline):\n%s", diff)
		}
	})
}

// Harm before a window counts in its harm so far; seconds after its end do not count.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := traffic(t)
		s := series.Of(timeline.Build(events))
		from := time.Duration(rapid.IntRange(0, 100).Draw(t, "from")) * time.Second
		to := from + time.Duration(rapid.IntRange(1, 100).Draw(t, "length"))*time.Second
		points := s.Points(series.Selection{}, from, to, rapid.IntRange(1, 50).Draw(t, "stretches"))
		if len(points) == 0 {
			return
		}
		var until timeline.Counts
		last := points[len(points)-1]
		for m, f := range timeline.Build(events).Seconds() {
			// else buckets are wider than a second
			if s.End() < time.Hour/2 && time.Duration(f.To) <= min(to, s.End()) {
				for _, c := range f.Cells {
					until = until.Plus(timeline.CountsOf(c))
				}
				if last.Seq > 0 && m.Seq > last.Seq && time.Duration(f.To) <= last.To {
					t.Fatalf("the last point ends with event %d and lacks %d", last.Seq, m.Seq)
				}
			}
		}
		if s.End() < time.Hour/2 && last.HarmSoFar != until.Harm {
			t.Fatalf("%d were harmed until %v, want %d", last.HarmSoFar, to, until.Harm)
		}
	})
}

func TestCanaryAgainstPrimary(t *testing.T) {
	s := series.Of(timeline.Build(script.RolledBack(1).Events()))
	at := func(sel series.Selection, at time.Duration) series.Point {
		return s.Points(sel, at, at+10*time.Second, 1)[0]
	}
	p := at(series.Selection{Cohort: "premium", Side: series.Canary}, 140*time.Second) // at weight 25
	if p.Rate() != 5 || p.Good() != 0.4 || p.Failed() != 0.6 || p.N != 50 {
		t.Errorf("premium on the canary: %v/s, %v good, %v failed, %d", p.Rate(), p.Good(), p.Failed(), p.N)
	}
	if p := at(series.Selection{Side: series.Primary}, 140*time.Second); p.Rate() != 75 || p.Good() != 1 {
		t.Errorf("on the primary: %v/s, %v good", p.Rate(), p.Good())
	}
	if p := at(series.Selection{Side: series.Canary}, 10*time.Second); p.N != 0 || !math.IsNaN(p.Good()) {
		t.Errorf("before the release the canary had %d requests, %v good", p.N, p.Good())
	}
	if p := at(series.Selection{}, 230*time.Second); p.HarmSoFar != 240 || p.Harm != 0 {
		t.Errorf("at the end %d users were harmed, %d just now, want 240 and 0", p.HarmSoFar, p.Harm)
	}
}

func ref(v float64) *float64 { return &v }

func TestLines(t *testing.T) {
	s := script.Ready("faulty", 1, true).Release()
	ask := func(metric, promQL string, v, least, most *float64) {
		s.Add(event.Query{Asker: script.Service, Metric: metric, PromQL: promQL, Value: v, Min: least, Max: most})
	}
	ask("success", "sum(good) / sum(all) * 100", ref(98), ref(99), nil)
	ask("errors", "sum(bad) / sum(all)", ref(0.02), nil, ref(0.01))
	ask("p99", "histogram_quantile(0.99, sum(rate(http_seconds_bucket[1m])) by (le))", ref(0.2), nil, ref(0.5))
	ask("p99-linkerd", "histogram_quantile(0.99, sum(rate(response_latency_ms_bucket[1m])) by (le))", ref(600),
		nil, ref(500))
	ask("volume", "sum(increase(all[1m]))", ref(7), ref(10), nil)
	ask("saturation", "busy / slots", ref(3), nil, ref(8))
	ask("success", "sum(good) / sum(all) * 100", nil, ref(99.5), nil)
	ask("", "sum(good) / sum(all) * 100", ref(97), nil, nil)
	ask("", "histogram_quantile(0.99, sum(rate(http_request_duration_seconds_bucket[1m])) by (le))", ref(0.6),
		nil, ref(500))
	s.Add(event.Query{Asker: "other", Metric: "success", Value: ref(1)})
	var got []string
	for _, l := range series.Lines(timeline.Build(s.Events())) {
		text := fmt.Sprint(l.Metric, " ", l.Unit)
		for _, b := range []*float64{l.Min, l.Max} {
			if b != nil {
				text += fmt.Sprintf(" %g", *b)
			} else {
				text += " -"
			}
		}
		for _, a := range l.Samples {
			if a.Value == nil {
				text += fmt.Sprint(" none ", a.Passed)
				continue
			}
			text += fmt.Sprintf(" %g %v", *a.Value, a.Passed)
		}
		got = append(got, text)
	}
	want := []string{
		fmt.Sprint("success ", series.Success, " 99.5 - 98 false none false"),
		fmt.Sprint("errors ", series.Failure, " - 1 2 false"),
		fmt.Sprint("p99 ", series.Latency, " - 500 200 true"),
		fmt.Sprint("p99-linkerd ", series.Latency, " - 500 600 false"),
		fmt.Sprint("volume ", series.Other, " 10 - 7 false"),
		fmt.Sprint("saturation ", series.Other, " - 8 3 true"),
		fmt.Sprint("request-success-rate ", series.Success, " - - 97 true"),
		fmt.Sprint("request-duration ", series.Latency, " - 500 600 false"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the lines differ (-want +got):\n%s", diff)
	}
}

func TestMarkers(t *testing.T) {
	marks := func(s *script.Script) []string {
		var all []string
		for _, m := range series.Markers(timeline.Build(s.Events())) {
			all = append(all, fmt.Sprintf("%.0f %s", m.At.Seconds(), m.Label))
		}
		return all
	}
	want := []string{"70 released", "85 5 %", "86 first harm", "115 25 %", "135 check 1/5", "135 noticed",
		"145 check 2/5", "155 check 3/5",
		"165 check 4/5", "175 check 5/5", "185 rolled back"}
	if diff := cmp.Diff(want, marks(script.RolledBack(1))); diff != "" {
		t.Errorf("the markers of a caught fault differ (-want +got):\n%s", diff)
	}
	want = []string{"70 released", "85 5 %", "115 25 %", "145 50 %", "175 promoting", "185 promoted"}
	if diff := cmp.Diff(want, marks(script.Promoted("healthy", 1))); diff != "" {
		t.Errorf("the markers of a promotion differ (-want +got):\n%s", diff)
	}
}

// long is a run of the given length: eight cells a second with twelve filled latency buckets each.
func long(seconds int) []event.Event {
	var lat []event.BucketCount
	for i := range 12 {
		lat = append(lat, event.BucketCount{Bucket: 40 + 2*i, Count: 1 + i%3})
	}
	events := []event.Event{{Seq: 1, Fact: event.RunStarted{Service: "shop", Version: "v2"}}}
	for i := range seconds {
		f := event.Traffic{From: event.Seconds(i) * event.Seconds(time.Second),
			To: event.Seconds(i+1) * event.Seconds(time.Second)}
		for c := range 8 {
			f.Cells = append(f.Cells, event.Cell{Cohort: fmt.Sprint(c % 2), Route: fmt.Sprint(c / 4),
				Workload: []string{"shop", "shop-primary"}[c/2%2],
				Version:  "v2", N: 23, Bad: 2, Latency: lat})
		}
		events = append(events, event.Event{Seq: i + 2, At: time.Duration(f.To), Fact: f})
	}
	return events
}

func BenchmarkFold100000(b *testing.B) {
	events := long(100_000)
	b.ReportAllocs()
	for b.Loop() {
		s := series.New()
		for _, e := range events {
			s.Fold(e)
		}
	}
}

func BenchmarkPoints100000(b *testing.B) {
	s := series.New()
	for _, e := range long(100_000) {
		s.Fold(e)
	}
	for b.Loop() {
		s.Points(series.Selection{Side: series.Canary}, 0, s.End(), 120)
	}
}
