package kind

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"coalmine/lab/event"
)

// reorderDelay is how long facts wait for earlier ones: traffic counts are merged from several
// pods, and watches lag.
const reorderDelay = 2 * time.Second

// reorderBuffer puts facts into chronological order. They may arrive from any goroutine, late and
// out of order, and wait until they are drained; those that arrive even later are recorded at the
// time of the newest.
type reorderBuffer struct {
	rec *event.Recorder

	mu     sync.Mutex
	held   []heldFact
	closed bool
}

type heldFact struct {
	at     time.Duration
	source string
	fact   event.Fact
}

// add adds a fact. What happened before the start of the run is recorded at its start.
func (o *reorderBuffer) add(at time.Duration, source string, f event.Fact) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.held = append(o.held, heldFact{max(at, 0), source, f})
	}
}

// drain records the facts up to a time. Only one goroutine may drain.
func (o *reorderBuffer) drain(upTo time.Duration) {
	for _, h := range o.takeUntil(upTo) {
		o.rec.Record(h.at, h.source, h.fact)
	}
	o.rec.Flush() // readers that follow the run need not wait for the next fact
}

// takeUntil removes and returns the facts up to a time, in order of time and then of arrival.
func (o *reorderBuffer) takeUntil(upTo time.Duration) []heldFact {
	o.mu.Lock()
	defer o.mu.Unlock()
	slices.SortStableFunc(o.held, func(a, b heldFact) int { return cmp.Compare(a.at, b.at) })
	n := 0
	for n < len(o.held) && o.held[n].at <= upTo {
		n++
	}
	due := slices.Clone(o.held[:n])
	o.held = slices.Delete(o.held, 0, n)
	return due
}

// close records the facts up to a time and drops later ones.
func (o *reorderBuffer) close(upTo time.Duration) {
	o.drain(upTo)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}
