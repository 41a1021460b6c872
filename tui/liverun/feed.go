package liverun

import (
	"sync"

	"coalmine/lab/event"
	"coalmine/lab/verdict/score"
)

// Feed carries what is being played to the screens. Those who play write to it from any goroutine and never wait; the screens
// take everything that is there at once.
type Feed struct {
	trial   *Trial
	mu      sync.Mutex
	queue   []update
	pending map[int]int // the place in the queue where a run's events gather
	ready   chan struct{}
	closed  bool
}

// NewFeed returns an empty feed into a trial. From now on only those who take its batches may touch the trial.
func NewFeed(t *Trial) *Feed {
	return &Feed{trial: t, ready: make(chan struct{}, 1), pending: map[int]int{}}
}

// Begin says that a run is being played.
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

// End says that a run's log has ended; problem is "" when it is whole.
func (f *Feed) End(run int, problem string) {
	status := Complete
	if problem != "" {
		status = Failed
	}
	f.enqueue(update{run: run, status: status, problem: problem})
}

// Close says that nothing more will come. The card is nil when there is none, and then the problem says why.
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

// Batch is what came over a feed since the last one. The window applies it, once, and then tells all screens.
type Batch struct {
	Feed  *Feed
	Trial *Trial
	// Last is set when nothing more will come.
	Last    bool
	updates []update
}

// Apply adds the news to the trial.
func (b Batch) Apply() {
	for _, n := range b.updates {
		n.apply(b.Trial)
	}
}

// Next waits until something is there and takes all of it. Only one may follow a feed: see [screen.Follow]. After a Last batch it must not be called again: it would wait for ever.
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
