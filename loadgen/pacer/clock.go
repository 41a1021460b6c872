package pacer

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Clock lets any number of goroutines sleep on one [Timer]. Use [NewClock] to make one, and Close to end its goroutine.
type Clock struct {
	timer *Timer
	done  chan struct{}

	mu       sync.Mutex
	sleepers sleepers
	closed   bool
}

// sleeper is a goroutine that sleeps.
type sleeper struct {
	until time.Time
	// index is its index in the heap, -1 when it was woken or has left.
	index int
	// wake has room for the one word that the clock says.
	wake chan struct{}
}

// forever is longer than the clock sleeps at a time.
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
	c := &Clock{timer: t, done: make(chan struct{})}
	go c.run()
	return c
}

// Sleep blocks for a duration, never for less, unless the context ends (the error is its cause) or the clock is closed
// ([ErrClosed]).
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	return c.SleepUntil(ctx, time.Now().Add(d))
}

// SleepUntil is Sleep for a given end.
func (c *Clock) SleepUntil(ctx context.Context, until time.Time) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if time.Until(until) < Grain {
		spin(until)
		return nil
	}
	s := &sleeper{until: until, wake: make(chan struct{}, 1)}
	if err := c.add(s); err != nil {
		return err
	}
	select {
	case <-s.wake:
	case <-ctx.Done():
		c.remove(s)
		return context.Cause(ctx)
	}
	if time.Now().Before(until) {
		return ErrClosed
	}
	return nil
}

// add puts a sleeper on the heap. Only one that is due before all others makes the timer move.
func (c *Clock) add(s *sleeper) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	heap.Push(&c.sleepers, s)
	first := s.index == 0
	c.mu.Unlock()
	if first {
		c.timer.WakeAt(s.until)
	}
	return nil
}

func (c *Clock) remove(s *sleeper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.index >= 0 {
		heap.Remove(&c.sleepers, s.index)
	}
}

// run wakes who is due until the clock is closed.
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

// wakeDue wakes those who are due and returns when the next one is.
func (c *Clock) wakeDue(now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.sleepers) > 0 {
		s := c.sleepers[0]
		if s.until.After(now) {
			return s.until
		}
		heap.Pop(&c.sleepers)
		s.wake <- struct{}{}
	}
	return now.Add(forever)
}

// wakeAll wakes everybody at the end; they see by their clocks that it is early.
func (c *Clock) wakeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.sleepers) > 0 {
		s := heap.Pop(&c.sleepers).(*sleeper)
		s.wake <- struct{}{}
	}
}

// Close ends every sleep with [ErrClosed], waits for the clock's goroutine and frees the descriptor. The second time it
// returns [ErrClosed].
func (c *Clock) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	err := c.timer.Close()
	<-c.done
	return err
}

// sleepers is a heap by time.
type sleepers []*sleeper

func (h sleepers) Len() int           { return len(h) }
func (h sleepers) Less(i, j int) bool { return h[i].until.Before(h[j].until) }

func (h sleepers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *sleepers) Push(x any) {
	s := x.(*sleeper)
	s.index = len(*h)
	*h = append(*h, s)
}

func (h *sleepers) Pop() any {
	old := *h
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	s.index = -1
	return s
}
