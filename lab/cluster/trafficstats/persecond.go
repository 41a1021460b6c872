package trafficstats

import (
	"time"

	"coalmine/lab/event"
)

// PerSecond folds answers that come one by one, as those of real servers do, into one aggregate for each second. It is for one
// goroutine.
type PerSecond struct {
	stats *Stats
	emit  func(event.Traffic)
	start time.Duration // begin of the second that is open
}

// NewPerSecond returns a folder whose first second begins at a time since the run's start. Note is told of every second that
// has ended and in which somebody was answered; the others are left out, as the sim does.
func NewPerSecond(t *Stats, from time.Duration, note func(event.Traffic)) *PerSecond {
	return &PerSecond{stats: t, emit: note, start: from}
}

// Add counts an attempt, from 0, that ended at a time since the run's start. Attempts come in the order of their ends; what
// comes late counts in the second that is open.
func (s *PerSecond) Add(at time.Duration, a *Response, attempt int) {
	s.Advance(at)
	s.stats.AddRequest(a.Cohort, a.User, attempt)
	s.stats.AddResponse(a)
}

// Advance closes the seconds that have ended by a time: call it where answers may stay away for long.
func (s *PerSecond) Advance(at time.Duration) {
	if ended := (at - s.start) / time.Second; ended > 0 {
		s.close(s.start + time.Second) // what was counted came in the first of them
		s.start += (ended - 1) * time.Second
	}
}

// End closes the last second, whole or not, at a time since the run's start. It returns the totals of a run in which so many
// requests were sent: those that are not answered, nor were ever heard of, are open.
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
		s.emit(event.Traffic{From: event.Seconds(s.start), To: event.Seconds(to), Cells: cells, HurtSoFar: s.stats.Hurt()})
	}
	s.start = to
}
