// Package vclock runs a function in a testing/synctest bubble outside of tests: there time.Now, timers and tickers are
// virtual, and time jumps to the next timer whenever every goroutine of the bubble waits.
//
// synctest is meant for tests. That a zero testing.T suffices, and that the runtime's deadlock report is an ordinary panic,
// is not promised by the Go project; this package is the only place that relies on it, and its tests fail loudly if a new Go
// breaks it. The package knows nothing of what runs in the bubble.
package vclock

import (
	"errors"
	"fmt"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

// Epoch is the virtual time at which every bubble begins (documentation of testing/synctest).
var Epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// ErrDeadlock says that goroutines of the bubble were left behind, waiting for something that cannot come.
var ErrDeadlock = errors.New("goroutines were left waiting in the bubble")

// Run calls f in a new bubble and returns when f and every goroutine that it started have ended. A panic of f comes back as
// an error with its stack; goroutines that never end come back as [ErrDeadlock]. A panic in another goroutine of the bubble
// ends the process, as everywhere in Go.
func Run(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			// After a panic of f the goroutines that waited for it are reported too: keep both.
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

// WaitIdle waits until every other goroutine of the bubble waits: what is read then does not depend on the scheduler. Only one
// goroutine of a bubble may settle at a time.
func WaitIdle() { synctest.Wait() }
