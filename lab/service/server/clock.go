package server

import (
	"context"
	"time"

	"coalmine/loadgen/pacer"
)

// Clock is what a service waits by.
type Clock interface {
	Now() time.Time
	// SleepUntil returns at a time, never before it, or when the context ends, with its cause.
	SleepUntil(ctx context.Context, until time.Time) error
}

// RealClock is the machine's. Make it with [NewClock], share it between servers, and close it after the last of them.
type RealClock struct{ *pacer.Clock }

// NewClock starts a clock that waits to the microsecond, as far as the machine lets it. The error is the operating system's.
func NewClock() (RealClock, error) {
	c, err := pacer.NewClock()
	return RealClock{c}, err
}

// Now is [time.Now].
func (RealClock) Now() time.Time { return time.Now() }
