package recording

import (
	"sort"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/verdict/timeline"
)

// Sum is the traffic of a few seconds.
type Sum struct {
	timeline.Counts
	// Seconds is how long they lasted; P99 is what all but the slowest hundredth of users waited at most, 0 without requests.
	Seconds float64
	P99     time.Duration
}

// Rate is requests per second.
func (s Sum) Rate() float64 {
	if s.Seconds == 0 {
		return 0
	}
	return float64(s.N) / s.Seconds
}

// Recent are the seconds of traffic in a span before some time.
type Recent struct {
	seconds []event.Traffic
	span    float64
}

// Recent returns the seconds of traffic that ended within a span before a time.
func (r *Recording) Recent(at, span time.Duration) Recent {
	end := sort.Search(len(r.trafficEvents), func(i int) bool { return r.events[r.trafficEvents[i]].At > at })
	var recent Recent
	for i := end - 1; i >= 0; i-- {
		f := r.events[r.trafficEvents[i]].Fact.(event.Traffic) // seconds holds no other
		if time.Duration(f.From) < at-span-time.Second/2 {
			break
		}
		recent.seconds = append(recent.seconds, f)
		recent.span += time.Duration(f.To - f.From).Seconds()
	}
	return recent
}

// Sum adds up the requests that are kept.
func (r Recent) Sum(keep func(timeline.Key) bool) Sum {
	s := Sum{Seconds: r.span}
	latencies := make([][]event.BucketCount, 0, 64)
	for _, f := range r.seconds {
		for i := range f.Cells {
			c := &f.Cells[i]
			if keep(timeline.KeyOf(*c)) {
				s.Counts = s.Plus(timeline.CountsOf(*c))
				latencies = append(latencies, c.Latency)
			}
		}
	}
	s.P99 = event.Quantile(0.99, latencies...)
	return s
}
