package kind

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"coalmine/lab/event"
)

// reorderDelay is how long facts wait for earlier ones: seconds of traffic are merged from several pods, and watches lag behind.
const reorderDelay = 2 * time.Second

// reorderBuffer brings facts into the order in which they happened. They may come from any goroutine, late and out of order, and wait until
// they are drained; those that come later than that are recorded at the time of the newest.
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

// add takes a fact in. What happened before the run's start stands at its start.
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
	o.rec.Flush() // whoever follows the run need not wait for the next fact
}

// takeUntil takes the facts up to a time out, by time; those of one instant keep the order in which they came.
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

// close records the facts up to a time, and takes no more.
func (o *reorderBuffer) close(upTo time.Duration) {
	o.drain(upTo)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}
