package pacer

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

// devices runs a test with every device that exists on this system.
func devices(t *testing.T, test func(t *testing.T, make func() *Timer)) {
	kinds := map[string]func() (device, error){
		"native":   newDevice,
		"portable": func() (device, error) { return newPortable(), nil },
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			test(t, func() *Timer {
				d, err := kind()
				if err != nil {
					t.Fatal(err)
				}
				timer := &Timer{device: d}
				t.Cleanup(func() { timer.Close() })
				return timer
			})
		})
	}
}

// far is later than the end of any test.
func far() time.Time { return time.Now().Add(24 * time.Hour) }

func TestWaitIsNeverShort(t *testing.T) {
	devices(t, func(t *testing.T, make func() *Timer) {
		timer := make()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		rapid.Check(t, func(r *rapid.T) {
			until := time.Now().Add(time.Duration(rapid.IntRange(-1000, 300_000).Draw(r, "ns")))
			if rapid.Bool().Draw(r, "hastened") {
				timer.WakeAt(until) // to the current time
			}
			if err := timer.Wait(ctx, until); err != nil {
				r.Fatal(err)
			}
			if early := time.Until(until); early > 0 {
				r.Fatalf("%v early", early)
			}
		})
	})
}

func TestWakeAt(t *testing.T) {
	devices(t, func(t *testing.T, make func() *Timer) {
		timer := make()
		timer.WakeAt(time.Time{}) // before the wait
		if err := timer.Wait(t.Context(), far()); err != nil {
			t.Fatal(err)
		}
		soon := time.Now().Add(2 * time.Millisecond)
		go timer.WakeAt(soon) // before or during the wait
		if err := timer.Wait(t.Context(), far()); err != nil {
			t.Fatal(err)
		}
		if early := time.Until(soon); early > 0 {
			t.Errorf("%v before the time that the wait was hastened to", early)
		}
		next := time.Now().Add(time.Millisecond)
		timer.WakeAt(next.Add(time.Hour)) // later than the wait's own time
		if err := timer.Wait(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		if early := time.Until(next); early > 0 {
			t.Errorf("a wait that was hastened before ended %v early", early)
		}
	})
}

// TestWakeAtIsNotLost races WakeAt against Wait: a lost call would wait for a day.
func TestWakeAtIsNotLost(t *testing.T) {
	devices(t, func(t *testing.T, make func() *Timer) {
		timer := make()
		const rounds = 5000
		calls := newChan()
		go func() {
			for range calls {
				timer.WakeAt(time.Time{})
			}
		}()
		for range rounds {
			calls <- struct{}{}
			if err := timer.Wait(t.Context(), far()); err != nil {
				t.Fatal(err)
			}
		}
		close(calls)
	})
}

func newChan() chan struct{} { return make(chan struct{}) }

func TestWaitEndsWithItsContext(t *testing.T) {
	devices(t, func(t *testing.T, make func() *Timer) {
		timer, reason := make(), errors.New("enough")
		for range 200 {
			ctx, cancel := context.WithCancelCause(t.Context())
			go cancel(reason)
			if err := timer.Wait(ctx, far()); err != reason {
				t.Fatalf("error %v, not the context's cause", err)
			}
			if err := timer.Wait(ctx, time.Time{}); err != reason {
				t.Fatalf("error %v of a wait whose context is over", err)
			}
		}
		// The cancelled context does not affect a wait with another context.
		until := time.Now().Add(time.Millisecond)
		if err := timer.Wait(t.Context(), until); err != nil || time.Now().Before(until) {
			t.Errorf("error %v, %v early", err, time.Until(until))
		}
	})
}

func TestCloseEndsAWait(t *testing.T) {
	devices(t, func(t *testing.T, make func() *Timer) {
		for range 100 {
			timer := make()
			go timer.Close()
			if err := timer.Wait(t.Context(), far()); err != ErrClosed {
				t.Fatalf("error %v", err)
			}
			timer.WakeAt(time.Time{})
			if err := timer.Wait(t.Context(), far()); err != ErrClosed {
				t.Fatalf("error %v of a wait after the end", err)
			}
			if err := timer.Close(); err != ErrClosed {
				t.Fatalf("error %v of a second Close", err)
			}
		}
	})
}
