// Package pacer waits precisely. Go's own timers end in a poll whose timeout is rounded up to a millisecond, which is too coarse
// for requests that are to leave, or services that are to answer, at a given microsecond. On Linux waits here end with a timerfd
// that the poller watches as it does a socket (timerfd_create(2)); elsewhere they are Go's timers, with what those can do. The
// package knows nothing of what is waited for.
package pacer

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

// Grain is the shortest wait that sleeps. A shorter one spins: a system call and what it takes to be woken need as long.
const Grain = 5 * time.Microsecond

// ErrClosed is what waits of a closed timer or clock end with.
var ErrClosed = errors.New("pace: the timer is closed")

// Timer is a timer for one waiter, which others may hurry. Use [NewTimer] to make one and Close to give its descriptor back.
type Timer struct {
	device device

	mu sync.Mutex
	// ctx and until are those of the wait under way, if there is one.
	ctx     context.Context
	until   time.Time
	waiting bool
	// wakePending is set by a hastening that found nobody waiting.
	wakePending bool
	pendingWake time.Time
	closed      bool
	armErr      error
}

// device is what wakes a waiter.
type device interface {
	// park returns when ready holds. It asks before it blocks and after each alarm; each time ready sets the alarm anew.
	park(ready func() bool) error
	// arm sets the alarm off after d, which is over 0, instead of when it was set to. It may be called by any goroutine.
	arm(d time.Duration) error
	// close makes park return with an error. It is called once.
	close() error
}

// NewTimer makes a timer. The error is that of the operating system, as for too many open files.
func NewTimer() (*Timer, error) {
	d, err := newDevice()
	if err != nil {
		return nil, err
	}
	return &Timer{device: d}, nil
}

// Wait blocks until a time. It ends earlier for three reasons: somebody calls [Timer.Hasten], so that who does so has waiters
// look at the clock; the context ends, whose cause is the error then; or the timer is closed ([ErrClosed]). Only one goroutine may
// wait at a time.
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

// spin waits without sleeping. Others that have something to do may do it.
func spin(until time.Time) {
	for time.Now().Before(until) {
		runtime.Gosched()
	}
}

// begin takes account of a hastening before the wait, and lets later ones find it.
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

// ready tells whether the wait is over, and sets the alarm if not. The device has forgotten earlier alarms when it asks, so
// that this one cannot be lost.
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

// WakeAt lets the wait under way, or else the next one, return at a time if that is earlier than its own. With the zero time it
// returns at once.
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

// poke makes the waiter look at its context.
func (t *Timer) poke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting {
		t.arm(0)
	}
}

// arm sets the alarm of a waiter that may be parked. It cannot fail but for a timer that is being closed, whose waiter is woken
// by that.
func (t *Timer) arm(d time.Duration) { _ = t.device.arm(max(d, 1)) }

// Close ends a wait under way and frees the descriptor. The second time it returns [ErrClosed].
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
