package tally

import (
	"time"

	"coalmine/lab/event"
)

// Seconds folds answers that come one by one, as those of real servers do, into one aggregate for each second. It is for one
// goroutine.
type Seconds struct {
	tally *Tally
	note  func(event.Traffic)
	from  time.Duration // begin of the second that is open
}

// NewSeconds returns a folder whose first second begins at a time since the run's start. Note is told of every second that
// has ended and in which somebody was answered; the others are left out, as the sim does.
func NewSeconds(t *Tally, from time.Duration, note func(event.Traffic)) *Seconds {
	return &Seconds{tally: t, note: note, from: from}
}

// Add counts an attempt, from 0, that ended at a time since the run's start. Attempts come in the order of their ends; what
// comes late counts in the second that is open.
func (s *Seconds) Add(at time.Duration, a *Answer, attempt int) {
	s.Until(at)
	s.tally.Sent(a.Cohort, a.User, attempt)
	s.tally.Answer(a)
}

// Until closes the seconds that have ended by a time: call it where answers may stay away for long.
func (s *Seconds) Until(at time.Duration) {
	if ended := (at - s.from) / time.Second; ended > 0 {
		s.close(s.from + time.Second) // what was counted came in the first of them
		s.from += (ended - 1) * time.Second
	}
}

// End closes the last second, whole or not, at a time since the run's start. It returns the totals of a run in which so many
// requests were sent: those that are not answered, nor were ever heard of, are open.
func (s *Seconds) End(at time.Duration, planned int) event.TrafficTotals {
	s.Until(at)
	s.close(max(at, s.from))
	totals := s.tally.Totals()
	totals.Planned = max(planned, totals.Answered)
	totals.Open = totals.Planned - totals.Answered
	return totals
}

func (s *Seconds) close(to time.Duration) {
	if cells := s.tally.Cells(); len(cells) > 0 {
		s.note(event.Traffic{From: event.Seconds(s.from), To: event.Seconds(to), Cells: cells, HurtSoFar: s.tally.Hurt()})
	}
	s.from = to
}
