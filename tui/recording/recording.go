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
	"coalmine/lab/verdict/narrative"
	"coalmine/lab/verdict/series"
	"coalmine/lab/verdict/timeline"
)

// snapshotInterval is how many events lie between two states that are kept.
const snapshotInterval = 256

// Recording is the events of one run, as far as they have come.
type Recording struct {
	events      []event.Event
	snapshots   []State // kept[i] is the state after i·every events
	now         State   // after all events
	tl          *timeline.Timeline
	series      *series.Series
	derived     *derived
	pointsCache map[pointsKey][]series.Point
	// trafficEvents are the indices of the events that are seconds of traffic.
	trafficEvents []int
}

// derived is what is made of all events at once, when it is asked for.
type derived struct {
	narrative []narrative.Entry
	markers   []series.Marker
	lines     []series.Line
}

// pointsKey names what was asked of the series.
type pointsKey struct {
	series.Selection
	from, to time.Duration
	n        int
}

// maxCachedPoints bounds how many answers of the series are remembered: a deck shows a few lines at a time.
const maxCachedPoints = 64

// New returns a recording without events.
func New() *Recording {
	return &Recording{snapshots: []State{{}}, tl: new(timeline.Timeline), series: series.New()}
}

// FromEvents returns the recording of whole events.
func FromEvents(events []event.Event) *Recording {
	r := New()
	r.Append(events...)
	return r
}

// Append adds events in log order.
func (r *Recording) Append(events ...event.Event) {
	r.events = slices.Grow(r.events, len(events))
	for _, e := range events {
		r.append(e)
	}
}

func (r *Recording) append(e event.Event) {
	_, traffic := e.Fact.(event.Traffic)
	if traffic {
		r.trafficEvents = append(r.trafficEvents, len(r.events))
	}
	r.events = append(r.events, e)
	if r.now.End == nil {
		r.fold(e, traffic)
	}
	if len(r.events)%snapshotInterval == 0 {
		r.snapshots = append(r.snapshots, r.now.clone())
	}
}

// fold takes an event into everything that is made of them. What was told is forgotten only where it may have changed: a
// second of traffic mostly changes no words, and other facts no numbers.
func (r *Recording) fold(e event.Event, traffic bool) {
	before := trafficMarks(r.tl)
	r.now.Fold(e)
	r.tl.Fold(e)
	r.series.Fold(e)
	if traffic {
		clear(r.pointsCache)
	}
	if !traffic || trafficMarks(r.tl) != before {
		r.derived = nil
	}
}

// trafficMarks are the moments of a timeline that traffic can bring.
func trafficMarks(t *timeline.Timeline) [5]timeline.Moment {
	all := [...]timeline.Moment{t.FirstBad, t.FirstCanary, t.Detected, t.Refusal, {}}
	if t.Abort.Happened() { // until then it is not told who was hurt last
		all[4] = t.LastBad
	}
	return all
}

// Events are all events so far. They are the recording's own.
func (r *Recording) Events() []event.Event { return r.events }

// Timeline is what happened so far. It is the recording's own.
func (r *Recording) Timeline() *timeline.Timeline { return r.tl }

// Series is the traffic so far. It is the recording's own.
func (r *Recording) Series() *series.Series { return r.series }

// Points is [series.Series.Points]. Answers are remembered until more events come, for charts ask the same of each picture; they
// must not be changed.
func (r *Recording) Points(sel series.Selection, from, to time.Duration, n int) []series.Point {
	asked := pointsKey{sel, from, to, n}
	if p, ok := r.pointsCache[asked]; ok {
		return p
	}
	if r.pointsCache == nil || len(r.pointsCache) >= maxCachedPoints {
		r.pointsCache = map[pointsKey][]series.Point{}
	}
	r.pointsCache[asked] = r.series.Points(sel, from, to, n)
	return r.pointsCache[asked]
}

// Narrative tells what happened so far; a state's story is the part of it up to the state's last event.
func (r *Recording) Narrative() []narrative.Entry { return r.derive().narrative }

// Markers are the moments worth a mark so far.
func (r *Recording) Markers() []series.Marker { return r.derive().markers }

// Lines are the metrics that Flagger asked for so far, with their bounds.
func (r *Recording) Lines() []series.Line { return r.derive().lines }

func (r *Recording) derive() *derived {
	if r.derived == nil {
		r.derived = &derived{narrative.Of(r.tl), series.Markers(r.tl), series.Lines(r.tl)}
	}
	return r.derived
}

// End is the time of the newest event.
func (r *Recording) End() time.Duration { return r.now.Last.At }

// Complete tells whether the run's log is closed.
func (r *Recording) Complete() bool { return r.now.End != nil }

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
	s := r.snapshots[n/snapshotInterval].clone()
	for _, e := range r.events[n/snapshotInterval*snapshotInterval : n] {
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

// Live tells whether the run goes on in real time at this moment.
func (r *Recording) Live() bool { return r.now.Run.Cluster == "kind" && !r.Complete() }

// Cohorts and Routes are those that were seen so far, sorted.
func (r *Recording) Cohorts() []string { return r.tl.Cohorts() }

// Routes are those that were asked for so far, sorted.
func (r *Recording) Routes() []string { return r.tl.RouteNames() }
