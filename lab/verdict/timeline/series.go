package timeline

import (
	"cmp"
	"iter"
	"time"

	"coalmine/lab/event"
)

// Point is one second of requests of some kind.
type Point struct {
	// From and To are times since the run's start; Seq is the second's event.
	From, To time.Duration
	Seq      int
	Counts
	// P99 is the 99th percentile of the latency; 0 without requests.
	P99 time.Duration
}

// Series returns the run second by second, for the keys that keep accepts; nil keeps all. Seconds
// without traffic are points with zero counts if the log has them, and absent if it does not.
func (t *Timeline) Series(keep func(Key) bool) []Point { return t.SeriesFrom(0, keep) }

// SeriesFrom is [Timeline.Series] without the seconds that ended at or before a time since the
// run's start.
func (t *Timeline) SeriesFrom(after time.Duration, keep func(Key) bool) []Point {
	var points []Point
	for i := range t.seconds {
		if s := &t.seconds[i]; time.Duration(s.To) > after {
			points = append(points, s.point(keep))
		}
	}
	return points
}

// Seconds returns the seconds of traffic in log order, each with its event. Callers must not change
// what it yields.
func (t *Timeline) Seconds() iter.Seq2[Moment, event.Traffic] {
	return func(yield func(Moment, event.Traffic) bool) {
		for i := range t.seconds {
			if !yield(t.seconds[i].Moment, t.seconds[i].Traffic) {
				return
			}
		}
	}
}

func (s *second) point(keep func(Key) bool) Point {
	p := Point{From: time.Duration(s.From), To: time.Duration(s.To), Seq: s.Seq}
	var latency [][]event.BucketCount
	for _, c := range s.Cells {
		if keep == nil || keep(KeyOf(c)) {
			p.Counts = p.Plus(CountsOf(c))
			latency = append(latency, c.Latency)
		}
	}
	p.P99 = event.Quantile(0.99, latency...)
	return p
}

func (k Key) compare(l Key) int {
	return cmp.Or(cmp.Compare(k.Cohort, l.Cohort), cmp.Compare(k.Route, l.Route),
		cmp.Compare(k.Workload, l.Workload), cmp.Compare(k.Version, l.Version))
}
