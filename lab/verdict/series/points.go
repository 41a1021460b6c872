package series

import (
	"math"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/verdict/timeline"
)

// Point is a stretch of time of one selection.
type Point struct {
	// From and To are times since the run's start; the seconds counted began between them. Seq is
	// the event of the last second with traffic of any kind, or 0.
	From, To time.Duration
	Seq      int
	timeline.Counts
	// P50 and P99 are percentiles of the latency, rounded up to the end of their bucket; 0 without
	// requests.
	P50, P99 time.Duration
	// HarmSoFar counts the selection's harmed requests from the run's start to the end of the
	// stretch.
	HarmSoFar int
}

// Rate is requests per second.
func (p Point) Rate() float64 {
	if p.To <= p.From {
		return 0
	}
	return float64(p.N) / (p.To - p.From).Seconds()
}

// Good is the share of requests that were not bad, 0 to 1; NaN without requests.
func (p Point) Good() float64 { return share(p.N-p.Bad, p.N) }

// Failed is the share of errors (5xx, or no answer), 0 to 1; NaN without requests.
func (p Point) Failed() float64 { return share(p.Errors, p.N) }

func share(n, of int) float64 {
	if of == 0 {
		return math.NaN()
	}
	return float64(n) / float64(of)
}

// Points cuts the time between from and to into at most n stretches of equal length, and counts the
// selection in each. The stretches are multiples of a length that depends on n, so that they stay
// where they are while to moves on. Seconds that ended after to are left out.
func (s *Series) Points(sel Selection, from, to time.Duration, n int) []Point {
	if to = min(to, s.End()); n < 1 || to <= from {
		return nil
	}
	from = max(0, from)
	step := s.step(from, to, n)
	first := from / step
	points := make([]Point, (to-1)/step-first+1)
	for i := range points {
		points[i].From = (first + time.Duration(i)) * step
		points[i].To = points[i].From + step
	}
	s.fill(points, s.selected(sel), to)
	return points
}

// step is the shortest length of at most n stretches: a multiple of the buckets' width.
func (s *Series) step(from, to time.Duration, n int) time.Duration {
	step := s.width
	for (to-1)/step-from/step >= time.Duration(n) {
		step += s.width
	}
	return step
}

// selected reports by id which keys are selected.
func (s *Series) selected(sel Selection) []bool {
	keep := make([]bool, len(s.order))
	for id, k := range s.order {
		canary := timeline.IsCanary(s.run, k)
		keep[id] = (sel.Cohort == "" || sel.Cohort == k.Cohort) && (sel.Route == "" || sel.Route == k.Route) &&
			(sel.Version == "" || sel.Version == k.Version) &&
			(sel.Side == All || sel.Side == Canary && canary || sel.Side == Primary && !canary && k.Workload != "")
	}
	return keep
}

func (s *Series) fill(points []Point, keep []bool, to time.Duration) {
	sofar := 0
	for _, b := range s.between(0, points[0].From) {
		sofar += b.sum(keep).Harm
	}
	for i := range points {
		p := &points[i]
		var waited [][]event.BucketCount
		for _, b := range s.between(p.From, p.To) {
			if b.seq == 0 || b.to > to {
				continue
			}
			p.Seq = b.seq
			p.Counts = p.Plus(b.sum(keep))
			waited = b.latency(waited, keep)
		}
		sofar += p.Harm
		p.HarmSoFar = sofar
		p.P50, p.P99 = event.Quantile(0.5, waited...), event.Quantile(0.99, waited...)
	}
}

// between are the buckets from one time to another, both multiples of their width.
func (s *Series) between(from, to time.Duration) []bucket {
	n := time.Duration(len(s.buckets))
	return s.buckets[min(from/s.width, n):min(to/s.width, n)]
}

func (b *bucket) sum(keep []bool) timeline.Counts {
	var sum timeline.Counts
	for i := range b.cells {
		if keep[b.cells[i].key] {
			sum = sum.Plus(b.cells[i].Counts)
		}
	}
	return sum
}

func (b *bucket) latency(all [][]event.BucketCount, keep []bool) [][]event.BucketCount {
	for i := range b.cells {
		if keep[b.cells[i].key] {
			all = append(all, b.cells[i].latency())
		}
	}
	return all
}
