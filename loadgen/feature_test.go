package loadgen_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/loadgen"
	"coalmine/loadgen/accesslog"
)

// features returns a workload for each feature besides curves and mixes, and one with all features
// that can be combined.
func features() map[string]loadgen.Workload {
	all := mall(loadgen.Curve{Diurnal: &loadgen.Diurnal{Mean: 150, Amplitude: 100, Period: 20 * time.Second}},
		thinks()["pareto"])
	all.Bursts = &loadgen.Bursts{Factor: 4, Calm: 3 * time.Second, Burst: time.Second}
	all.Cohorts[0].Users = 0
	all.Cohorts[1].Mix, all.Cohorts[1].Zipf = nil, &loadgen.Zipf{Exponent: 1, Routes: []string{"search", "home"}}
	bursts, ranks, replay := shop(loadgen.Curve{Constant: 100}),
		browse(loadgen.Items{Count: 100, Exponent: 1}), recorded()
	bursts.Bursts = all.Bursts
	ranks.Rate.Constant = 100
	for i := range 100 {
		replay.Replay.Lines = append(replay.Replay.Lines, accesslog.Line{
			Number: i, At: noon(time.Duration(i*7%60) * time.Second), Method: "GET",
			Target: "/" + string(rune('a'+i%5)), Client: string(rune('a' + i%11)),
		})
	}
	only := mall(loadgen.Curve{Constant: 100}, thinks()["constant"])
	only.Cohorts = []loadgen.Cohort{only.Cohorts[0], only.Cohorts[3]} // no single requests
	only.Cohorts[1].Share = 0.4
	w := map[string]loadgen.Workload{"all": all, "bursts": bursts, "items": ranks, "replay": replay,
		"only sessions": only}
	for name, think := range thinks() {
		w[name] = mall(loadgen.Curve{Constant: 100}, think)
	}
	return w
}

// TestDigestsOfFeaturesArePinned is TestDigestIsPinned for the workloads with features.
func TestDigestsOfFeaturesArePinned(t *testing.T) {
	pinned := map[string]string{
		"all":           "dd81fdd0577ee285",
		"bursts":        "24b455a702e2ccb5",
		"constant":      "1bbb57dfad13844f",
		"items":         "a7d042cc7b2ed4e9",
		"lognormal":     "bb69464f936e32ad",
		"only sessions": "29b51c697bb7a654",
		"pareto":        "2423e8e19e613dda",
		"replay":        "dfe649e1f202b745",
	}
	for name, w := range features() {
		got := newPlan(t, w, 42, time.Minute).Digest()
		if got[:16] != pinned[name] {
			t.Errorf("%s: digest %s, want %s", name, got[:16], pinned[name])
		}
		if newPlan(t, w, 42, time.Minute).Digest() != got {
			t.Errorf("%s: two plans of one seed differ", name)
		}
		if other := newPlan(t, w, 43, time.Minute).Digest(); other == got && w.Replay == nil {
			t.Errorf("%s: another seed gives the same plan", name)
		}
	}
}

// TestDigestCoversAllFields checks that digests differ if only an item, a session or the target of
// a log line differs.
func TestDigestCoversAllFields(t *testing.T) {
	w := features()
	same := func(a, b loadgen.Workload) bool {
		return newPlan(t, a, 1, time.Minute).Digest() == newPlan(t, b, 1, time.Minute).Digest()
	}
	moved := browse(loadgen.Items{Count: 100, Exponent: 1, Offset: 1})
	moved.Rate = w["items"].Rate
	if same(w["items"], moved) {
		t.Error("items are not in the digest")
	}
	target, method := features()["replay"], features()["replay"]
	target.Replay.Lines[50].Target, method.Replay.Lines[50].Method = "/z", "PUT"
	if same(w["replay"], target) || same(w["replay"], method) {
		t.Error("what lines ask for is not in the digest")
	}
}

