package server

import (
	"context"
	"time"

	"coalmine/loadgen/pacer"
)

// Clock is the clock of a service.
type Clock interface {
	Now() time.Time
	// SleepUntil waits until a time and never returns earlier, unless the context ends: then it
	// returns the cause.
	SleepUntil(ctx context.Context, until time.Time) error
}

// RealClock is the machine's clock. It is created by [NewClock], can be shared between servers, and
// must be closed after use.
type RealClock struct{ *pacer.Clock }

// NewClock returns a clock with microsecond resolution, as far as the machine supports it.
func NewClock() (RealClock, error) {
	c, err := pacer.NewClock()
	return RealClock{c}, err
}

// Now is [time.Now].
func (RealClock) Now() time.Time { return time.Now() }
