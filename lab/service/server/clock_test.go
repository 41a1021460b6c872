package server_test

import (
	"context"
	"sync"
	"testing"
	"time"
)

// handClock is a clock that a test advances.
type handClock struct {
	t  testing.TB
	mu sync.Mutex
	// moved is closed and replaced with each change.
	moved    chan struct{}
	now      time.Time
	sleepers int
	// instant is true if SleepUntil returns at once.
	instant bool
}

func newHandClock(t testing.TB) *handClock {
	return &handClock{t: t, moved: make(chan struct{}), now: time.Unix(1_700_000_000, 0)}
}

func newInstantClock(t testing.TB) *handClock {
	c := newHandClock(t)
	c.instant = true
	return c
}

func (c *handClock) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.moved)
	c.moved = make(chan struct{})
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// advance advances the time and wakes sleepers that are due.
func (c *handClock) advance(d time.Duration) { c.change(func() { c.now = c.now.Add(d) }) }

// release makes the clock instant.
func (c *handClock) release() { c.change(func() { c.instant = true }) }

// look reports whether a time has come, or returns a channel to wait for.
func (c *handClock) look(until time.Time) (bool, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.instant || !c.now.Before(until), c.moved
}

func (c *handClock) SleepUntil(ctx context.Context, until time.Time) error {
	come, moved := c.look(until)
	if come || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c.change(func() { c.sleepers++ })
	defer c.change(func() { c.sleepers-- })
	for !come {
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		come, moved = c.look(until)
	}
	return nil
}

// await waits until the given number of goroutines sleep.
func (c *handClock) await(sleepers int) {
	c.t.Helper()
	deadline := time.After(time.Minute) // of a test that has failed
	for {
		c.mu.Lock()
		n, moved := c.sleepers, c.moved
		c.mu.Unlock()
		if n == sleepers {
			return
		}
		select {
		case <-moved:
		case <-deadline:
			c.t.Fatalf("%d goroutines sleep, want %d", n, sleepers)
		}
	}
}
