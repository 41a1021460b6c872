// Package vclock runs a function in virtual time: in a bubble of testing/synctest, outside of
// tests. In a bubble time.Now, timers and tickers are virtual, and the time jumps to the next timer
// whenever all goroutines of the bubble are blocked.
//
// synctest is meant for tests. The Go project guarantees neither that a zero testing.T suffices nor
// that the runtime reports a deadlock by an ordinary panic. Only this package relies on that, and
// its tests fail if a new version of Go changes it.
package vclock

import (
	"errors"
	"fmt"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

// Epoch is the virtual time at which every bubble starts (documentation of testing/synctest).
var Epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// ErrDeadlock is the error when goroutines of the bubble are left behind, blocked forever.
var ErrDeadlock = errors.New("goroutines are blocked forever in virtual time")

// Run calls f in a new bubble and returns when f and every goroutine that it started have ended. A
// panic of f is returned as an error with its stack; goroutines that never end are returned as
// [ErrDeadlock]. A panic in another goroutine of the bubble ends the process.
func Run(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			// After a panic of f, goroutines that waited for it are reported too: keep both errors.
			err = errors.Join(err, fmt.Errorf("%w: %v", ErrDeadlock, r))
		}
	}()
	synctest.Test(&testing.T{}, func(*testing.T) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("panic in virtual time: %v\n%s", r, debug.Stack())
			}
		}()
		err = f()
	})
	return err
}

// WaitIdle waits until all other goroutines of the bubble are blocked, so that what the caller
// reads next does not depend on the scheduler. Only one goroutine of a bubble may call it at a
// time.
func WaitIdle() { synctest.Wait() }
