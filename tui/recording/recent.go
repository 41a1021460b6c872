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
	// Seconds is their length; P99 the 99th percentile of the latency, 0 without requests.
	Seconds float64
	P99     time.Duration
}

// Rate returns the requests per second.
func (s Sum) Rate() float64 {
	if s.Seconds == 0 {
		return 0
	}
	return float64(s.N) / s.Seconds
}

// Recent is the traffic of the last seconds before a time.
type Recent struct {
	seconds []event.Traffic
	span    float64
}

// Recent returns the seconds of traffic that ended within span before at.
func (r *Recording) Recent(at, span time.Duration) Recent {
	end := sort.Search(len(r.trafficEvents), func(i int) bool { return r.events[r.trafficEvents[i]].At > at })
	var recent Recent
	for i := end - 1; i >= 0; i-- {
		f := r.events[r.trafficEvents[i]].Fact.(event.Traffic) // trafficEvents has no other kind
		if time.Duration(f.From) < at-span-time.Second/2 {
			break
		}
		recent.seconds = append(recent.seconds, f)
		recent.span += time.Duration(f.To - f.From).Seconds()
	}
	return recent
}

// Sum adds up the requests that keep accepts.
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
