package attack

import (
	"context"
	"sync"
	"time"

	"coalmine/loadgen"
	"coalmine/loadgen/heap"
	"coalmine/loadgen/pacer"
)

// item is an attempt to be sent.
type item struct {
	arrival loadgen.Arrival
	attempt int
	// at is the intended send time since the start of traffic.
	at time.Duration
}

// schedule decides what to send next: the plan's arrivals, and the retries that outcomes cause. It
// is a vegeta.Pacer. Each of its ticks stands for an item that is due, which the worker that
// receives the tick then takes.
type schedule struct {
	curve loadgen.Curve
	timer *pacer.Timer
	start time.Time
	// offset is how much earlier than due items are released.
	offset *dispatchOffset

	mu      sync.Mutex
	cursor  *loadgen.Cursor
	retries *loadgen.Retries
	// retryQueue holds the retries that are not yet due, ready the items that have a tick.
	retryQueue heap.Heap[item]
	ready      []item
	// undelivered counts the items from their tick until their outcome was delivered.
	undelivered int
	stopped     bool
	timerErr    error
}

func newSchedule(p *loadgen.Plan, s loadgen.Shard, t *pacer.Timer) *schedule {
	return &schedule{curve: p.Workload().Rate, timer: t, offset: &dispatchOffset{}, cursor: p.Share(s),
		retries: loadgen.NewRetries(p, s)}
}

// Pace blocks until something is due, and stops the attack when nothing can follow.
func (s *schedule) Pace(time.Duration, uint64) (time.Duration, bool) {
	for {
		until, released, over := s.release()
		if released || over {
			return 0, over
		}
		if err := s.timer.Wait(context.Background(), until); err != nil {
			s.abort(err)
		}
	}
}

// Rate returns the rate of the plan.
func (s *schedule) Rate(elapsed time.Duration) float64 { return s.curve.At(elapsed) }

// release moves the first item to ready if it is due. Otherwise it returns when it will be.
func (s *schedule) release() (until time.Time, released, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return until, false, true
	}
	at, ok := s.first()
	switch {
	case !ok && s.undelivered == 0:
		return until, false, true
	case !ok:
		// An outcome may still cause a retry; end then wakes the timer.
		return time.Now().Add(time.Hour), false, false
	}
	if at -= s.offset.get(); at > time.Since(s.start) {
		return s.start.Add(at), false, false
	}
	s.ready = append(s.ready, s.pop())
	s.undelivered++
	return until, true, false
}

// first returns when the first item is due, or false if there is none.
func (s *schedule) first() (at time.Duration, ok bool) {
	a, ok := s.cursor.Peek()
	if s.retryQueue.Len() > 0 && (!ok || s.retryQueue.First().At < a.At) {
		return s.retryQueue.First().At, true
	}
	return a.At, ok
}

// pop removes the first item, which must exist.
func (s *schedule) pop() item {
	a, ok := s.cursor.Peek()
	if s.retryQueue.Len() > 0 && (!ok || s.retryQueue.First().At < a.At) {
		return s.retryQueue.Pop().Value
	}
	s.cursor.Next()
	return item{arrival: a, at: a.At}
}

// take returns the item of a tick, or false after a stop.
func (s *schedule) take() (item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return item{}, false
	}
	it := s.ready[0]
	s.ready = s.ready[:copy(s.ready, s.ready[1:])]
	if it.attempt == 0 {
		s.retries.RecordFirst(it.arrival, time.Since(s.start))
	}
	return it, true
}

// end records that an attempt has ended with a status, and reports whether it will be retried.
func (s *schedule) end(it item, status uint16, at time.Duration) (again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.undelivered--
	if s.stopped {
		return false
	}
	next := item{arrival: it.arrival, attempt: it.attempt + 1}
	if next.at, again = s.retries.ShouldRetry(it.arrival, it.attempt, status, at); again {
		s.retryQueue.Push(next.at, next.arrival.Seq, next)
		s.timer.WakeAt(s.start.Add(s.retryQueue.First().At - s.offset.get()))
		return true
	}
	if _, ok := s.first(); !ok && s.undelivered == 0 {
		s.timer.WakeAt(time.Time{})
	}
	return false
}

// stop makes the schedule send nothing more.
func (s *schedule) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.timer.WakeAt(time.Time{})
}

// abort stops because of an error of the timer.
func (s *schedule) abort(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped, s.timerErr = true, err
}

// takeAbandoned removes and returns the retries that a stop left.
func (s *schedule) takeAbandoned() []item {
	s.mu.Lock()
	defer s.mu.Unlock()
	var left []item
	for s.retryQueue.Len() > 0 {
		left = append(left, s.retryQueue.Pop().Value)
	}
	for _, it := range s.ready {
		if it.attempt > 0 {
			left = append(left, it)
		}
	}
	return left
}

// maxUnsent limits the time spent on counting to a second or two.
const maxUnsent = 20_000_000

// unsent counts the arrivals that a stop left by iterating over the rest of the plan.
func (s *schedule) unsent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, it := range s.ready {
		if it.attempt == 0 {
			n++
		}
	}
	for n < maxUnsent {
		if _, ok := s.cursor.Next(); !ok {
			break
		}
		n++
	}
	return n
}
