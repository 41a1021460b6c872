package attack

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"coalmine/loadgen"
)

// Reasons for which requests are cancelled.
var (
	errTimeout = errors.New("no complete answer in time")
	errStopped = errors.New("the attack was stopped")
)

// inflight is an attempt from its tick to the telling of its end.
type inflight struct {
	item
	slot   int
	method string
	// url ends where the fragment begins.
	url       string
	length    int64 // of the request's body
	vegetaSeq uint64
	cancel    context.CancelCauseFunc
	body      body

	// Times are since the begin of traffic. Ended flights have all of what follows.
	sent, ended time.Duration
	failure     string
	err         error
	status      uint16
	reason      string // the status in the answer's own words
	version     string
	workload    string
	hit, wrong  bool
	header      http.Header
	// isEnded is guarded by the lock of flights, as are the neighbours in their ring.
	isEnded    bool
	prev, next *inflight
}

// inflightSet are the attempts under way. Each has a slot from its tick on, and is in a ring by time of send while it has time left.
type inflightSet struct {
	begin   time.Time
	timeout time.Duration
	offset  *dispatchOffset

	mu    sync.Mutex
	slots []*inflight
	free  []int
	// pending is a ring around itself of those who have time left. Unless it is empty, the alarm is set to when that of the first is over,
	// or before.
	pending inflight
	alarm   *time.Timer
	// inFlight have departed and not landed.
	inFlight, peak int
	// ended wait to be told, in order; last is when the last one ended.
	ended []*inflight
	last  time.Duration
	// grace is set to when the time of all is over.
	grace   *time.Timer
	stopped bool
}

func newInflightSet(workers int, timeout time.Duration) *inflightSet {
	f := &inflightSet{timeout: timeout, offset: &dispatchOffset{}, slots: make([]*inflight, workers+1)}
	for i := range f.slots {
		f.free = append(f.free, i)
	}
	f.pending.prev, f.pending.next = &f.pending, &f.pending
	return f
}

// acquire gives an item a slot. A worker has one item at a time, and one more item may have ended and not been told of.
func (fs *inflightSet) acquire(it item) *inflight {
	f := &inflight{item: it}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.slot = fs.free[len(fs.free)-1]
	fs.free = fs.free[:len(fs.free)-1]
	fs.slots[f.slot] = f
	return f
}

// get returns the flight of a slot.
func (fs *inflightSet) get(slot int) *inflight {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if slot < 0 || slot >= len(fs.slots) {
		return nil
	}
	return fs.slots[slot]
}

// markSent notes that a flight is sent now, and returns the context that ends it when its time is over.
func (fs *inflightSet) markSent(f *inflight) context.Context {
	// A context without a parent holds nothing that would have to be given back.
	ctx, cancel := context.WithCancelCause(context.Background())
	f.cancel = cancel
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.sent = fs.offset.markDispatched(f.at, time.Since(fs.begin))
	fs.inFlight++
	fs.peak = max(fs.peak, fs.inFlight)
	if fs.stopped {
		cancel(errStopped)
		return ctx
	}
	switch {
	case fs.alarm == nil:
		fs.alarm = time.AfterFunc(fs.timeout, fs.expire)
	case fs.pending.next == &fs.pending:
		fs.alarm.Reset(fs.timeout)
	}
	f.link(&fs.pending)
	return ctx
}

// link puts a flight at the end of a ring.
func (f *inflight) link(ring *inflight) {
	f.prev, f.next = ring.prev, ring
	f.prev.next, f.next.prev = f, f
}

// unlink takes a flight out of the ring that it is in, if it is in one.
func (f *inflight) unlink() {
	if f.next != nil {
		f.prev.next, f.next.prev = f.next, f.prev
		f.prev, f.next = nil, nil
	}
}

// expire cancels the flights whose time is over, and sets the alarm for the next one.
func (fs *inflightSet) expire() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for now := time.Since(fs.begin); fs.pending.next != &fs.pending; {
		f := fs.pending.next
		if left := f.sent + fs.timeout - now; left > 0 {
			fs.alarm.Reset(left)
			return
		}
		f.unlink()
		f.cancel(errTimeout)
	}
}

// abortAfter cancels all flights in some time.
func (fs *inflightSet) abortAfter(grace time.Duration) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.grace = time.AfterFunc(grace, fs.abort)
}

// abort cancels all flights, those to come too.
func (fs *inflightSet) abort() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.stopped = true
	for fs.pending.next != &fs.pending {
		f := fs.pending.next
		f.unlink()
		f.cancel(errStopped)
	}
}

// complete notes that a flight has ended now, with an error or without. Only the first time counts.
func (fs *inflightSet) complete(f *inflight, err error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f.isEnded {
		return
	}
	// A request that was early may have its answer before its time.
	fs.last = max(fs.last, f.sent, time.Since(fs.begin))
	f.isEnded, f.err, f.ended = true, err, fs.last
	f.unlink()
	if f.cancel != nil {
		fs.inFlight--
	}
	fs.ended = append(fs.ended, f)
}

// takeCompleted removes the flights that have ended, in order of their ends, and frees their slots.
func (fs *inflightSet) takeCompleted(list []*inflight) []*inflight {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list = append(list[:0], fs.ended...)
	clear(fs.ended)
	fs.ended = fs.ended[:0]
	for _, f := range list {
		fs.slots[f.slot] = nil
		fs.free = append(fs.free, f.slot)
	}
	return list
}

// close stops the timers and ends what has not: there is nothing, unless vegeta made no request of a target.
func (fs *inflightSet) close() {
	for slot := range fs.slots {
		if f := fs.get(slot); f != nil {
			fs.complete(f, errors.New("no request was made"))
		}
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, t := range []*time.Timer{fs.alarm, fs.grace} {
		if t != nil {
			t.Stop()
		}
	}
}

// outcome fills in what became of a flight but whether it is final.
func (f *inflight) outcome(o *loadgen.Outcome) {
	*o = loadgen.Outcome{
		Arrival: f.arrival, Attempt: f.attempt, Intended: f.at, Sent: f.sent, Latency: f.ended - f.arrival.At,
		Status: f.status, Failure: f.failure, Version: f.version, Workload: f.workload, Hit: f.hit, Wrong: f.wrong, BytesIn: f.body.read,
	}
}
