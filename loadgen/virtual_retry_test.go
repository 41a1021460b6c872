package loadgen_test

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/loadgen"
	"coalmine/loadgen/rng"
)

// happening is an event of the plain simulation: an answer, a retry to send or an arrival, in the order of one instant.
type happening struct {
	at   time.Duration
	kind int
	c    loadgen.Completion
}

const (
	answer = iota
	retry
	arrival
)

// plainly plays a plan by sorting a list of all that is to come, again and again.
func plainly(p *loadgen.Plan, serve func(loadgen.Arrival, int, time.Duration) loadgen.Answer) (done []loadgen.Completion) {
	var list []happening
	for _, a := range arrivals(p) {
		list = append(list, happening{a.At, arrival, loadgen.Completion{Arrival: a, Sent: a.At}})
	}
	r := loadgen.NewRetries(p)
	for len(list) > 0 {
		first := slices.MinFunc(list, func(a, b happening) int {
			return cmp.Or(cmp.Compare(a.at, b.at), a.kind-b.kind, cmp.Compare(a.c.Arrival.Seq, b.c.Arrival.Seq))
		})
		list = slices.DeleteFunc(list, func(h happening) bool { return h == first })
		c := first.c
		if first.kind != answer {
			if first.kind == arrival {
				r.RecordFirst(c.Arrival, first.at)
			}
			c.Answer = serve(c.Arrival, int(c.Attempt), c.Sent)
			list = append(list, happening{c.At(), answer, c})
			continue
		}
		at, again := r.ShouldRetry(c.Arrival, int(c.Attempt), c.Answer.Status, first.at)
		c.Final = !again
		done = append(done, c)
		if again {
			c.Answer, c.Sent, c.Attempt, c.Final = loadgen.Answer{}, at, c.Attempt+1, false
			list = append(list, happening{at, retry, c})
		}
	}
	return done
}

// TestRetriesAreSentInOrder compares with the plain simulation, on a coarse grid so that much falls on one instant.
func TestRetriesAreSentInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		grid := time.Duration(rapid.Int64Range(1, int64(50*time.Millisecond)).Draw(t, "grid"))
		w := stubborn(loadgen.Retry{Attempts: 4, Base: grid, Max: 3 * grid, Budget: &loadgen.Budget{Ratio: 0.3, PerSecond: 1}})
		w.Cohorts[1].Retry = &loadgen.Retry{Attempts: 2, Base: 1, Max: 1, Jitter: 1}
		p, err := loadgen.NewPlan(w, rapid.Uint64().Draw(t, "seed"), 2*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		draws := rng.New(rapid.Uint64().Draw(t, "answers"), "answers")
		serve := func(a loadgen.Arrival, attempt int, at time.Duration) loadgen.Answer {
			word := draws.Bits(a.Seq*16 + uint64(attempt))
			due := (at + time.Duration(rng.Below(word, 3e8))).Truncate(grid)
			return loadgen.Answer{Latency: max(due-at, 0), Status: []uint16{0, 200, 503}[word%3], Wrong: word%7 == 0}
		}
		var got []loadgen.Completion
		v := loadgen.Virtual{Names: []string{"v1"}, Done: func(c loadgen.Completion) { got = append(got, c) }}
		v.Outcome = func(o *loadgen.Outcome) { checkOutcome(t, o, got[len(got)-1]) }
		tally, err := v.Play(context.Background(), p, serve)
		if err != nil {
			t.Fatal(err)
		}
		want := plainly(p, serve)
		if !slices.Equal(got, want) {
			t.Fatalf("%d completions are not the %d of the plain simulation", len(got), len(want))
		}
		finals := uint64(0)
		for _, c := range got {
			finals += one(c.Final)
		}
		sum := tally.Sum(nil)
		if sum.Attempts != uint64(len(got)) || tally.Attempts() != sum.Attempts || sum.Requests != finals || tally.Sent() != finals ||
			sum.Latency.Count() != finals {
			t.Fatalf("%d requests with %d attempts, want %d with %d", sum.Requests, sum.Attempts, finals, len(got))
		}
	})
}

// checkOutcome compares an outcome with the completion that it tells of.
func checkOutcome(t *rapid.T, o *loadgen.Outcome, c loadgen.Completion) {
	want := loadgen.Outcome{
		Arrival: c.Arrival, Attempt: int(c.Attempt), Final: c.Final, Intended: c.Sent, Sent: c.Sent, Latency: c.At() - c.Arrival.At,
		Status: c.Answer.Status, Version: "v1", Wrong: c.Answer.Wrong,
	}
	if c.Answer.Status == 0 {
		want.Failure = "other"
	}
	if *o != want || o.Done() != c.At() {
		t.Fatalf("outcome %+v, want %+v", *o, want)
	}
}

func TestSharesPlayAsTheWhole(t *testing.T) {
	p := newPlan(t, stubborn(loadgen.Retry{Attempts: 3, Base: time.Millisecond, Max: time.Second, Jitter: 1}), 1, 20*time.Second)
	serve := func(a loadgen.Arrival, attempt int, _ time.Duration) loadgen.Answer {
		return loadgen.Answer{Latency: time.Millisecond, Status: 500 + uint16((a.Seq+uint64(attempt))%5)}
	}
	play := func(s loadgen.Shard) *loadgen.Cell {
		tally, err := loadgen.Virtual{Shard: s}.Play(t.Context(), p, serve)
		if err != nil {
			t.Fatal(err)
		}
		return tally.Sum(nil)
	}
	whole, parts := play(loadgen.Shard{}), play(loadgen.Shard{Index: 1, Count: 2})
	second := play(loadgen.Shard{Index: 2, Count: 2})
	if parts.Requests == 0 || second.Requests == 0 || parts.Requests+second.Requests != whole.Requests ||
		parts.Attempts+second.Attempts != whole.Attempts || whole.Attempts <= whole.Requests {
		t.Errorf("%d+%d requests and %d+%d attempts, want %d and %d",
			parts.Requests, second.Requests, parts.Attempts, second.Attempts, whole.Requests, whole.Attempts)
	}
}

// TestRetriesEndWithTime: a wait beyond the last instant is not waited for.
func TestRetriesEndWithTime(t *testing.T) {
	p := newPlan(t, stubborn(loadgen.Retry{Attempts: 3, Base: time.Second, Max: time.Second}), 1, time.Second)
	tally, err := loadgen.Virtual{}.Play(t.Context(), p, func(_ loadgen.Arrival, _ int, at time.Duration) loadgen.Answer {
		return loadgen.Answer{Latency: 1<<63 - 2 - at}
	})
	if err != nil || tally.Attempts() != tally.Sent() || tally.Sent() == 0 {
		t.Errorf("%d attempts at %d requests: %v", tally.Attempts(), tally.Sent(), err)
	}
}
