package loadgen_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/loadgen"
	"coalmine/loadgen/rng"
)

// TestCompletionsComeInOrder plays random latencies and checks order, accounts and peak against a plain sort.
func TestCompletionsComeInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := loadgen.NewPlan(shop(loadgen.Curve{Constant: 50}), rapid.Uint64().Draw(t, "seed"), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		// A coarse grid makes many answers fall on one instant.
		grid := time.Duration(rapid.Int64Range(1, int64(time.Second)).Draw(t, "grid"))
		draws := rng.New(rapid.Uint64().Draw(t, "answers"), "answers")
		var got, want []loadgen.Completion
		v := loadgen.Virtual{Versions: 3, Done: func(c loadgen.Completion) { got = append(got, c) }}
		tally, err := v.Play(context.Background(), p, func(a loadgen.Arrival, _ int, _ time.Duration) loadgen.Answer {
			word := draws.Bits(a.Seq)
			due := (a.At + time.Duration(rng.Below(word, 1e9))).Truncate(grid) + grid
			b := loadgen.Answer{Latency: due - a.At, Status: uint16(word % 600), Version: uint16(word % 3), Hit: word%5 == 0}
			want = append(want, loadgen.Completion{Arrival: a, Answer: b, Sent: a.At, Final: true})
			return b
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.SortStableFunc(want, func(a, b loadgen.Completion) int { return int(a.At() - b.At()) })
		if !slices.Equal(got, want) {
			t.Fatalf("%d completions are not those of a sort", len(got))
		}
		checkTally(t, tally, want)
	})
}

// checkTally counts completions again, plainly.
func checkTally(t *rapid.T, tally *loadgen.Tally, list []loadgen.Completion) {
	for cell := range tally.Cells() {
		var n loadgen.Cell
		for _, c := range list {
			if int(c.Arrival.Cohort) != cell.Cohort || int(c.Arrival.Route) != cell.Route || int(c.Answer.Version) != cell.Version {
				continue
			}
			n.Requests++
			bad := c.Answer.Status == 0 || c.Answer.Status >= 500
			n.Failed += one(bad)
			n.Refused += one(!bad && c.Answer.Status >= 400)
			n.Hit += one(c.Answer.Hit)
			n.FailedHit += one(c.Answer.Hit && bad)
			n.Latency.Add(c.Answer.Latency)
		}
		n.Cohort, n.Route, n.Version = cell.Cohort, cell.Route, cell.Version
		if n.Latency.Mean() != cell.Latency.Mean() || n.Latency.Quantile(0.9) != cell.Latency.Quantile(0.9) {
			t.Fatalf("cell %d/%d/%d: latencies differ", n.Cohort, n.Route, n.Version)
		}
		if n.Requests != cell.Requests || n.Failed != cell.Failed || n.Refused != cell.Refused || n.Hit != cell.Hit || n.FailedHit != cell.FailedHit {
			t.Fatalf("cell %d/%d/%d: counts differ", n.Cohort, n.Route, n.Version)
		}
	}
	if sum := tally.Sum(nil); sum.Requests != uint64(len(list)) || tally.Sent() != sum.Requests {
		t.Fatalf("%d answered, %d sent, want %d", sum.Requests, tally.Sent(), len(list))
	}
	if len(list) > 0 && tally.Last() != list[len(list)-1].At() {
		t.Fatalf("last answer at %v", tally.Last())
	}
}

func one(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// TestInFlightFollowsLittlesLaw: the number in flight of M/G/∞ is Poisson with mean rate·latency.
func TestInFlightFollowsLittlesLaw(t *testing.T) {
	p := newPlan(t, shop(loadgen.Curve{Constant: 1000}), 1, 30*time.Second)
	tally, err := loadgen.Virtual{}.Play(t.Context(), p, func(loadgen.Arrival, int, time.Duration) loadgen.Answer {
		return loadgen.Answer{Latency: 100 * time.Millisecond, Status: 200}
	})
	if err != nil {
		t.Fatal(err)
	}
	// Some 600 nearly independent looks at a Poisson count of mean 100: its maximum lies between +2 and +6 deviations.
	if tally.Peak() < 120 || tally.Peak() > 160 {
		t.Errorf("peak of %d in flight", tally.Peak())
	}
}

func TestPlayRefusesBadAnswers(t *testing.T) {
	p := newPlan(t, shop(loadgen.Curve{Constant: 10}), 1, 10*time.Second)
	for want, answer := range map[string]loadgen.Answer{
		"version": {Version: 2}, "negative": {Latency: -1}, "endless": {Latency: math.MaxInt64},
	} {
		_, err := loadgen.Virtual{Versions: 2}.Play(t.Context(), p, func(loadgen.Arrival, int, time.Duration) loadgen.Answer { return answer })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestPlayStopsWithTheContext(t *testing.T) {
	p := newPlan(t, shop(loadgen.Curve{Constant: 1e6}), 1, time.Hour)
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	tally, err := loadgen.Virtual{}.Play(ctx, p, func(a loadgen.Arrival, _ int, _ time.Duration) loadgen.Answer {
		if a.Seq == 1000 {
			cancel(reason)
		}
		return loadgen.Answer{Status: 200}
	})
	if !errors.Is(err, reason) || tally.Sent() == 0 || tally.Sent() > 1<<17 {
		t.Errorf("after %d requests: %v", tally.Sent(), err)
	}
}

func TestNothingIsAllocatedPerArrival(t *testing.T) {
	for name, c := range shapes() {
		cursor := newPlan(t, shop(c), 1, 10*time.Hour).Arrivals()
		if n := testing.AllocsPerRun(1000, func() { cursor.Next() }); n != 0 {
			t.Errorf("%s: %g allocations per arrival", name, n)
		}
	}
}

// TestHistogramQuantiles compares with exact quantiles.
func TestHistogramQuantiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Int64Range(0, math.MaxInt64), 1, 200).Draw(t, "latencies")
		shift := rapid.IntRange(0, 62).Draw(t, "shift")
		var all, half, rest loadgen.Histogram
		for i := range list {
			list[i] >>= shift
			all.Add(time.Duration(list[i]))
			if i%2 == 0 {
				half.Add(time.Duration(list[i]))
			} else {
				rest.Add(time.Duration(list[i]))
			}
		}
		slices.Sort(list)
		half.Merge(&rest)
		for _, q := range []float64{0.01, 0.5, 0.9, 1} {
			truth := float64(list[max(int(math.Ceil(q*float64(len(list)))), 1)-1])
			got := float64(all.Quantile(q))
			if got < truth || got > truth*1.032 {
				t.Fatalf("%g-quantile %g, want %g", q, got, truth)
			}
			if half.Quantile(q) != all.Quantile(q) {
				t.Fatalf("merged %g-quantile %v, want %v", q, half.Quantile(q), all.Quantile(q))
			}
		}
		if int64(all.Max()) != list[len(list)-1] || all.Count() != uint64(len(list)) {
			t.Fatalf("max %d of %d", all.Max(), all.Count())
		}
	})
}
