package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// interrupts are the signals that end a load test.
func interrupts() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} }

// secondInterrupt returns a channel that is closed at the second interrupt. The first one ends the
// program's context; until stop is called, the third one ends the program.
func secondInterrupt() (second <-chan struct{}, stop func()) {
	signals, done, over := make(chan os.Signal, 2), make(chan struct{}), make(chan struct{})
	signal.Notify(signals, interrupts()...)
	go func() {
		for range 2 {
			select {
			case <-signals:
			case <-over:
				return
			}
		}
		signal.Stop(signals)
		close(done)
	}()
	return done, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(over)
	})
}

// interruptible calls f, which may wait for the writer of a pipe, and returns early if ctx ends.
func interruptible[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
