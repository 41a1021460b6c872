package backoff

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoff(t *testing.T) {
	b := Backoff{Min: 100 * time.Millisecond, Max: 300 * time.Millisecond}
	var got []int64
	for range 4 {
		got = append(got, b.Next().Milliseconds())
	}
	b.Reset()
	got = append(got, b.Next().Milliseconds())
	if want := []int64{100, 200, 300, 300, 100}; !slices.Equal(got, want) {
		t.Errorf("pauses %v ms, want %v", got, want)
	}
}

func TestJitter(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 100 {
		b := Backoff{Min: time.Second, Max: time.Minute, Jitter: true}
		d := b.Next()
		if d < time.Second/2 || d >= 3*time.Second/2 {
			t.Errorf("pause %v", d)
		}
		seen[d] = true
	}
	if len(seen) < 2 {
		t.Error("all pauses are equal")
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		b := Backoff{Min: time.Second, Max: time.Second}
		if err := b.Wait(t.Context()); err != nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := Sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) ||
			time.Since(start) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
