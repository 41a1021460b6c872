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
	detail      string
	err         error
	status      uint16
	reason      string // the status with its text
	version     string
	workload    string
	hit, wrong  bool
	byMesh      bool
	header      http.Header
	// isEnded, prev and next are guarded by the mutex of inflightSet.
	isEnded    bool
	prev, next *inflight
}

// inflightSet holds the attempts in flight. Each has a slot from its tick on, and is in a ring
// ordered by send time until it ends or times out.
type inflightSet struct {
	start   time.Time
	timeout time.Duration
	// workers is the maximum number of requests in flight.
	workers int
	offset  *dispatchOffset

	mu    sync.Mutex
	slots []*inflight
	free  []int
	// pending is the sentinel of the ring. Unless the ring is empty, alarm is set to the timeout of
	// its first element, or earlier.
	pending inflight
	alarm   *time.Timer
	gauge   *Gauge
	// ended are the requests to deliver, in order; last is when the last one ended.
	ended []*inflight
	last  time.Duration
	// grace fires when the grace period is over.
	grace   *time.Timer
	stopped bool
}

func newInflightSet(workers int, timeout time.Duration) *inflightSet {
	f := &inflightSet{timeout: timeout, workers: workers, offset: &dispatchOffset{}, gauge: &Gauge{}}
	f.pending.prev, f.pending.next = &f.pending, &f.pending
	return f
}

// acquire assigns a slot to an item. There are as many slots as were ever needed at once, at most
// one more than workers: each worker has one item, and one more may have ended and not been
// delivered.
func (s *inflightSet) acquire(it item) *inflight {
	f := &inflight{item: it}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) == 0 {
		s.free = append(s.free, len(s.slots))
		s.slots = append(s.slots, nil)
	}
	f.slot = s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	s.slots[f.slot] = f
	return f
}

// get returns the request in a slot, or nil.
func (s *inflightSet) get(slot int) *inflight {
	f, _ := s.at(slot)
	return f
}

// at returns the request in a slot, which may be nil, or false if there is no such slot.
func (s *inflightSet) at(slot int) (*inflight, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot < 0 || slot >= len(s.slots) {
		return nil, false
	}
	return s.slots[slot], true
}

// markSent records that a request is sent now, and returns the context that ends at its timeout.
func (s *inflightSet) markSent(r *inflight) context.Context {
	// A context without a parent holds no resources, so it need not be cancelled.
	ctx, cancel := context.WithCancelCause(context.Background())
	r.cancel = cancel
	s.mu.Lock()
	defer s.mu.Unlock()
	r.sent = s.offset.markDispatched(r.at, time.Since(s.start))
	s.gauge.start()
	if s.stopped {
		cancel(errStopped)
		return ctx
	}
	switch {
	case s.alarm == nil:
		s.alarm = time.AfterFunc(s.timeout, s.expire)
	case s.pending.next == &s.pending:
		s.alarm.Reset(s.timeout)
	}
	r.link(&s.pending)
	return ctx
}

// link appends a request to a ring.
func (r *inflight) link(ring *inflight) {
	r.prev, r.next = ring.prev, ring
	r.prev.next, r.next.prev = r, r
}

// unlink removes a request from its ring, if it is in one.
func (r *inflight) unlink() {
	if r.next != nil {
		r.prev.next, r.next.prev = r.next, r.prev
		r.prev, r.next = nil, nil
	}
}

// expire cancels the requests that have timed out, and sets the alarm for the next one.
func (s *inflightSet) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for now := time.Since(s.start); s.pending.next != &s.pending; {
		f := s.pending.next
		if left := f.sent + s.timeout - now; left > 0 {
			s.alarm.Reset(left)
			return
		}
		f.unlink()
		f.cancel(errTimeout)
	}
}

// abortAfter cancels all requests after a delay.
func (s *inflightSet) abortAfter(grace time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grace = time.AfterFunc(grace, s.abort)
}

// abort cancels all requests, including future ones.
func (s *inflightSet) abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for s.pending.next != &s.pending {
		f := s.pending.next
		f.unlink()
		f.cancel(errStopped)
	}
}

// complete records that a request has ended now, with an error or nil. Only the first call has an
// effect.
func (s *inflightSet) complete(r *inflight, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.isEnded {
		return
	}
	// A request sent early may get its response before its intended time.
	s.last = max(s.last, r.sent, time.Since(s.start))
	r.isEnded, r.err, r.ended = true, err, s.last
	r.unlink()
	if r.cancel != nil {
		s.gauge.inFlight.Add(-1)
	}
	s.ended = append(s.ended, r)
}

// takeCompleted removes the requests that have ended, in the order of their ends, and frees their
// slots.
func (s *inflightSet) takeCompleted(list []*inflight) []*inflight {
	s.mu.Lock()
	defer s.mu.Unlock()
	list = append(list[:0], s.ended...)
	clear(s.ended)
	s.ended = s.ended[:0]
	for _, f := range list {
		s.slots[f.slot] = nil
		s.free = append(s.free, f.slot)
	}
	return list
}

// close stops the timers and completes the remaining requests. There are none, unless vegeta failed
// to build a request.
func (s *inflightSet) close() {
	for slot := 0; ; slot++ {
		f, ok := s.at(slot)
		if !ok {
			break
		}
		if f != nil {
			s.complete(f, errors.New("vegeta made no request"))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range []*time.Timer{s.alarm, s.grace} {
		if t != nil {
			t.Stop()
		}
	}
}

// outcome fills in the outcome of a request, except for Final.
func (r *inflight) outcome(o *loadgen.Outcome) {
	*o = loadgen.Outcome{
		Arrival: r.arrival, Attempt: r.attempt, Intended: r.at, Sent: r.sent, Latency: r.ended - r.arrival.At,
		Status: r.status, Failure: r.failure, Detail: r.detail, Version: r.version, Workload: r.workload,
		Hit: r.hit, Wrong: r.wrong, ByMesh: r.byMesh, BytesIn: r.body.read,
	}
}
