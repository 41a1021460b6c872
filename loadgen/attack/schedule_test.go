package attack

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/loadgen"
	"coalmine/loadgen/pacer"
)

// TestScheduleReleasesWhatIsDue plays a schedule of which all items are due, and ends attempts in
// any order: each tick has the first of the items known at the time, each arrival gets its
// attempts, and the schedule ends when nothing is left.
func TestScheduleReleasesWhatIsDue(t *testing.T) {
	plan := persistent(t)
	rapid.Check(t, func(r *rapid.T) {
		timer, err := pacer.NewTimer()
		if err != nil {
			r.Fatal(err)
		}
		defer timer.Close()
		s := newSchedule(plan, loadgen.Shard{}, timer)
		s.start = time.Now().Add(-time.Hour)
		cursor, waiting, open := plan.Arrivals(), []item(nil), []item(nil)
		attempts := make(map[uint64]int)
		for {
			_, promised, over := s.release()
			if over {
				break
			}
			if promised {
				it, ok := s.take()
				if !ok {
					r.Fatal("a tick without an item")
				}
				want := first(cursor, &waiting)
				if it != want {
					r.Fatalf("handed out %+v, not %+v", it, want)
				}
				attempts[it.arrival.Seq]++
				open = append(open, it)
			}
			for len(open) > 0 && (!promised || rapid.Bool().Draw(r, "end")) {
				at := rapid.IntRange(0, len(open)-1).Draw(r, "which")
				it := open[at]
				open = slices.Delete(open, at, at+1)
				status := rapid.SampledFrom([]uint16{200, 503}).Draw(r, "status")
				ended := it.at + time.Millisecond
				if again := s.end(it, status, ended); again != (status == 503 && it.attempt < 2) {
					r.Fatalf("attempt %d that ended with %d: again %t", it.attempt, status, again)
				} else if again {
					wait := 10 * time.Millisecond << it.attempt
					waiting = append(waiting, item{it.arrival, it.attempt + 1, ended + wait})
				}
			}
		}
		if _, any := cursor.Peek(); any || len(waiting)+len(open) > 0 {
			r.Fatalf("ended with %d items waiting and %d open", len(waiting), len(open))
		}
		if n := s.unsent(); n != 0 {
			r.Fatalf("%d unsent", n)
		}
	})
}

// persistent returns a plan whose clients make three attempts.
func persistent(t *testing.T) *loadgen.Plan {
	t.Helper()
	w := loadgen.Workload{
		Rate:   loadgen.Curve{Constant: 100},
		Routes: []loadgen.Route{{Name: "home", Path: "/"}},
		Cohorts: []loadgen.Cohort{{Name: "all", Share: 1, Mix: map[string]float64{"home": 1},
			Retry: &loadgen.Retry{Attempts: 3, Base: 10 * time.Millisecond, Max: time.Second}}},
	}
	plan, err := loadgen.NewPlan(w, 1, 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// TestStopKeepsReleasedItems stops a schedule between ticks and their workers.
func TestStopKeepsReleasedItems(t *testing.T) {
	timer, err := pacer.NewTimer()
	if err != nil {
		t.Fatal(err)
	}
	defer timer.Close()
	plan := persistent(t)
	s := newSchedule(plan, loadgen.Shard{}, timer)
	s.start = time.Now().Add(-time.Hour)
	s.release()
	one, _ := s.take()
	s.release()
	two, _ := s.take()
	s.release()
	s.take()
	if !s.end(one, 503, one.at-time.Hour) || !s.end(two, 503, two.at+time.Hour) {
		t.Fatal("no second attempts")
	}
	s.release() // the retry of the first, which is due first
	s.release() // an arrival
	s.stop()
	if _, promised, over := s.release(); promised || !over {
		t.Error("there are ticks after the stop")
	}
	if _, ok := s.take(); ok {
		t.Error("a worker got an item after the stop")
	}
	if s.end(item{arrival: two.arrival}, 503, two.at) {
		t.Error("there will be an attempt after the stop")
	}
	if left := s.takeAbandoned(); len(left) != 2 || left[0].arrival != two.arrival || left[1].arrival != one.arrival ||
		left[1].attempt != 1 {
		t.Errorf("retries left over: %+v", left)
	}
	total := 0
	for c := plan.Arrivals(); ; total++ {
		if _, ok := c.Next(); !ok {
			break
		}
	}
	if n := s.unsent(); n != total-3 {
		t.Errorf("%d unsent of %d arrivals, three of which were sent", n, total)
	}
}

func TestItemsAreReleasedEarly(t *testing.T) {
	timer, err := pacer.NewTimer()
	if err != nil {
		t.Fatal(err)
	}
	defer timer.Close()
	s := newSchedule(persistent(t), loadgen.Shard{}, timer)
	s.start = time.Now().Add(time.Hour)
	first := s.start.Add(3794166) // with this seed
	if until, promised, _ := s.release(); promised || !until.Equal(first) {
		t.Errorf("promised %t, due at %v, not %v", promised, until, first)
	}
	s.offset.now.Store(int64(time.Minute))
	if until, promised, _ := s.release(); promised || !until.Equal(first.Add(-time.Minute)) {
		t.Errorf("promised %t, due at %v, not a minute before %v", promised, until, first)
	}
	s.offset.now.Store(int64(2 * time.Hour))
	if _, promised, _ := s.release(); !promised {
		t.Error("there was no tick within the lead")
	}
}

// first is the reference for what a tick stands for: it checks everything.
func first(c *loadgen.Cursor, waiting *[]item) item {
	a, any := c.Peek()
	at := -1
	for i, it := range *waiting {
		if at < 0 && (!any || it.at < a.At) || at >= 0 &&
			(it.at < (*waiting)[at].at || it.at == (*waiting)[at].at && it.arrival.Seq < (*waiting)[at].arrival.Seq) {
			at = i
		}
	}
	if at < 0 {
		c.Next()
		return item{arrival: a, at: a.At}
	}
	it := (*waiting)[at]
	*waiting = slices.Delete(*waiting, at, at+1)
	return it
}
