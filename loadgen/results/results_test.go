package results

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"coalmine/loadgen"
	"coalmine/loadgen/cardinality"
)

// shop returns a workload of three cohorts and three routes, of which only checkout has a latency
// limit.
func shop(t rapid.TB) *loadgen.Plan {
	t.Helper()
	mix := map[string]float64{"home": 3, "search": 2, "checkout": 1}
	p, err := loadgen.NewPlan(loadgen.Workload{
		Rate: loadgen.Curve{Constant: 200},
		Routes: []loadgen.Route{{Name: "search", Path: "/search"}, {Name: "home", Path: "/"},
			{Name: "checkout", Path: "/api/checkout"}},
		Cohorts: []loadgen.Cohort{{Name: "regular", Share: 0.8, Users: 100, Mix: mix},
			{Name: "premium", Share: 0.15, Users: 30, Mix: mix},
			{Name: "bots", Share: 0.05, Mix: mix}},
	}, 7, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const slowCheckout = 300 * time.Millisecond

func slow(route string) time.Duration {
	if route == "checkout" {
		return slowCheckout
	}
	return 0
}

func newShop(t rapid.TB, s loadgen.Shard) *Results {
	return New(Config{Plan: shop(t), Shard: s, Workload: "shop", Slow: slow})
}

// outcome returns a successful request of the plan's first cohort and route, modified by the given
// functions.
func outcome(change ...func(*loadgen.Outcome)) *loadgen.Outcome {
	o := &loadgen.Outcome{Final: true, Status: 200, Latency: 20 * time.Millisecond, Version: "v1", BytesIn: 100}
	for _, c := range change {
		c(o)
	}
	return o
}

func status(code uint16) func(*loadgen.Outcome) { return func(o *loadgen.Outcome) { o.Status = code } }
func failure(why string) func(*loadgen.Outcome) {
	return func(o *loadgen.Outcome) { o.Status, o.Failure = 0, why }
}
func latency(d time.Duration) func(*loadgen.Outcome) {
	return func(o *loadgen.Outcome) { o.Latency = d }
}
func version(v string) func(*loadgen.Outcome) { return func(o *loadgen.Outcome) { o.Version = v } }
func hit(o *loadgen.Outcome)                  { o.Hit = true }
func wrong(o *loadgen.Outcome)                { o.Wrong = true }
func retried(o *loadgen.Outcome)              { o.Final = false }
func checkout(o *loadgen.Outcome)             { o.Arrival.Route = 2 }

// plain holds the comparable counts of a cell.
func plain(c *Cell) map[string]int64 {
	counts := map[string]int64{}
	names := []string{"requests", "attempts", "failed", "denied", "limited", "refused", "slow", "wrong", "bad", "hit",
		"harm", "bytes"}
	for i, n := range c.counts() {
		if *n != 0 {
			counts[names[i]] = *n
		}
	}
	for why, n := range c.Failures {
		counts[why] = n
	}
	return counts
}

func TestCellCounts(t *testing.T) {
	type counts = map[string]int64
	with := func(more counts) counts {
		all := counts{"requests": 1, "attempts": 1, "bytes": 100}
		for k, v := range more {
			all[k] = v
		}
		return all
	}
	cases := map[string]struct {
		outcome *loadgen.Outcome
		want    counts
	}{
		"good":         {outcome(), with(nil)},
		"redirect":     {outcome(status(302)), with(nil)},
		"server error": {outcome(status(500)), with(counts{"failed": 1, "bad": 1})},
		"no answer": {outcome(failure(loadgen.FailureReset)),
			with(counts{"failed": 1, "bad": 1, "reset": 1})},
		"no answer, odd reason": {outcome(failure("gremlins")), with(counts{"failed": 1, "bad": 1, "other": 1})},
		"denied":                {outcome(status(403)), with(counts{"denied": 1, "bad": 1})},
		"limited":               {outcome(status(429)), with(counts{"limited": 1, "bad": 1})},
		"another 4xx":           {outcome(status(404)), with(counts{"refused": 1})},
		"wrong":                 {outcome(wrong), with(counts{"wrong": 1, "bad": 1})},
		"in time":               {outcome(checkout, latency(slowCheckout)), with(nil)},
		"slow":                  {outcome(checkout, latency(slowCheckout+1)), with(counts{"slow": 1, "bad": 1})},
		"long, with no limit":   {outcome(latency(time.Minute)), with(nil)},
		"hit without harm":      {outcome(hit), with(counts{"hit": 1})},
		"harm":                  {outcome(hit, status(503)), with(counts{"failed": 1, "bad": 1, "hit": 1, "harm": 1})},
		"bad in many ways": {outcome(hit, wrong, checkout, status(500), latency(time.Second)),
			with(counts{"failed": 1, "slow": 1, "wrong": 1, "bad": 1, "hit": 1, "harm": 1})},
		"tried again": {outcome(retried, hit, status(503)), counts{"attempts": 1, "bytes": 100}},
		"stopped":     {outcome(failure(loadgen.FailureStopped)), counts{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := newShop(t, loadgen.Shard{})
			l.Add(c.outcome)
			if diff := cmp.Diff(c.want, plain(l.Sum(nil))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestStoppedRequestsAreNotCounted(t *testing.T) {
	l := newShop(t, loadgen.Shard{})
	l.Add(outcome(failure(loadgen.FailureStopped)))
	if l.Stopped != 1 || l.Lag.Count() != 0 || len(slices.Collect(l.Cells())) != 0 {
		t.Errorf("stopped %d, sent %d, cells %v", l.Stopped, l.Lag.Count(), slices.Collect(l.Cells()))
	}
}

func TestCellsAreInOrder(t *testing.T) {
	l := newShop(t, loadgen.Shard{})
	for _, at := range [][2]uint16{{2, 0}, {0, 2}, {1, 1}, {0, 0}} {
		for _, v := range []string{"v2", "", "v10"} {
			l.Add(outcome(version(v), func(o *loadgen.Outcome) { o.Arrival.Cohort, o.Arrival.Route = at[0], at[1] }))
		}
	}
	var got []string
	for c := range l.Cells() {
		got = append(got, c.Cohort+" "+c.Route+" "+c.Version)
	}
	want := []string{
		"regular search ", "regular search v10", "regular search v2", "regular checkout ", "regular checkout v10",
		"regular checkout v2",
		"premium home ", "premium home v10", "premium home v2", "bots search ", "bots search v10", "bots search v2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestVersionsAreBounded(t *testing.T) {
	l := newShop(t, loadgen.Shard{})
	for i := range 1000 {
		l.Add(outcome(version(fmt.Sprintf("v%d", i))))
	}
	l.Add(outcome(version("\x1b[31mred")))
	cells := slices.Collect(l.Cells())
	if len(cells) != cardinality.MaxNames+1 {
		t.Fatalf("%d cells", len(cells))
	}
	if c := cells[0]; c.Version != cardinality.Other || c.Requests != 1000-cardinality.MaxNames+1 {
		t.Errorf("version %q has %d requests", c.Version, c.Requests)
	}
	if n := l.Sum(nil).Requests; n != 1001 {
		t.Errorf("%d requests in all", n)
	}
}

func TestCellsAreBounded(t *testing.T) {
	w := loadgen.Workload{Rate: loadgen.Curve{Constant: 1},
		Cohorts: []loadgen.Cohort{{Name: "all", Share: 1, Mix: map[string]float64{"r0": 1}}}}
	for i := range 1000 {
		w.Routes = append(w.Routes, loadgen.Route{Name: fmt.Sprint("r", i), Path: fmt.Sprint("/", i)})
	}
	p, err := loadgen.NewPlan(w, 1, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	l := New(Config{Plan: p})
	const versions = 12
	for i := range versions * len(w.Routes) {
		l.Add(outcome(version(fmt.Sprint("v", i%versions)), func(o *loadgen.Outcome) {
			o.Arrival.Route = uint16(i / versions)
		}))
	}
	cells := slices.Collect(l.Cells())
	last := cells[len(cells)-1]
	if len(cells) != maxCells+1 || last.Cohort != cardinality.Other || last.Route != cardinality.Other ||
		last.Requests != 2000 {
		t.Errorf("%d cells, the last is %s %s with %d requests", len(cells), last.Cohort, last.Route, last.Requests)
	}
	if n := l.Sum(nil).Requests; n != versions*1000 {
		t.Errorf("%d requests in all", n)
	}
}

func TestElapsed(t *testing.T) {
	l := newShop(t, loadgen.Shard{})
	l.Add(outcome(latency(time.Second), func(o *loadgen.Outcome) { o.Arrival.At = 2 * time.Second }))
	l.Add(outcome(latency(time.Millisecond), func(o *loadgen.Outcome) { o.Arrival.At = 2 * time.Second }))
	if got := l.Elapsed(); got != 3*time.Second {
		t.Errorf("%v until the last answer", got)
	}
	l.Run.Elapsed = 10 * time.Second
	if got := l.Elapsed(); got != 10*time.Second {
		t.Errorf("%v as the executor said", got)
	}
}

func TestScheduleErrorIsOfAllAttempts(t *testing.T) {
	l := newShop(t, loadgen.Shard{})
	for i := range 3 {
		l.Add(outcome(func(o *loadgen.Outcome) {
			o.Final, o.Intended, o.Sent = i > 0, time.Second, time.Second+time.Duration(i)*time.Millisecond
		}))
	}
	if l.Lag.Count() != 3 || l.Lag.Max() != 2*time.Millisecond || l.Lag.Mean() != time.Millisecond {
		t.Errorf("%d of mean %v, max %v", l.Lag.Count(), l.Lag.Mean(), l.Lag.Max())
	}
}

// Quantiles are compared with sorted samples: never below them and at most 0.1 % and 1 µs above.
func TestQuantilesAgainstSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.SliceOfN(rapid.Int64Range(0, int64(2*time.Hour/time.Microsecond)), 1, 300).Draw(t, "µs")
		scale := rapid.SampledFrom([]int64{1, 1000, 1_000_000}).Draw(t, "scale")
		l := newLatencies()
		sum, over := 0.0, int64(0)
		limit := rapid.Int64Range(0, int64(time.Hour/time.Microsecond)).Draw(t, "limit")
		for i, us := range samples {
			samples[i] = us / scale
			l.add(time.Duration(samples[i]) * time.Microsecond)
			samples[i] = min(samples[i], highest)
			sum += float64(samples[i])
			if samples[i] > limit {
				over++
			}
		}
		slices.Sort(samples)
		q := rapid.Float64Range(0.001, 1).Draw(t, "q")
		want := float64(samples[Rank(q, int64(len(samples)))-1])
		got := float64(l.Quantile(q) / time.Microsecond)
		if got < want || got > want*1.001 {
			t.Fatalf("quantile %v is %v µs, of samples %v", q, got, want)
		}
		if got, want := l.Max(), micros(samples[len(samples)-1]); got != want {
			t.Fatalf("max %v, want %v", got, want)
		}
		if got, want := l.Mean().Seconds(), sum/float64(len(samples))/1e6; math.Abs(got-want) > 2e-9 {
			t.Fatalf("mean %v, want %v", got, want)
		}
		if near := l.Over(micros(limit)); near < over || near > over+sharing(samples, limit) {
			t.Fatalf("%d over %d µs, want %d", near, limit, over)
		}
	})
}

// sharing counts samples in the same bucket as a limit.
func sharing(samples []int64, limit int64) int64 {
	n := int64(0)
	for _, s := range samples {
		if s <= limit && float64(s) >= float64(limit)*0.999 {
			n++
		}
	}
	return n
}

func TestBucketsMatchTheLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		us := rapid.Int64Range(0, highest).Draw(t, "µs")
		l := newLatencies()
		l.add(micros(us))
		for low := range l.HDR.ForEachBucket {
			if bucketHigh(low) != l.HDR.Max() || low != l.HDR.Min() {
				t.Fatalf("bucket of %d is %d to %d, want %d to %d", us, low, bucketHigh(low), l.HDR.Min(), l.HDR.Max())
			}
		}
	})
}

func TestRank(t *testing.T) {
	for _, c := range []struct {
		q    float64
		n    int64
		want int64
	}{{0.5, 0, 1}, {0.5, 1, 1}, {0.5, 2, 1}, {0.5, 3, 2}, {0.07, 100, 7}, {0.99, 100, 99}, {0.999, 1000, 999},
		{0.999, 1001, 1000}, {1, 5, 5}} {
		if got := Rank(c.q, c.n); got != c.want {
			t.Errorf("Rank(%v, %d) = %d, want %d", c.q, c.n, got, c.want)
		}
	}
}

func TestTimesOutOfRangeAreClamped(t *testing.T) {
	l := newLatencies()
	for _, d := range []time.Duration{-1, math.MinInt64, math.MaxInt64, time.Hour + 1, time.Hour, 0} {
		l.add(d)
	}
	if l.Clamped != 4 || l.Count() != 6 || l.Max() != time.Hour || l.Quantile(0.5) != 0 ||
		l.Quantile(0.51) != time.Hour {
		t.Errorf("%d clamped of %d, max %v, p50 %v, p51 %v", l.Clamped, l.Count(), l.Max(), l.Quantile(0.5),
			l.Quantile(0.51))
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	l := newShop(t, loadgen.Shard{})
	list := traffic(1000)
	for i := range list {
		l.Add(&list[i])
	}
	if n := testing.AllocsPerRun(10, func() {
		for i := range list {
			l.Add(&list[i])
		}
	}); n != 0 {
		t.Errorf("%v allocations for %d outcomes", n, len(list))
	}
}

// traffic returns a fixed mixture of outcomes, with latencies around 20 ms over three decades.
func traffic(n int) []loadgen.Outcome {
	list := make([]loadgen.Outcome, n)
	state := uint64(1)
	draw := func(below uint64) uint64 {
		state = state*6364136223846793005 + 1442695040888963407
		return state >> 33 % below
	}
	for i := range list {
		o := outcome(version("v1"))
		o.Arrival = loadgen.Arrival{At: time.Duration(i) * time.Millisecond, Seq: uint64(i), Cohort: uint16(draw(3)),
			Route: uint16(draw(3))}
		o.Intended, o.Sent = o.Arrival.At, o.Arrival.At+time.Duration(draw(50))*time.Microsecond
		o.Latency = time.Duration(1000+draw(1000)*draw(1000)*draw(1000)/8000) * time.Microsecond
		if draw(10) == 0 {
			o.Version = strings.Clone("v2-faulty")
			o.Hit = draw(2) == 0
		}
		switch draw(100) {
		case 0:
			o.Status = 503
		case 1:
			o.Status, o.Failure, o.Version = 0, loadgen.FailureReset, ""
		case 2:
			o.Status = 429
		case 3:
			o.Final, o.Status = false, 503
		}
		list[i] = *o
	}
	return list
}

// cpuTime returns the CPU time of this process.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkAdd(b *testing.B) {
	l := newShop(b, loadgen.Shard{})
	list := traffic(1 << 16)
	for i := range list {
		l.Add(&list[i])
	}
	b.ReportAllocs()
	begin := cpuTime(b)
	for i := 0; b.Loop(); i++ {
		l.Add(&list[i%len(list)])
	}
	b.ReportMetric(float64((cpuTime(b)-begin).Nanoseconds())/float64(b.N), "cpu-ns/op")
	size := 0
	for c := range l.Cells() {
		size += c.Latency.HDR.GetMemorySize()
	}
	b.ReportMetric(float64(size)/float64(len(l.cells)), "B/histogram")
}
