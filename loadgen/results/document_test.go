package results

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coalmine/loadgen"
	"coalmine/loadgen/cardinality"
)

func bytesOf(t rapid.TB, r *Results) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteDocument(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func reread(t rapid.TB, r *Results) *Results {
	t.Helper()
	d, err := ReadDocument("a.json", bytes.NewReader(bytesOf(t, r)))
	if err != nil {
		t.Fatal(err)
	}
	return d.Results
}

// drawn returns a random outcome of the shop.
func drawn(t *rapid.T) loadgen.Outcome {
	o := loadgen.Outcome{
		Final:   rapid.IntRange(0, 4).Draw(t, "final") > 0,
		Status:  rapid.SampledFrom([]uint16{0, 0, 0, 200, 200, 302, 403, 404, 429, 500}).Draw(t, "status"),
		Latency: time.Duration(rapid.Int64Range(-1, int64(2*time.Hour)).Draw(t, "latency")),
		Version: rapid.SampledFrom([]string{"", "v1", "v2", "v\x07"}).Draw(t, "version"),
		Hit:     rapid.Bool().Draw(t, "hit"), Wrong: rapid.Bool().Draw(t, "wrong"),
		BytesIn: rapid.Int64Range(0, 1000).Draw(t, "bytes"),
	}
	if o.Status == 0 {
		o.Failure = rapid.SampledFrom([]string{"", loadgen.FailureReset, loadgen.FailureTimeout,
			loadgen.FailureStopped, loadgen.FailurePorts}).
			Draw(t, "failure")
		o.Detail = rapid.SampledFrom([]string{"", "dial: refused", "read: reset"}).Draw(t, "detail")
	}
	o.Arrival.Cohort = uint16(rapid.IntRange(0, 1).Draw(t, "cohort"))
	o.Arrival.Route = uint16(rapid.SampledFrom([]int{0, 2}).Draw(t, "route"))
	o.Sent = time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "sent"))
	return o
}

// However outcomes are divided into shards, and in whatever order and groups the shards are merged,
// the results equal those of one run, byte for byte.
func TestShardsMergeToOneRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		outcomes := rapid.SliceOfN(rapid.Custom(drawn), 0, 60).Draw(t, "outcomes")
		n := rapid.IntRange(1, 5).Draw(t, "shards")
		p := shop(t)
		begin := time.Date(2026, 8, 1, 12, 0, 0, 123456789, time.UTC)
		one := New(Config{Plan: p, Workload: "shop", Slow: slow})
		one.Run = Run{Start: begin, Elapsed: 10 * time.Second, Unsent: int64(n)}
		var parts []Document
		for i := range n {
			l := New(Config{Plan: p, Shard: loadgen.Shard{Index: i + 1, Count: n}, Workload: "shop", Slow: slow})
			l.Run = Run{Start: begin.Add(time.Duration(i) * time.Second),
				Elapsed: time.Duration(10-i) * time.Second, Unsent: 1}
			parts = append(parts, Document{fmt.Sprintf("%d.json", i+1), l})
		}
		for i := range outcomes {
			one.Add(&outcomes[i])
			parts[rapid.IntRange(0, n-1).Draw(t, "shard")].Results.Add(&outcomes[i])
		}
		for i, d := range parts {
			parts[i].Results = reread(t, d.Results)
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 1))
		for len(parts) > 1 {
			r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
			group := 2 + r.IntN(len(parts)-1)
			merged, err := Merge(parts[:group], group < len(parts) || len(parts) < n)
			if err != nil {
				t.Fatal(err)
			}
			parts = append([]Document{{"merged.json", reread(t, merged)}}, parts[group:]...)
		}
		one.origin.shards = parts[0].Results.origin.shards
		if diff := cmp.Diff(string(bytesOf(t, one)), string(bytesOf(t, parts[0].Results))); diff != "" {
			t.Fatalf("-one run +merged:\n%s", diff)
		}
	})
}

