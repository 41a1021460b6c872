// Package recording keeps the events of one run and tells the state of the run at any time of it. The run may still be going
// on: events are appended as they come, and a recording that grows is the same as one that is whole.
//
// It folds events into states that are kept every few hundred events, so that any time is a short fold away from one of them.
package recording

import (
	"slices"
	"sort"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/timeline"
)

// every is how many events lie between two states that are kept.
const every = 256

// Recording is the events of one run, as far as they have come.
type Recording struct {
	events []event.Event
	kept   []State // kept[i] is the state after i·every events
	now    State   // after all events
	tl     *timeline.Timeline
	// seconds are the indices of the events that are seconds of traffic.
	seconds []int
}

// New returns a recording without events.
func New() *Recording { return &Recording{kept: []State{{}}, tl: new(timeline.Timeline)} }

// Of returns the recording of whole events.
func Of(events []event.Event) *Recording {
	r := New()
	r.Append(events...)
	return r
}

// Append adds events in log order.
func (r *Recording) Append(events ...event.Event) {
	r.events = slices.Grow(r.events, len(events))
	for _, e := range events {
		if _, ok := e.Fact.(event.Traffic); ok {
			r.seconds = append(r.seconds, len(r.events))
		}
		r.events = append(r.events, e)
		r.now.Fold(e)
		r.tl.Fold(e)
		if len(r.events)%every == 0 {
			r.kept = append(r.kept, r.now.clone())
		}
	}
}

// Events are all events so far. They are the recording's own.
func (r *Recording) Events() []event.Event { return r.events }

// Timeline is what happened so far. It is the recording's own.
func (r *Recording) Timeline() *timeline.Timeline { return r.tl }

// End is the time of the newest event.
func (r *Recording) End() time.Duration { return r.now.Last.At }

// Whole tells whether the run's log is closed.
func (r *Recording) Whole() bool { return r.now.End != nil }

// Count is how many events have happened up to a time, that instant included.
func (r *Recording) Count(at time.Duration) int {
	return sort.Search(len(r.events), func(i int) bool { return r.events[i].At > at })
}

// At is the state at a time since the run's start, everything of that instant included.
func (r *Recording) At(at time.Duration) State { return r.After(r.Count(at)) }

// After is the state after the first n events.
func (r *Recording) After(n int) State {
	if n >= len(r.events) {
		return r.now.clone()
	}
	n = max(0, n)
	s := r.kept[n/every].clone()
	for _, e := range r.events[n/every*every : n] {
		s.Fold(e)
	}
	return s
}

// Time is when an event happened; not ok when it is not there.
func (r *Recording) Time(seq int) (at time.Duration, ok bool) {
	i := sort.Search(len(r.events), func(i int) bool { return r.events[i].Seq >= seq })
	if i == len(r.events) || r.events[i].Seq != seq {
		return 0, false
	}
	return r.events[i].At, true
}
