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
	errTimeout = errors.New("timed out before the response was complete")
	errStopped = errors.New("attack stopped")
)

// inflight is an attempt from its tick until its outcome has been delivered.
type inflight struct {
	item
	slot   int
	method string
	// url is the target without its fragment.
	url       string
	length    int64 // of the request body
	vegetaSeq uint64
	cancel    context.CancelCauseFunc
	body      body

	// Times are since the start of traffic. What follows is set once the request has ended.
	sent, ended time.Duration
	failure     string
	err         error
	status      uint16
	reason      string // the status with its text
	version     string
	workload    string
	hit, wrong  bool
	header      http.Header
	// isEnded, prev and next are guarded by the mutex of inflightSet.
	isEnded    bool
	prev, next *inflight
}

// inflightSet holds the attempts in flight. Each has a slot from its tick on, and is in a ring
// ordered by send time until it ends or times out.
type inflightSet struct {
	begin   time.Time
	timeout time.Duration
	offset  *dispatchOffset

	mu    sync.Mutex
	slots []*inflight
	free  []int
	// pending is the sentinel of the ring. Unless the ring is empty, alarm is set to the timeout of
	// its first element, or earlier.
	pending inflight
	alarm   *time.Timer
	// inFlight counts requests that were sent and have not ended; peak is its maximum.
	inFlight, peak int
	// ended are the requests to deliver, in order; last is when the last one ended.
	ended []*inflight
	last  time.Duration
	// grace fires when the grace period is over.
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

// acquire assigns a slot to an item. There is one slot more than workers: each worker has one item,
// and one more may have ended and not been delivered.
func (fs *inflightSet) acquire(it item) *inflight {
	f := &inflight{item: it}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.slot = fs.free[len(fs.free)-1]
	fs.free = fs.free[:len(fs.free)-1]
	fs.slots[f.slot] = f
	return f
}

// get returns the request in a slot.
func (fs *inflightSet) get(slot int) *inflight {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if slot < 0 || slot >= len(fs.slots) {
		return nil
	}
	return fs.slots[slot]
}

// markSent records that a request is sent now, and returns the context that ends at its timeout.
func (fs *inflightSet) markSent(f *inflight) context.Context {
	// A context without a parent holds no resources, so it need not be cancelled.
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

// link appends a request to a ring.
func (f *inflight) link(ring *inflight) {
	f.prev, f.next = ring.prev, ring
	f.prev.next, f.next.prev = f, f
}

// unlink removes a request from its ring, if it is in one.
func (f *inflight) unlink() {
	if f.next != nil {
		f.prev.next, f.next.prev = f.next, f.prev
		f.prev, f.next = nil, nil
	}
}

// expire cancels the requests that have timed out, and sets the alarm for the next one.
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

// abortAfter cancels all requests after a delay.
func (fs *inflightSet) abortAfter(grace time.Duration) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.grace = time.AfterFunc(grace, fs.abort)
}

// abort cancels all requests, including future ones.
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

// complete records that a request has ended now, with an error or nil. Only the first call has an
// effect.
func (fs *inflightSet) complete(f *inflight, err error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f.isEnded {
		return
	}
	// A request sent early may get its response before its intended time.
	fs.last = max(fs.last, f.sent, time.Since(fs.begin))
	f.isEnded, f.err, f.ended = true, err, fs.last
	f.unlink()
	if f.cancel != nil {
		fs.inFlight--
	}
	fs.ended = append(fs.ended, f)
}

// takeCompleted removes the requests that have ended, in the order of their ends, and frees their
// slots.
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

// close stops the timers and completes the remaining requests. There are none, unless vegeta failed
// to build a request.
func (fs *inflightSet) close() {
	for slot := range fs.slots {
		if f := fs.get(slot); f != nil {
			fs.complete(f, errors.New("vegeta made no request"))
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

// outcome fills in the outcome of a request, except for Final.
func (f *inflight) outcome(o *loadgen.Outcome) {
	*o = loadgen.Outcome{
		Arrival: f.arrival, Attempt: f.attempt, Intended: f.at, Sent: f.sent, Latency: f.ended - f.arrival.At,
		Status: f.status, Failure: f.failure, Version: f.version, Workload: f.workload, Hit: f.hit, Wrong: f.wrong, BytesIn: f.body.read,
	}
}