func TestPlansWithFeaturesAreWellFormed(t *testing.T) {
	all := features()
	names := []string{"all", "bursts", "items", "replay", "only sessions", "constant", "lognormal", "pareto"}
	rapid.Check(t, func(t *rapid.T) {
		w, seed := all[rapid.SampledFrom(names).Draw(t, "workload")], rapid.Uint64().Draw(t, "seed")
		d := time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "duration"))
		p, err := loadgen.NewPlan(w, seed, d)
		if err != nil {
			t.Fatal(err)
		}
		list, last := arrivals(p), time.Duration(0)
		for i, a := range list {
			first, count := p.Users(int(a.Cohort))
			if a.At < last || a.At >= d || a.Seq != uint64(i) || a.User < first || a.User-first >= count {
				t.Fatalf("arrival %d after %v: %+v; users from %d, %d of them", i, last, a, first, count)
			}
			if c := p.Cohorts()[a.Cohort]; c.Items != nil && int(a.Item) >= c.Items.Count {
				t.Fatalf("%+v has none of %d items", a, c.Items.Count)
			}
			last = a.At
		}
		longer, err := loadgen.NewPlan(w, seed, d+time.Duration(
			rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "more")))
		if err != nil {
			t.Fatal(err)
		}
		extended := arrivals(longer)
		if len(extended) < len(list) || !slices.Equal(extended[:len(list)], list) || len(extended) > len(list) &&
			extended[len(list)].At < d {
			t.Fatalf("%d arrivals are no prefix of %d", len(list), len(extended))
		}
		checkCursors(t, p, list, rapid.IntRange(1, 5).Draw(t, "shards"))
	})
}

// checkCursors iterates over the shards of a plan in turn and checks that each arrival is in
// exactly one of them.
func checkCursors(t *rapid.T, p *loadgen.Plan, want []loadgen.Arrival, shards int) {
	cursors := make([]*loadgen.Cursor, shards)
	for i := range cursors {
		cursors[i] = p.Share(loadgen.Shard{Index: i + 1, Count: shards})
	}
	var union []loadgen.Arrival
	for more := true; more; {
		more = false
		for i, c := range cursors {
			ahead, there := c.Peek()
			a, ok := c.Next()
			if a != ahead || ok != there {
				t.Fatalf("Peek gave %+v, %t; Next %+v, %t", ahead, there, a, ok)
			}
			if more = more || ok; ok {
				if !(loadgen.Shard{Index: i + 1, Count: shards}).Has(a.User) {
					t.Fatalf("%+v is in shard %d", a, i+1)
				}
				union = append(union, a)
			}
		}
	}
	slices.SortFunc(union, func(a, b loadgen.Arrival) int { return int(a.Seq) - int(b.Seq) })
	if !slices.Equal(union, want) {
		t.Fatalf("%d arrivals in %d shares are not the plan", len(union), shards)
	}
}

// TestSlotsAreReused checks that a cursor does not allocate once the maximum number of sessions has
// been active.
func TestSlotsAreReused(t *testing.T) {
	for name, w := range features() {
		cursor := newPlan(t, w, 1, time.Hour).Arrivals()
		walk := func() {
			for range 200_000 {
				cursor.Next()
			}
		}
		walk()
		if n := testing.AllocsPerRun(1, walk); n > 0 { // the digest iterates twice
			t.Errorf("%s: %g allocations", name, n)
		}
	}
}

// TestOrderWithinAnInstant uses a rate at which many arrivals share an instant: single requests
// come first, then those of sessions, cohort by cohort.
func TestOrderWithinAnInstant(t *testing.T) {
	w := mall(loadgen.Curve{Constant: 1e7}, loadgen.Think{Constant: 1})
	w.Cohorts[0].Session.Length, w.Cohorts[3].Session.Length = 1, 1
	list, ties := arrivals(newPlan(t, w, 1, 20*time.Millisecond)), 0
	for i, b := range list[1:] {
		a := list[i]
		if a.At != b.At || (a.Session > 0) == (b.Session > 0) && (a.Cohort == b.Cohort || a.Session == 0) {
			continue
		}
		if ties++; a.Session > 0 && (b.Session == 0 || a.Cohort > b.Cohort) {
			t.Fatalf("%+v, then %+v", a, b)
		}
	}
	if ties < 100 {
		t.Errorf("%d ties", ties)
	}
}