func sample(t rapid.TB, s loadgen.Shard) *Results {
	l := newShop(t, s)
	l.Run = Run{Start: time.Date(2026, 8, 1, 14, 0, 0, 5e8, time.FixedZone("", 7200)),
		Elapsed: 10*time.Second + 1, Unsent: 3}
	list := traffic(500)
	for i := range list {
		l.Add(&list[i])
	}
	l.Add(outcome(failure(loadgen.FailureStopped)))
	return l
}

func TestDocumentRoundTrip(t *testing.T) {
	l := sample(t, loadgen.Shard{Index: 2, Count: 3})
	l.cell(key{3, 3, cardinality.Other}).add(outcome(), 0)
	l.cell(key{3, 3, cardinality.Other}).Attempts++
	l.Lag.add(0)
	back := reread(t, l)
	if have, of := back.Shards(); !slices.Equal(have, []int{2}) || of != 3 {
		t.Errorf("shards %v of %d", have, of)
	}
	if back.Workload() != "shop" || back.Seed() != 7 || back.Duration() != 10*time.Second ||
		back.Digest() != l.Digest() ||
		back.Elapsed() != l.Elapsed() || back.Stopped != 1 || back.Run.Unsent != 3 ||
		!back.Run.Start.Equal(l.Run.Start) {
		t.Errorf("head %+v, run %+v", back.origin, back.Run)
	}
	if diff := cmp.Diff(l.Routes(), back.Routes()); diff != "" {
		t.Error(diff)
	}
	want, got := slices.Collect(l.Cells()), slices.Collect(back.Cells())
	if len(want) != len(got) {
		t.Fatalf("%d cells, want %d", len(got), len(want))
	}
	for i := range want {
		if !want[i].equal(got[i]) || want[i].Cohort != got[i].Cohort || want[i].Route != got[i].Route ||
			want[i].Version != got[i].Version {
			t.Errorf("cell %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	if want := `"begin": "2026-08-01T12:00:00.5Z"`; !strings.Contains(string(bytesOf(t, l)), want) {
		t.Errorf("the document has no %s", want)
	}
	// Results that were read continue to count.
	back.Add(outcome())
	if n := back.Sum(nil).Requests; n != l.Sum(nil).Requests+1 {
		t.Errorf("%d requests after one more", n)
	}
}

func TestLongRunRoundTrip(t *testing.T) {
	l := newShop(t, loadgen.Shard{})
	l.Add(outcome(latency(1 << 62)))
	if got, want := reread(t, l).Elapsed(), 100*24*time.Hour; got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

// The quantiles in the document are those of its histogram.
func TestDocumentQuantiles(t *testing.T) {
	var d struct {
		Totals struct {
			Requests int64
			Latency  struct {
				Seconds map[string]float64
				HDR     string
			}
		}
	}
	if err := json.Unmarshal(bytesOf(t, sample(t, loadgen.Shard{})), &d); err != nil {
		t.Fatal(err)
	}
	h, err := hdrhistogram.Decode([]byte(d.Totals.Latency.HDR))
	if err != nil {
		t.Fatal(err)
	}
	if h.TotalCount() != d.Totals.Requests {
		t.Errorf("%d times of %d requests", h.TotalCount(), d.Totals.Requests)
	}
	for name, q := range map[string]float64{"p50": 50, "p90": 90, "p99": 99, "p99.9": 99.9} {
		// The library rounds ranks differently and ends the last bucket above the largest time.
		low, high := float64(h.ValueAtPercentile(q))/1e6, float64(h.ValueAtPercentile(q+0.2))/1e6
		if got := d.Totals.Latency.Seconds[name]; got < low*0.999 || got > high {
			t.Errorf("%s is %v, want %v to %v", name, got, low, high)
		}
	}
}

func TestBadDocuments(t *testing.T) {
	good := string(bytesOf(t, sample(t, loadgen.Shard{})))
	swap := func(old, new string) func() string {
		return func() string {
			if !strings.Contains(good, old) {
				t.Fatalf("the document has no %s", old)
			}
			return strings.Replace(good, old, new, 1)
		}
	}
	other := newLatencies()
	other.add(time.Second)
	wide, err := hdrhistogram.NewPacked(1, 1<<62, 5).EncodeV2()
	if err != nil {
		t.Fatal(err)
	}
	hdr := func(to string) func() string {
		return func() string {
			at := strings.Index(good, `"cells"`)
			from := at + strings.Index(good[at:], `"hdr": "`) + len(`"hdr": "`)
			return good[:from] + to + good[from+strings.Index(good[from:], `"`):]
		}
	}
	one, err := other.wire()
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		text func() string
		want string
	}{
		"empty":         {func() string { return "" }, "is not a result file of coalmine load"},
		"other JSON":    {func() string { return `{"seq": 1}` }, "has no format number"},
		"list":          {func() string { return `[]` }, "is not a result file of coalmine load"},
		"cut off":       {func() string { return good[:len(good)/2] }, "is not a result file of coalmine load"},
		"two documents": {func() string { return good + good }, "is not a result file of coalmine load"},
		"newer format": {swap(`"format": 2`, `"format": 3`),
			"has format 3, but this version of coalmine reads only up to 2: use a newer version"},
		"too large":     {func() string { return good + strings.Repeat(" ", maxDocument) }, "is over 64 MiB"},
		"unknown field": {swap(`"unsent"`, `"onsent"`), `unknown field "onsent"`},
		"field twice":   {swap(`"unsent": 3`, `"unsent": 3, "unsent": 3`), `duplicate field "unsent"`},
		"other case":    {swap(`"unsent"`, `"Unsent"`), `unknown field "Unsent"`},
		"negative":      {swap(`"denied": 0`, `"denied": -1`), "totals.denied: -1 is not between 0 and"},
		"fraction":      {swap(`"denied": 0`, `"denied": 0.5`), "denied"},
		"huge": {swap(`"unsent": 3`, `"unsent": 9007199254740993`),
			"unsent: 9007199254740993 is not between 0 and 9007199254740992"},
		"digest":        {swap(`"digest": "`, `"digest": "x`), "plan.digest: "},
		"shard of none": {swap(`"of": 1`, `"of": 0`), "shards.of: 0 is not between 1 and 65536"},
		"shard beyond": {swap("\"have\": [\n      1\n    ]", `"have": [2]`),
			"shards.have: 2 after 0; want ascending numbers up to 1"},
		"no shard":     {swap("\"have\": [\n      1\n    ]", `"have": []`), "shards.have: is empty"},
		"cohort twice": {swap(`"regular",`, `"premium",`), "plan.cohorts: a name is empty or a duplicate"},
		"unknown cohort": {swap(`"cohort": "regular"`, `"cohort": "nobody"`),
			`cells[0].cohort: "nobody" is not in plan.cohorts`},
		"unknown route": {swap(`"route": "search"`, `"route": "nowhere"`),
			`cells[0].route: "nowhere" is not in plan.routes`},
		"odd version": {swap(`"version": "v1"`, `"version": "v\u001b"`),
			`version: "v\x1b" is too long or contains unprintable characters`},
		"cell twice": {swap(`"version": "v2-faulty"`, `"version": "v1"`), "is a duplicate"},
		"bad word":   {swap(`"reset": `, `"boredom": `), `failures: "boredom" is not a known reason`},
		"totals": {func() string {
			return changed(t, good, func(d *document) {
				d.Totals.Bytes++
			})
		}, "totals: are not the sum of the cells"},
		"schedule error": {func() string {
			return changed(t, good, func(d *document) {
				d.Lag = one
			})
		}, "schedule_error.hdr: has 1 times for 500 attempts"},
		"no base64":       {hdr("%%%"), "cells[0].latency.hdr: is not a base64 histogram"},
		"no histogram":    {hdr("aGVsbG8gd29ybGQgaGVsbG8="), "cells[0].latency.hdr: is not a compressed histogram"},
		"other geometry":  {hdr(string(wide)), "cells[0].latency.hdr: covers 1 to 4611686018427387904 with 5 digits"},
		"other histogram": {hdr(one.HDR), "cells[0].latency."},
		"long histogram":  {hdr(strings.Repeat("A", maxHDR+1)), "cells[0].latency.hdr: has 400001 bytes"},
		"odd time":        {swap(`"duration_seconds": 10`, `"duration_seconds": -10`), "is not a number of seconds"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := ReadDocument("shard-1.json", strings.NewReader(c.text()))
			if err == nil || !strings.Contains(err.Error(), c.want) ||
				!strings.HasPrefix(err.Error(), "shard-1.json: ") {
				t.Errorf("error %v, want shard-1.json: … %s", err, c.want)
			}
		})
	}
}

// changed returns a document with a change that only a check of the whole document can detect.
func changed(t *testing.T, good string, change func(*document)) string {
	t.Helper()
	var d document
	if err := json.Unmarshal([]byte(good), &d); err != nil {
		t.Fatal(err)
	}
	change(&d)
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Counts that are impossible in a cell of two requests, one of which was hit and slow.
func TestContradictions(t *testing.T) {
	cell := func() wireCell {
		l := newShop(t, loadgen.Shard{})
		l.Add(outcome(checkout))
		l.Add(outcome(checkout, hit, latency(time.Second)))
		for c := range l.Cells() {
			w, err := c.wire()
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		return wireCell{}
	}
	if _, err := cell().read(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*wireCell){
		"requests: 2 is not between 0 and 1":      func(c *wireCell) { c.Attempts = 1 },
		"latency.hdr: has 2 times for 3 requests": func(c *wireCell) { c.Requests, c.Attempts = 3, 3 },
		"failed":          func(c *wireCell) { c.Failed = 3 },
		"refused":         func(c *wireCell) { c.Failed, c.Refused, c.Bad = 1, 2, 2 },
		"bad: 0":          func(c *wireCell) { c.Bad, c.Harm = 0, 0 },
		"bad: 2":          func(c *wireCell) { c.Bad = 2 },
		"harm":            func(c *wireCell) { c.Harm = 2 },
		"harm: 0":         func(c *wireCell) { c.Harm, c.Hit, c.Bad, c.Slow = 0, 2, 1, 1 },
		"attempts":        func(c *wireCell) { c.Attempts = -1 },
		"failures.reset":  func(c *wireCell) { c.Failures = map[string]int64{"reset": 1} },
		"latency.clamped": func(c *wireCell) { c.Latency.Clamped = 3 },
		"latency.sum_us":  func(c *wireCell) { c.Latency.SumUS += 1000 },
		"latency.max_us":  func(c *wireCell) { c.Latency.MaxUS += 1000 },
		"statuses: con":   func(c *wireCell) { c.Statuses = map[uint16]int64{200: 1} },
		"statuses: 1000":  func(c *wireCell) { c.Statuses = map[uint16]int64{1000: 1} },
		"statuses.200":    func(c *wireCell) { c.Statuses = map[uint16]int64{200: -1} },
	} {
		c := cell()
		change(&c)
		if _, err := c.read(); err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestMergeRejects(t *testing.T) {
	part := func(name string, i, n int, change ...func(*origin)) Document {
		l := newShop(t, loadgen.Shard{Index: i, Count: n})
		for _, c := range change {
			c(&l.origin)
		}
		return Document{name, l}
	}
	digest := func(d string) func(*origin) { return func(o *origin) { o.digest = strings.Repeat(d, 64) } }
	for name, c := range map[string]struct {
		documents []Document
		want      string
	}{
		"nothing": {nil, "nothing to merge: name the result files of all shards"},
		"missing": {[]Document{part("a", 1, 3), part("b", 3, 3)},
			"shard 2/3 is missing: add them, or merge with --incomplete"},
		"many": {[]Document{part("a", 3, 9)}, "shards 1/9, 2/9, 4/9, 5/9, 6/9 and 3 more are missing: add " +
			"them, or merge with --incomplete"},
		"twice":    {[]Document{part("a", 1, 2), part("b", 1, 2)}, "a and b: both have shard 1/2"},
		"one file": {[]Document{part("a", 1, 2), part("a", 1, 2)}, "a and a: both have shard 1/2"},
		"whole": {[]Document{part("a", 1, 2), part("b", 1, 1)},
			"a and b: have different numbers of shards (2 and 1)"},
		"workload": {[]Document{part("a", 1, 2), part("b", 2, 2, func(o *origin) {
			o.workload = "bar"
		})}, "a and b: have different workloads (shop and bar)"},
		"seed": {[]Document{part("a", 1, 2), part("b", 2, 2, func(o *origin) {
			o.seed = 8
		})}, "a and b: have different seeds (7 and 8)"},
		"duration": {[]Document{part("a", 1, 2), part("b", 2, 2, func(o *origin) {
			o.duration = 1e9
		})}, "a and b: have different durations (10s and 1s)"},
		"other plan": {[]Document{part("a", 1, 2, digest("a")), part("b", 2, 2, digest("b"))},
			"a and b: have different plans (aaaaaaaaaaaa and bbbbbbbbbbbb)"},
		"limits": {[]Document{part("a", 1, 2), part("b", 2, 2, func(o *origin) { o.routes[0].Slow = 1 })},
			"a and b: have different cohorts, routes or latency limits"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Merge(c.documents, false); err == nil || err.Error() != c.want {
				t.Errorf("error %v\nwant  %s", err, c.want)
			}
		})
	}
}

func TestMergeRejectsOverflow(t *testing.T) {
	a, b := sample(t, loadgen.Shard{Index: 1, Count: 2}), sample(t, loadgen.Shard{Index: 2, Count: 2})
	a.cellOf(0, 0, "v1").Bytes, b.cellOf(0, 0, "v1").Bytes = maxCount/2, 1<<63-1
	_, err := Merge([]Document{{"a", reread(t, a)}, {"b", b}}, false)
	if want := "the sum of the counts exceeds 2^53"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestShardSetString(t *testing.T) {
	for want, s := range map[string]shardSet{"1/1": {1, []int{1}}, "2/3": {3, []int{2}},
		"all of 3": {3, []int{1, 2, 3}}, "2 of 3": {3, []int{1, 3}}} {
		if got := s.String(); got != want {
			t.Errorf("%v is %q, want %q", s, got, want)
		}
	}
}

func TestMergeIncomplete(t *testing.T) {
	d := Document{"a", sample(t, loadgen.Shard{Index: 2, Count: 3})}
	l, err := Merge([]Document{d}, true)
	if err != nil {
		t.Fatal(err)
	}
	if have, of := l.Shards(); !slices.Equal(have, []int{2}) || of != 3 ||
		l.Sum(nil).Requests != d.Results.Sum(nil).Requests {
		t.Errorf("shards %v of %d, %d requests", have, of, l.Sum(nil).Requests)
	}
}

// A document that can be read can be written and read again, to the same bytes.
func FuzzReadDocument(f *testing.F) {
	l := newShop(f, loadgen.Shard{Index: 2, Count: 3})
	l.Add(outcome(hit, checkout, latency(time.Second)))
	l.Add(outcome(failure(loadgen.FailureReset), version("")))
	good := bytesOf(f, l)
	f.Add(good)
	f.Add(bytesOf(f, newShop(f, loadgen.Shard{})))
	f.Add(bytes.Replace(good, []byte(`"hdr": "HIST`), []byte(`"hdr": "HISU`), 2))
	f.Add([]byte(`{"format": 1, "cells": [{"requests": 1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ReadDocument("f", bytes.NewReader(data))
		if err != nil {
			return
		}
		once := bytesOf(t, d.Results)
		if diff := cmp.Diff(string(once), string(bytesOf(t, reread(t, d.Results)))); diff != "" {
			t.Errorf("-first +second writing:\n%s", diff)
		}
	})
}

// A histogram that can be read is one that this package could have written.
func FuzzHistogram(f *testing.F) {
	l := newLatencies()
	for _, us := range []int64{0, 1, 1, 2048, 5_000_000, highest} {
		l.add(micros(us))
		w, err := l.wire()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(w.HDR)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := decode(text)
		if err != nil {
			return
		}
		encoded, err := h.EncodeV2()
		if err != nil {
			t.Fatal(err)
		}
		back, err := decode(string(encoded))
		if err != nil {
			t.Fatal(err)
		}
		if back.TotalCount() != h.TotalCount() || back.Max() != h.Max() || h.Max() > bucketHigh(highest) {
			t.Errorf("%d times up to %d are read as %d up to %d", h.TotalCount(), h.Max(),
				back.TotalCount(), back.Max())
		}
	})
}

func TestLogRoundTrip(t *testing.T) {
	l := sample(t, loadgen.Shard{})
	l.Add(outcome(version("v 3,a/b")))
	l.Add(outcome(version("only-retried"), retried))
	var b strings.Builder
	if err := l.WriteLog(&b); err != nil {
		t.Fatal(err)
	}
	r := hdrhistogram.NewHistogramLogReader(strings.NewReader(b.String()))
	var tags []string
	for _, c := range append([]*Cell{l.Sum(nil)}, slices.Collect(l.Cells())...) {
		if c.Requests == 0 {
			continue
		}
		h, err := r.NextIntervalHistogram()
		if err != nil || h == nil {
			t.Fatalf("histogram %v, error %v", h, err)
		}
		tags = append(tags, h.Tag())
		if h.TotalCount() != c.Requests || h.Max() != bucketHigh(c.Latency.largest) && h.Max() < c.Latency.largest {
			t.Errorf("%s: %d times up to %d, want %d up to %d", h.Tag(), h.TotalCount(), h.Max(), c.Requests,
				c.Latency.largest)
		}
		if h.StartTimeMs() != l.Run.Start.UnixMilli() || h.EndTimeMs() != l.Run.Start.Add(10*time.Second).UnixMilli() {
			t.Errorf("%s: from %d to %d", h.Tag(), h.StartTimeMs(), h.EndTimeMs())
		}
	}
	if h, err := r.NextIntervalHistogram(); h != nil || err != nil {
		t.Errorf("one more histogram %v, error %v", h, err)
	}
	for _, want := range []string{"regular/search/none", "regular/search/v1", "premium/checkout/v2-faulty",
		"regular/search/v%203%2Ca%2Fb"} {
		if !slices.Contains(tags, want) {
			t.Errorf("no tag %s among %v", want, tags)
		}
	}
	if want := "\nTag=regular/search/v%203%2Ca%2Fb,0.000,10.000,20.000,HIST"; !strings.Contains(b.String(), want) {
		t.Errorf("no line %q", want)
	}
	if tags[0] != "" {
		t.Errorf("the first histogram has the tag %s", tags[0])
	}
	if head, _, _ := strings.Cut(b.String(), "0.000,"); head != `#[coalmine load: shop, seed 7, shards 1/1; values in microseconds]
#[Histogram log format version 1.3]
#[StartTime: 1785585600.500 (seconds since epoch), Sat Aug  1 12:00:00 UTC 2026]
#[BaseTime: 1785585600.500 (seconds since epoch)]
"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"
` {
		t.Errorf("head:\n%s", head)
	}
}
