package attack

import (
	"context"
	"testing"
	"time"
)

// TestEveryRequestTimesOut sends requests while earlier ones have timed out and not completed.
func TestEveryRequestTimesOut(t *testing.T) {
	fs := newInflightSet(3, time.Millisecond)
	fs.start = time.Now()
	var all []*inflight
	for range 3 {
		f := fs.acquire(item{})
		all = append(all, f)
		ctx := fs.markSent(f)
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("a request never ends")
		}
		if err := context.Cause(ctx); err != errTimeout {
			t.Fatalf("ended for %v", err)
		}
	}
	for _, f := range all {
		fs.complete(f, errTimeout)
		fs.complete(f, nil) // does not count
	}
	fs.close()
	if list := fs.takeCompleted(nil); len(list) != 3 || list[0] != all[0] || list[0].err != errTimeout ||
		fs.gauge.Peak() != 3 || fs.gauge.InFlight() != 0 {
		t.Errorf("%d requests completed; peak %d, %d in flight", len(list), fs.gauge.Peak(), fs.gauge.InFlight())
	}
}

// TestUnsentRequests covers targets for which vegeta made no request.
func TestUnsentRequests(t *testing.T) {
	fs := newInflightSet(3, time.Hour)
	fs.start = time.Now()
	f := fs.acquire(item{})
	fs.markSent(fs.acquire(item{}))
	fs.close()
	list := fs.takeCompleted(nil)
	if len(list) != 2 || list[0] != f && list[1] != f || f.err == nil || fs.gauge.InFlight() != 0 {
		t.Errorf("%d requests completed, %d in flight", len(list), fs.gauge.InFlight())
	}
}

// TestNothingIsSentAfterAnAbort checks that requests sent after an abort are cancelled.
func TestNothingIsSentAfterAnAbort(t *testing.T) {
	fs := newInflightSet(3, time.Hour)
	fs.start = time.Now()
	before := fs.markSent(fs.acquire(item{}))
	fs.abort()
	after := fs.markSent(fs.acquire(item{}))
	if context.Cause(before) != errStopped || context.Cause(after) != errStopped {
		t.Errorf("causes %v and %v", context.Cause(before), context.Cause(after))
	}
}
