// Package pacer waits precisely. Go's own timers end in a poll whose timeout is rounded up to a
// millisecond, which is too coarse for requests to be sent, or services to respond, at a given
// microsecond. On Linux this package uses a timerfd watched by the poller like a socket
// (timerfd_create(2)); elsewhere it uses Go's timers with their precision.
package pacer

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

// Grain is the shortest wait that sleeps. A shorter one spins, because a system call and the
// wake-up take as long.
const Grain = 5 * time.Microsecond

// ErrClosed is returned by waits on a closed timer or clock.
var ErrClosed = errors.New("pacer: timer is closed")

// Timer is a timer for one waiter, which others may wake earlier. NewTimer creates a timer; Close
// frees its descriptor.
type Timer struct {
	device device

	mu sync.Mutex
	// ctx and until belong to the current wait, if there is one.
	ctx     context.Context
	until   time.Time
	waiting bool
	// wakePending is set by a WakeAt that found no waiter.
	wakePending bool
	pendingWake time.Time
	closed      bool
	armErr      error
}

// device wakes a waiter.
type device interface {
	// park returns once ready returns true. It calls ready before it blocks and after each expiry;
	// each time ready arms the device again.
	park(ready func() bool) error
	// arm sets the timer to expire after d > 0, replacing the earlier setting. It may be called
	// from any goroutine.
	arm(d time.Duration) error
	// close makes park return an error. It is called once.
	close() error
}

// NewTimer creates a timer. The error comes from the operating system, for example for too many
// open files.
func NewTimer() (*Timer, error) {
	d, err := newDevice()
	if err != nil {
		return nil, err
	}
	return &Timer{device: d}, nil
}

// Wait blocks until a time. It returns earlier, without an error, if [Timer.WakeAt] is called; with
// the context's cause if the context ends; and with [ErrClosed] if the timer is closed. Only one
// goroutine may wait at a time.
func (t *Timer) Wait(ctx context.Context, until time.Time) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	until, err := t.begin(ctx, until)
	if err != nil {
		return err
	}
	defer t.end()
	if time.Until(until) < Grain {
		spin(until)
		return nil
	}
	return t.sleep(ctx)
}

// spin waits without sleeping, but lets other goroutines run.
func spin(until time.Time) {
	for time.Now().Before(until) {
		runtime.Gosched()
	}
}

// begin applies a WakeAt from before the wait, and lets later ones find the wait.
func (t *Timer) begin(ctx context.Context, until time.Time) (time.Time, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return until, ErrClosed
	}
	if t.wakePending && t.pendingWake.Before(until) {
		until = t.pendingWake
	}
	t.ctx, t.until, t.waiting, t.wakePending = ctx, until, true, false
	return until, nil
}

func (t *Timer) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ctx, t.waiting = nil, false
}

// sleep parks the goroutine.
func (t *Timer) sleep(ctx context.Context) error {
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, t.poke)()
	}
	err := t.device.park(t.ready)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return ErrClosed
	case err != nil:
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return t.armErr
}

// ready reports whether the wait is over, and arms the device if not. The device has discarded
// earlier expiries when it calls ready, so none is lost.
func (t *Timer) ready() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := time.Until(t.until)
	if left <= 0 || t.ctx.Err() != nil || t.closed {
		return true
	}
	t.armErr = t.device.arm(left)
	return t.armErr != nil
}

// WakeAt makes the current wait, or else the next one, return at until if that is earlier than its
// own time. The zero time makes it return at once.
func (t *Timer) WakeAt(until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.waiting && (!t.wakePending || until.Before(t.pendingWake)):
		t.wakePending, t.pendingWake = true, until
	case t.waiting && until.Before(t.until):
		t.until = until
		t.arm(time.Until(until))
	}
}

// poke makes the waiter check its context.
func (t *Timer) poke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting {
		t.arm(0)
	}
}

// arm sets the device for a waiter that may be parked. It can fail only for a timer that is being
// closed, which wakes the waiter anyway.
func (t *Timer) arm(d time.Duration) { _ = t.device.arm(max(d, 1)) }

// Close ends the current wait and frees the descriptor. A second call returns [ErrClosed].
func (t *Timer) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return ErrClosed
	}
	t.closed = true
	t.mu.Unlock()
	return t.device.close()
}
