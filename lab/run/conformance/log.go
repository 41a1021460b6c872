package conformance

import (
	"iter"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/timeline"
)

// facts yields the facts of a type with their times.
func facts[F event.Fact](l *Log) iter.Seq2[time.Duration, F] {
	return func(yield func(time.Duration, F) bool) {
		for _, e := range l.Events {
			if f, ok := e.Fact.(F); ok && !yield(e.At, f) {
				return
			}
		}
	}
}

// first returns the first fact of a type for which has returns true.
func first[F event.Fact](l *Log, has func(F) bool) (at time.Duration, f F, ok bool) {
	for at, f := range facts[F](l) {
		if has(f) {
			return at, f, true
		}
	}
	return 0, f, false
}

// last returns the last fact of a type for which has returns true, up to a time.
func last[F event.Fact](l *Log, before time.Duration, has func(F) bool) (at time.Duration, f F, ok bool) {
	for at1, f1 := range facts[F](l) {
		if at1 <= before && has(f1) {
			at, f, ok = at1, f1, true
		}
	}
	return at, f, ok
}

func anything[F event.Fact](F) bool { return true }

// stage returns when a stage started.
func (l *Log) stage(name string) (time.Duration, bool) {
	at, _, ok := first(l, func(s event.Stage) bool { return s.Name == name })
	return at, ok
}

func (l *Log) end() time.Duration { return l.Timeline.Last.At }

// phase returns when the released service's canary was first in a phase.
func (l *Log) phase(name string) (time.Duration, bool) {
	at, _, ok := first(l, func(c event.Canary) bool { return c.Phase == name && c.Target == l.service() })
	return at, ok
}

func (l *Log) service() string             { return l.Spec.Scenario.Release.Service }
func (l *Log) primary() string             { return l.service() + "-primary" }
func (l *Log) released() *scenario.Service { return l.Spec.Scenario.Released() }

// cells yields the cells of the seconds within a span.
func (l *Log) cells(from, to time.Duration) iter.Seq[event.Cell] {
	return func(yield func(event.Cell) bool) {
		for _, s := range facts[event.Traffic](l) {
			if time.Duration(s.From) < from || time.Duration(s.To) > to {
				continue
			}
			for _, c := range s.Cells {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// count adds up the requests of the cells for which has returns true.
func count(cells iter.Seq[event.Cell], has func(event.Cell) bool) int {
	n := 0
	for c := range cells {
		if has(c) {
			n += c.N
		}
	}
	return n
}

// routeSpan is a span in which the routes of the released service did not change, without its
// blurred start and end.
type routeSpan struct {
	timeline.RouteChange
	from, to time.Duration
}

// routeSpans returns the routes of the released service with their spans, up to the decision.
func (l *Log) routeSpans() []routeSpan {
	var list []routeSpan
	for i, r := range l.Timeline.Routes {
		next := l.end()
		if i+1 < len(l.Timeline.Routes) {
			next = l.Timeline.Routes[i+1].At
		}
		f := routeSpan{r, r.At + l.Tolerance.Settle.Duration, next - l.Tolerance.Ahead.Duration}
		if f.to > f.from {
			list = append(list, f)
		}
	}
	return list
}

// deniedByMesh reports whether the mesh denied the requests of a cell, in which case no workload
// may be known.
func deniedByMesh(c event.Cell) bool { return c.Denied > 0 }
