package pacer

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

// clocks runs a test with both kinds of timer.
func clocks(t *testing.T, test func(t *testing.T, c *Clock)) {
	devices(t, func(t *testing.T, make func() *Timer) {
		c := startClock(make())
		defer c.Close()
		test(t, c)
	})
}

func TestClockWakesAllSleepersInTime(t *testing.T) {
	clocks(t, func(t *testing.T, c *Clock) {
		rapid.Check(t, func(r *rapid.T) {
			waits := rapid.SliceOfN(rapid.IntRange(-1000, 500_000), 1, 50).Draw(r, "ns")
			early := make([]time.Duration, len(waits))
			errs := make([]error, len(waits))
			var all sync.WaitGroup
			for i, ns := range waits {
				all.Go(func() {
					until := time.Now().Add(time.Duration(ns))
					errs[i] = c.Sleep(t.Context(), time.Duration(ns))
					early[i] = time.Until(until)
				})
			}
			all.Wait()
			for i := range waits {
				if errs[i] != nil || early[i] > 0 {
					r.Fatalf("a sleep of %d ns ended %v early, error %v", waits[i], early[i], errs[i])
				}
			}
		})
	})
}

// TestClockWakesDueSleepers drives a clock by hand: sleepers that are due are woken, in whatever
// order they came, and the next wake-up is that of the first of the others.
func TestClockWakesDueSleepers(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		begin := time.Now()
		c := &Clock{timer: &Timer{}, start: begin}
		type sleeper struct {
			until time.Time
			wake  chan struct{}
		}
		var all []sleeper
		for _, ms := range rapid.SliceOfN(rapid.IntRange(0, 50), 1, 40).Draw(r, "due") {
			until := begin.Add(time.Duration(ms) * time.Millisecond)
			wake, err := c.add(until)
			if err != nil {
				r.Fatal(err)
			}
			all = append(all, sleeper{until, wake})
		}
		for _, at := range rapid.SliceOfN(rapid.IntRange(0, len(all)-1), 0, 5).Draw(r, "leave") {
			c.remove(all[at].wake)
			all[at].until = time.Time{}
		}
		now := begin.Add(time.Duration(rapid.IntRange(0, 50).Draw(r, "now")) * time.Millisecond)
		next := c.wakeDue(now)
		for i, s := range all {
			left := s.until.IsZero()
			if woken := len(s.wake) > 0; woken != (!left && !s.until.After(now)) {
				r.Fatalf("sleeper %d of %v: woken %t at %v", i, s.until.Sub(begin), woken, now.Sub(begin))
			}
			if !left && s.until.After(now) && s.until.Before(next) {
				r.Fatalf("the next is due at %v, not at %v", s.until.Sub(begin), next.Sub(begin))
			}
		}
	})
}

func TestSleepEndsWithItsContext(t *testing.T) {
	clocks(t, func(t *testing.T, c *Clock) {
		reason := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if err := c.Sleep(ctx, 24*time.Hour); err != reason {
					t.Errorf("error %v, not the context's cause", err)
				}
			})
		}
		awaitSleepers(c, 100)
		cancel(reason)
		all.Wait()
		if err := c.Sleep(ctx, 0); err != reason {
			t.Errorf("error %v of a sleep whose context is over", err)
		}
		if n := c.sleepers.Len(); n > 0 {
			t.Errorf("the clock still has %d sleepers that have left", n)
		}
	})
}

// awaitSleepers returns when n goroutines sleep.
func awaitSleepers(c *Clock, n int) {
	asleep := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.sleepers.Len()
	}
	for asleep() < n {
		runtime.Gosched()
	}
}

func TestCloseWakesAllSleepers(t *testing.T) {
	clocks(t, func(t *testing.T, c *Clock) {
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if err := c.Sleep(context.Background(), 24*time.Hour); err != ErrClosed {
					t.Errorf("error %v", err)
				}
			})
		}
		awaitSleepers(c, 100)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
		if err := c.Sleep(context.Background(), time.Hour); err != ErrClosed {
			t.Errorf("error %v of a sleep after the end", err)
		}
		if err := c.Close(); err != ErrClosed {
			t.Errorf("error %v of a second Close", err)
		}
	})
}

func TestNewClock(t *testing.T) {
	defer goleak.VerifyNone(t)
	c, err := NewClock()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Sleep(t.Context(), time.Millisecond); err != nil {
		t.Error(err)
	}
}
