package loadgen_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/loadgen"
)

// stubborn returns the shop with a retry policy for web users.
func stubborn(r loadgen.Retry) loadgen.Workload {
	w := shop(loadgen.Curve{Constant: 100})
	w.Cohorts[0].Retry = &r
	return w
}

func TestWaitsAreCappedExponential(t *testing.T) {
	policy := loadgen.Retry{Attempts: 6, Base: 100 * time.Millisecond, Max: time.Second}
	r := loadgen.NewRetries(newPlan(t, stubborn(policy), 1, time.Second), loadgen.Shard{})
	var waits []time.Duration
	for attempt := range 7 {
		if at, again := r.ShouldRetry(loadgen.Arrival{}, attempt, 503, time.Minute); again {
			waits = append(waits, (at-time.Minute)/time.Millisecond)
		}
	}
	if want := []time.Duration{100, 200, 400, 800, 1000}; !slices.Equal(waits, want) {
		t.Errorf("waits of %v ms, want %v", waits, want)
	}
}

func TestJitterIsUniformOverItsShare(t *testing.T) {
	const n, base = 10_000, 100 * time.Millisecond
	for _, share := range []float64{0.5, 1} {
		policy := loadgen.Retry{Attempts: 2, Base: base, Max: base, Jitter: share}
		p := newPlan(t, stubborn(policy), 1, time.Second)
		r, again := loadgen.NewRetries(p, loadgen.Shard{}), loadgen.NewRetries(p, loadgen.Shard{})
		var below int
		for seq := range uint64(n) {
			a := loadgen.Arrival{Seq: seq}
			at, _ := r.ShouldRetry(a, 0, 0, 0)
			if same, _ := again.ShouldRetry(a, 0, 0, 0); same != at {
				t.Fatalf("wait %v, then %v", at, same)
			}
			if least := base - time.Duration(share*float64(base)); at < least || at > base {
				t.Fatalf("wait of %v is not between %v and %v", at, least, base)
			}
			if at < base-time.Duration(0.75*share*float64(base)) {
				below++
			}
		}
		binomial(t, "waits in the lowest quarter", below, n, 0.25)
	}
}

func TestWhichStatusesAreRetried(t *testing.T) {
	policy := loadgen.Retry{Attempts: 2, Base: 1, Max: 1}
	for name, c := range map[string]struct {
		on    []int
		again []uint16
	}{"default": {nil, []uint16{0, 502, 503, 504}}, "own": {[]int{429, 500}, []uint16{0, 429, 500}}} {
		policy.On = c.on
		r := loadgen.NewRetries(newPlan(t, stubborn(policy), 1, time.Second), loadgen.Shard{})
		for status := range uint16(1000) {
			if _, again := r.ShouldRetry(loadgen.Arrival{}, 0, status, 0); again != slices.Contains(c.again, status) {
				t.Errorf("%s: status %d tried again: %t", name, status, again)
			}
		}
		if _, again := r.ShouldRetry(loadgen.Arrival{Cohort: 1}, 0, 503, 0); again {
			t.Error("a cohort without policy tries again")
		}
	}
}

// TestBudgetLimitsRetries plays random requests and retries and compares with a count over the last
// TTL. The slots may differ from it by one slot.
func TestBudgetLimitsRetries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := loadgen.Budget{
			Ratio:     rapid.Float64Range(0.01, 3).Draw(t, "ratio"),
			PerSecond: rapid.Float64Range(0, 5).Draw(t, "perSecond"),
			TTL:       time.Duration(rapid.IntRange(1, 60).Draw(t, "ttl")) * time.Second,
		}
		p, err := loadgen.NewPlan(stubborn(loadgen.Retry{Attempts: 2, Base: 1, Max: 1, Budget: &b}), 1, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		r := loadgen.NewRetries(p, loadgen.Shard{})
		var now time.Duration
		var sent, again []time.Duration
		within := func(list []time.Duration, d time.Duration) (n float64) {
			for _, at := range list {
				if at > now-d {
					n++
				}
			}
			return n
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now += time.Duration(rapid.Int64Range(0, int64(b.TTL)/3).Draw(t, "gap"))
			if rapid.Bool().Draw(t, "first") {
				r.RecordFirst(loadgen.Arrival{}, now)
				sent = append(sent, now)
				continue
			}
			_, ok := r.ShouldRetry(loadgen.Arrival{}, 0, 503, now)
			reserve := b.PerSecond * b.TTL.Seconds()
			if most := b.Ratio*within(sent, b.TTL) + reserve; ok && within(again, b.TTL*9/10)+1 > most+1e-9 {
				t.Fatalf("a retry over the budget of %g", most)
			}
			if least := b.Ratio*within(sent, b.TTL*9/10) + reserve; !ok && within(again, b.TTL)+1 <= least-1e-9 {
				t.Fatalf("no retry within the budget of %g", least)
			}
			if ok {
				again = append(again, now)
			}
		}
	})
}

func TestShardsDivideTheReserve(t *testing.T) {
	budget := loadgen.Budget{PerSecond: 4, TTL: 10 * time.Second}
	p := newPlan(t, stubborn(loadgen.Retry{Attempts: 2, Base: 1, Max: 1, Budget: &budget}), 1, time.Second)
	for count, want := range map[int]int{0: 40, 1: 40, 4: 10} {
		r, n := loadgen.NewRetries(p, loadgen.Shard{Index: 1, Count: count}), 0
		for range 100 {
			if _, ok := r.ShouldRetry(loadgen.Arrival{}, 0, 503, 0); ok {
				n++
			}
		}
		if n != want {
			t.Errorf("%d shards: %d retries of each, want %d", count, n, want)
		}
	}
}

func BenchmarkRetries(b *testing.B) {
	policy := loadgen.Retry{Attempts: 3, Base: time.Millisecond, Max: time.Second, Jitter: 1,
		Budget: &loadgen.Budget{Ratio: 0.2, PerSecond: 10}}
	p := newPlan(b, stubborn(policy), 1, time.Second)
	for name, cohort := range map[string]uint16{"none": 1, "budget": 0} {
		b.Run(name, func(b *testing.B) {
			r := loadgen.NewRetries(p, loadgen.Shard{})
			for i := 0; b.Loop(); i++ {
				a, now := loadgen.Arrival{Seq: uint64(i), Cohort: cohort}, time.Duration(i)*time.Millisecond
				r.RecordFirst(a, now)
				r.ShouldRetry(a, 0, 503, now)
			}
		})
	}
}
