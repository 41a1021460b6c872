package pacer

import (
	"context"
	"sync"
	"time"

	"coalmine/loadgen/heap"
)

// Clock lets any number of goroutines sleep on one [Timer]. NewClock creates a clock; Close ends
// its goroutine.
type Clock struct {
	timer *Timer
	start time.Time
	done  chan struct{}

	mu sync.Mutex
	// sleepers are the channels of sleeping goroutines, by wake-up time since start. Each channel
	// has room for the one value that the clock sends.
	sleepers heap.Heap[chan struct{}]
	closed   bool
}

// forever is longer than any sleep of the clock's goroutine.
const forever = time.Hour

// NewClock starts a clock. The error is that of [NewTimer].
func NewClock() (*Clock, error) {
	t, err := NewTimer()
	if err != nil {
		return nil, err
	}
	return startClock(t), nil
}

func startClock(t *Timer) *Clock {
	c := &Clock{timer: t, start: time.Now(), done: make(chan struct{})}
	go c.run()
	return c
}

// Sleep blocks for at least d. It returns early if the context ends, with its cause, or if the
// clock is closed, with [ErrClosed].
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	return c.SleepUntil(ctx, time.Now().Add(d))
}

// SleepUntil is like Sleep, but takes the time at which to wake up.
func (c *Clock) SleepUntil(ctx context.Context, until time.Time) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if time.Until(until) < Grain {
		spin(until)
		return nil
	}
	wake, err := c.add(until)
	if err != nil {
		return err
	}
	select {
	case <-wake:
	case <-ctx.Done():
		c.remove(wake)
		return context.Cause(ctx)
	}
	if time.Now().Before(until) {
		return ErrClosed
	}
	return nil
}

// add adds a sleeper and returns its channel. It resets the timer only for a sleeper that is due
// first.
func (c *Clock) add(until time.Time) (wake chan struct{}, err error) {
	wake = make(chan struct{}, 1)
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	c.sleepers.Push(until.Sub(c.start), 0, wake)
	first := c.sleepers.First().Value == wake
	c.mu.Unlock()
	if first {
		c.timer.WakeAt(until)
	}
	return wake, nil
}

// remove removes a sleeper unless it was woken.
func (c *Clock) remove(wake chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sleepers.RemoveFunc(func(ch chan struct{}) bool { return ch == wake })
}

// run wakes the sleepers that are due until the clock is closed.
func (c *Clock) run() {
	defer close(c.done)
	for {
		next := c.wakeDue(time.Now())
		if err := c.timer.Wait(context.Background(), next); err != nil {
			c.wakeAll()
			return
		}
	}
}

// wakeDue wakes the sleepers that are due and returns when the next one is.
func (c *Clock) wakeDue(now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.sleepers.Len() > 0 {
		if until := c.start.Add(c.sleepers.First().At); until.After(now) {
			return until
		}
		c.sleepers.Pop().Value <- struct{}{}
	}
	return now.Add(forever)
}

// wakeAll wakes all sleepers when the clock is closed. They find that it is too early and return
// ErrClosed.
func (c *Clock) wakeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.sleepers.Len() > 0 {
		c.sleepers.Pop().Value <- struct{}{}
	}
}

// Close ends every sleep with [ErrClosed], waits for the clock's goroutine and frees the
// descriptor. A second call returns [ErrClosed].
func (c *Clock) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	err := c.timer.Close()
	<-c.done
	return err
}
