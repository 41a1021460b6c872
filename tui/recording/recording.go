// Package recording keeps the events of one run and derives the run's state at any time. The run
// may still be going on: events are appended as they arrive, and a recording that grew equals one
// that was read at once.
//
// A snapshot of the state is kept every few hundred events, so that the state at any time is a
// short fold away.
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

// snapshotInterval is the number of events between two snapshots.
const snapshotInterval = 256

// Recording is the events of one run so far.
type Recording struct {
	events      []event.Event
	snapshots   []State // snapshots[i] is the state after i·snapshotInterval events
	now         State   // after all events
	tl          *timeline.Timeline
	series      *series.Series
	derived     *derived
	pointsCache map[pointsKey][]series.Point
	// trafficEvents are the indices of the traffic events.
	trafficEvents []int
}

// derived is computed from all events at once, on demand.
type derived struct {
	narrative []narrative.Entry
	markers   []series.Marker
	lines     []series.Line
}

// pointsKey is a query of the series.
type pointsKey struct {
	series.Selection
	from, to time.Duration
	n        int
}

// maxCachedPoints bounds the cached answers of the series: a deck shows a few lines at a time.
const maxCachedPoints = 64

// New returns an empty recording.
func New() *Recording {
	return &Recording{snapshots: []State{{}}, tl: new(timeline.Timeline), series: series.New()}
}

// FromEvents returns a recording of events.
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

// fold adds an event to everything that is derived. Cached results are dropped only if they may
// have changed: a second of traffic rarely changes the narrative, and other facts never change the
// numbers.
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

// trafficMarks returns the marks of a timeline that traffic can set.
func trafficMarks(t *timeline.Timeline) [5]timeline.Moment {
	all := [...]timeline.Moment{t.FirstBad, t.FirstCanary, t.Detected, t.Refusal, {}}
	if t.Abort.Happened() { // LastBad is not told before the abort
		all[4] = t.LastBad
	}
	return all
}

// Events returns all events so far. The caller must not change them.
func (r *Recording) Events() []event.Event { return r.events }

// Timeline returns the timeline so far. The caller must not change it.
func (r *Recording) Timeline() *timeline.Timeline { return r.tl }

// Series returns the traffic so far. The caller must not change it.
func (r *Recording) Series() *series.Series { return r.series }

// Points is [series.Series.Points] with a cache that lasts until the next traffic event, since
// charts ask for the same points in every frame. The caller must not change them.
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

// Narrative returns the narrative so far; a state's narrative is its prefix up to the state's last
// event.
func (r *Recording) Narrative() []narrative.Entry { return r.derive().narrative }

// Markers returns the moments worth a mark so far.
func (r *Recording) Markers() []series.Marker { return r.derive().markers }

// Lines returns the metrics that Flagger has queried so far, with their bounds.
func (r *Recording) Lines() []series.Line { return r.derive().lines }

func (r *Recording) derive() *derived {
	if r.derived == nil {
		r.derived = &derived{narrative.Of(r.tl), series.Markers(r.tl), series.Lines(r.tl)}
	}
	return r.derived
}

// End returns the time of the newest event.
func (r *Recording) End() time.Duration { return r.now.Last.At }

// Complete reports whether the run's log is closed.
func (r *Recording) Complete() bool { return r.now.End != nil }

// Count returns the number of events up to and including a time.
func (r *Recording) Count(at time.Duration) int {
	return sort.Search(len(r.events), func(i int) bool { return r.events[i].At > at })
}

// At returns the state at a time since the run's start, including all events of that instant.
func (r *Recording) At(at time.Duration) State { return r.After(r.Count(at)) }

// After returns the state after the first n events.
func (r *Recording) After(n int) State {
	s := r.foldedAfter(n)
	s.Shares = r.tl.SharesUntil(s.Last)
	if k := len(s.Shares); k > 0 {
		s.Share = s.Shares[k-1].Percent
	}
	return s
}

func (r *Recording) foldedAfter(n int) State {
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

// Time returns when an event happened; ok is false if there is no such event.
func (r *Recording) Time(seq int) (at time.Duration, ok bool) {
	i := sort.Search(len(r.events), func(i int) bool { return r.events[i].Seq >= seq })
	if i == len(r.events) || r.events[i].Seq != seq {
		return 0, false
	}
	return r.events[i].At, true
}

// Live reports whether the run is going on in real time.
func (r *Recording) Live() bool { return r.now.Run.Cluster == "kind" && !r.Complete() }

// Cohorts returns the cohorts seen so far, sorted.
func (r *Recording) Cohorts() []string { return r.tl.Cohorts() }

// Routes returns the routes requested so far, sorted.
func (r *Recording) Routes() []string { return r.tl.RouteNames() }
