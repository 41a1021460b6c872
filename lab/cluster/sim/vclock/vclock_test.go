package vclock_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"coalmine/lab/cluster/sim/vclock"
)

func TestTimeIsVirtual(t *testing.T) {
	var passed time.Duration
	var began time.Time
	err := vclock.Run(func() error {
		began = time.Now()
		time.Sleep(1000 * time.Hour)
		passed = time.Since(began)
		return nil
	})
	if err != nil {
		t.Fatalf("this version of Go runs no bubble outside tests: %v", err)
	}
	if passed != 1000*time.Hour {
		t.Errorf("slept 1000 h, %v passed", passed)
	}
	if !began.Equal(vclock.Epoch) {
		t.Errorf("the bubble started at %v, want %v", began, vclock.Epoch)
	}
}

func TestRunReturnsErrorsAndPanics(t *testing.T) {
	want := errors.New("mine")
	if err := vclock.Run(func() error { return want }); !errors.Is(err, want) {
		t.Errorf("error: got %v", err)
	}
	err := vclock.Run(func() error { panic("boom") })
	if err == nil || !strings.Contains(err.Error(), "boom") || !strings.Contains(err.Error(), "vclock_test.go") {
		t.Errorf("panic: got %v, want its text and stack", err)
	}
}

func TestBlockedGoroutineIsReported(t *testing.T) {
	err := vclock.Run(func() error {
		inside := make(chan struct{})
		go func() { <-inside }()
		return nil
	})
	if !errors.Is(err, vclock.ErrDeadlock) {
		t.Errorf("got %v, want ErrDeadlock", err)
	}
}

func TestPanicWithWaitersKeepsBoth(t *testing.T) {
	err := vclock.Run(func() error {
		inside := make(chan struct{})
		go func() { <-inside }()
		panic("boom")
	})
	if !errors.Is(err, vclock.ErrDeadlock) || !strings.Contains(err.Error(), "boom") {
		t.Errorf("got %v, want the panic and the deadlock", err)
	}
}

func TestWaitIdleWaitsForOthers(t *testing.T) {
	err := vclock.Run(func() error {
		done := false
		go func() {
			for range 1000 {
				done = false
			}
			done = true
		}()
		vclock.WaitIdle()
		if !done {
			return errors.New("WaitIdle returned before the other goroutine was done")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
