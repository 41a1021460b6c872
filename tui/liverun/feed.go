package liverun

import (
	"sync"

	"coalmine/lab/event"
	"coalmine/lab/verdict/score"
)

// Feed carries the events of runs that are being played to the screens. Writers may use it from any
// goroutine and never block; the screens take everything that is queued at once.
type Feed struct {
	trial   *Trial
	mu      sync.Mutex
	queue   []update
	pending map[int]int // index in queue of the update that collects a run's events
	ready   chan struct{}
	closed  bool
}

// NewFeed returns an empty feed for a trial. From now on only the reader of its batches may touch
// the trial.
func NewFeed(t *Trial) *Feed {
	return &Feed{trial: t, ready: make(chan struct{}, 1), pending: map[int]int{}}
}

// Begin marks a run as being played.
func (f *Feed) Begin(run int) { f.enqueue(update{run: run, status: Playing}) }

// Event adds an event to a run.
func (f *Feed) Event(run int, e event.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	if at, ok := f.pending[run]; ok {
		f.queue[at].events = append(f.queue[at].events, e)
		return
	}
	f.pending[run] = len(f.queue)
	f.append(update{run: run, events: []event.Event{e}})
}

// End marks the end of a run's log. A problem of "" means that it is complete.
func (f *Feed) End(run int, problem string) {
	status := Complete
	if problem != "" {
		status = Failed
	}
	f.enqueue(update{run: run, status: status, problem: problem})
}

// Check says how many check seeds of how many have been played.
func (f *Feed) Check(done, of int) { f.enqueue(update{checked: done, checkSeeds: of}) }

// Close ends the feed. If card is nil, problem says why there is none.
func (f *Feed) Close(card *score.Card, problem string) {
	f.enqueue(update{card: card, problem: problem, done: true})
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
}

func (f *Feed) enqueue(n update) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.append(n)
}

func (f *Feed) append(n update) {
	f.queue = append(f.queue, n)
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

// Batch is what a feed received since the last one. The window applies it once, then sends it to
// all screens.
type Batch struct {
	Feed  *Feed
	Trial *Trial
	// Last is set on the feed's final batch.
	Last    bool
	updates []update
}

// Apply adds the updates to the trial.
func (b Batch) Apply() {
	for _, n := range b.updates {
		n.apply(b.Trial)
	}
}

// Next blocks until there is something to read, and takes all of it. A feed may have one reader
// only: see [screen.Follow]. Next blocks for ever when it is called after the Last batch.
func (f *Feed) Next() Batch {
	<-f.ready
	f.mu.Lock()
	defer f.mu.Unlock()
	b := Batch{Feed: f, Trial: f.trial, updates: f.queue}
	f.queue = nil
	clear(f.pending)
	if n := len(b.updates); n > 0 {
		b.Last = b.updates[n-1].done
	}
	return b
}
