package attack

import (
	"context"
	"sync"
	"time"

	"coalmine/loadgen"
	"coalmine/loadgen/heap"
	"coalmine/loadgen/pacer"
)

// item is an attempt that is to be sent.
type item struct {
	arrival loadgen.Arrival
	attempt int
	// at is when, since the begin of traffic.
	at time.Duration
}

// schedule is what is to be sent: the plan's arrivals, and the retries that their answers ask for. It is a vegeta.Pacer, each of
// whose ticks stands for an item that is due, which the worker that gets the tick then takes.
type schedule struct {
	curve loadgen.Curve
	timer *pacer.Timer
	begin time.Time
	// offset is how much earlier than due items get their tick.
	offset *dispatchOffset

	mu      sync.Mutex
	cursor  *loadgen.Cursor
	retries *loadgen.Retries
	// retryQueue holds the retries that are not due, ready the items that have a tick.
	retryQueue heap.Heap[item]
	ready      []item
	// undelivered counts the items from their tick until their end was told.
	undelivered int
	stopped     bool
	timerErr    error
}

func newSchedule(p *loadgen.Plan, s loadgen.Shard, t *pacer.Timer) *schedule {
	return &schedule{curve: p.Workload().Rate, timer: t, offset: &dispatchOffset{}, cursor: p.Share(s), retries: loadgen.NewShardRetries(p, s)}
}

// Pace blocks until something is due, and stops the attack when nothing can come any more.
func (s *schedule) Pace(time.Duration, uint64) (time.Duration, bool) {
	for {
		until, promised, over := s.release()
		if promised || over {
			return 0, over
		}
		if err := s.timer.Wait(context.Background(), until); err != nil {
			s.abort(err)
		}
	}
}

// Rate is the plan's.
func (s *schedule) Rate(elapsed time.Duration) float64 { return s.curve.At(elapsed) }

// release makes the first item ready if it is due. If it is not, it says when it will be.
func (s *schedule) release() (until time.Time, promised, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return until, false, true
	}
	at, any := s.first()
	switch {
	case !any && s.undelivered == 0:
		return until, false, true
	case !any:
		// An answer may yet ask for a retry; its end hastens the timer.
		return time.Now().Add(time.Hour), false, false
	}
	if at -= s.offset.get(); at > time.Since(s.begin) {
		return s.begin.Add(at), false, false
	}
	s.ready = append(s.ready, s.pop())
	s.undelivered++
	return until, true, false
}

// first is when the first item is due, false for none.
func (s *schedule) first() (at time.Duration, any bool) {
	a, any := s.cursor.Peek()
	if s.retryQueue.Len() > 0 && (!any || s.retryQueue.First().At < a.At) {
		return s.retryQueue.First().At, true
	}
	return a.At, any
}

// pop removes the first item; there is one.
func (s *schedule) pop() item {
	a, any := s.cursor.Peek()
	if s.retryQueue.Len() > 0 && (!any || s.retryQueue.First().At < a.At) {
		return s.retryQueue.Pop().Value
	}
	s.cursor.Next()
	return item{arrival: a, at: a.At}
}

// take hands out the item of a tick; false after a stop, which keeps it.
func (s *schedule) take() (item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return item{}, false
	}
	it := s.ready[0]
	s.ready = s.ready[:copy(s.ready, s.ready[1:])]
	if it.attempt == 0 {
		s.retries.RecordFirst(it.arrival, time.Since(s.begin))
	}
	return it, true
}

// end notes that an attempt has ended with a status, and tells whether there will be another.
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
		s.timer.WakeAt(s.begin.Add(s.retryQueue.First().At - s.offset.get()))
		return true
	}
	if _, any := s.first(); !any && s.undelivered == 0 {
		s.timer.WakeAt(time.Time{})
	}
	return false
}

// stop lets nothing more be sent.
func (s *schedule) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.timer.WakeAt(time.Time{})
}

// abort is a stop for an error of the timer.
func (s *schedule) abort(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped, s.timerErr = true, err
}

// takeAbandoned returns the retries that a stop left over, and forgets them.
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

// maxUnsent bounds the time that counting takes: a second or two.
const maxUnsent = 20_000_000

// unsent counts the arrivals that a stop left over, walking over what is left of the plan.
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
