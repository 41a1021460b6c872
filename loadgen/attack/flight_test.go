package attack

import (
	"context"
	"testing"
	"time"
)

// TestEveryFlightHasItsTime lets flights take off while others are over their time and have not landed.
func TestEveryFlightHasItsTime(t *testing.T) {
	fs := newFlights(3, time.Millisecond)
	fs.begin = time.Now()
	var all []*flight
	for range 3 {
		f := fs.board(item{})
		all = append(all, f)
		ctx := fs.depart(f)
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("a flight is in the air for ever")
		}
		if err := context.Cause(ctx); err != errTimeout {
			t.Fatalf("ended for %v", err)
		}
	}
	for _, f := range all {
		fs.land(f, errTimeout)
		fs.land(f, nil) // does not count
	}
	fs.close()
	if list := fs.arrived(nil); len(list) != 3 || list[0] != all[0] || list[0].err != errTimeout || fs.peak != 3 || fs.inAir != 0 {
		t.Errorf("%d flights landed; peak %d, %d in the air", len(list), fs.peak, fs.inAir)
	}
}

// TestFlightsThatNeverDepart are of targets that no request was made of.
func TestFlightsThatNeverDepart(t *testing.T) {
	fs := newFlights(3, time.Hour)
	fs.begin = time.Now()
	f := fs.board(item{})
	fs.depart(fs.board(item{}))
	fs.close()
	list := fs.arrived(nil)
	if len(list) != 2 || list[0] != f && list[1] != f || f.err == nil || fs.inAir != 0 {
		t.Errorf("%d flights landed, %d in the air", len(list), fs.inAir)
	}
}

// TestNothingDepartsAfterAnAbort, nor stays in the air.
func TestNothingDepartsAfterAnAbort(t *testing.T) {
	fs := newFlights(3, time.Hour)
	fs.begin = time.Now()
	before := fs.depart(fs.board(item{}))
	fs.abort()
	after := fs.depart(fs.board(item{}))
	if context.Cause(before) != errStopped || context.Cause(after) != errStopped {
		t.Errorf("causes %v and %v", context.Cause(before), context.Cause(after))
	}
}
