package trafficstats

import (
	"time"

	"coalmine/lab/event"
)

// PerSecond aggregates responses by second. It is not safe for concurrent use.
type PerSecond struct {
	stats *Stats
	emit  func(event.Traffic)
	start time.Duration // of the current second
}

// NewPerSecond returns a PerSecond whose first second starts at a time since the run's start. It
// calls emit for every second that has ended and has responses.
func NewPerSecond(s *Stats, start time.Duration, emit func(event.Traffic)) *PerSecond {
	return &PerSecond{stats: s, emit: emit, start: start}
}

// Add counts an attempt, numbered from 0, that ended at a time since the run's start. Attempts are
// added in the order in which they ended; a late one counts in the current second.
func (s *PerSecond) Add(at time.Duration, r *Response, attempt int) {
	s.Advance(at)
	s.stats.AddRequest(r.Cohort, r.User, attempt)
	s.stats.AddResponse(r)
}

// Advance emits the seconds that have ended by a time. It is called when no response has come for a
// while.
func (s *PerSecond) Advance(at time.Duration) {
	if ended := (at - s.start) / time.Second; ended > 0 {
		s.close(s.start + time.Second) // the counted responses belong to the first of them
		s.start += (ended - 1) * time.Second
	}
}

// End emits the last second, complete or not, at a time since the run's start. It returns the
// totals, given the number of requests that were sent: those without a response are open.
func (s *PerSecond) End(at time.Duration, planned int) event.TrafficTotals {
	s.Advance(at)
	s.close(max(at, s.start))
	totals := s.stats.Totals()
	totals.Planned = max(planned, totals.Answered)
	totals.Open = totals.Planned - totals.Answered
	return totals
}

func (s *PerSecond) close(to time.Duration) {
	if cells := s.stats.Cells(); len(cells) > 0 {
		s.emit(event.Traffic{
			From: event.Seconds(s.start), To: event.Seconds(to), Cells: cells, HurtSoFar: s.stats.Hurt(),
		})
	}
	s.start = to
}
