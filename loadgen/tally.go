package loadgen

import (
	"iter"
	"time"
)

// Tally counts answers by cohort, route and version.
type Tally struct {
	routes, versions int
	cells            []*Cell
	requests         uint64
	attempts         uint64
	peak             int
	last             time.Duration
}

// Cell counts the answers of one cohort, route and version.
type Cell struct {
	Cohort, Route, Version int
	// Requests that were answered in the end; what they had before the last attempt does not count. Failed ones had a 5xx or no
	// answer, Refused ones a 4xx.
	Requests, Failed, Refused uint64
	// Attempts that were answered, at all requests.
	Attempts uint64
	// Hit counts requests that an injected fault touched, FailedHit those of them that failed.
	Hit, FailedHit uint64
	// Latency of all requests from the arrival to the last answer, failed ones too.
	Latency Histogram
}

func newTally(p *Plan, versions int) *Tally {
	routes := len(p.workload.Routes)
	return &Tally{routes: routes, versions: versions, cells: make([]*Cell, len(p.workload.Cohorts)*routes*versions)}
}

// sent notes that an attempt went out and how many are in flight now.
func (t *Tally) sent(inFlight int) {
	t.attempts++
	t.peak = max(t.peak, inFlight)
}

// account counts an answer. Cells are made when first needed: most combinations of large workloads never occur.
func (t *Tally) account(c *Completion, now time.Duration) {
	i := (int(c.Arrival.Cohort)*t.routes+int(c.Arrival.Route))*t.versions + int(c.Answer.Version)
	cell := t.cells[i]
	if cell == nil {
		cell = &Cell{Cohort: int(c.Arrival.Cohort), Route: int(c.Arrival.Route), Version: int(c.Answer.Version)}
		t.cells[i] = cell
	}
	cell.Attempts++
	if c.Final {
		cell.add(c.Answer, now-c.Arrival.At)
	}
	t.last = now
}

func (c *Cell) add(a Answer, waited time.Duration) {
	c.Requests++
	c.Latency.Add(waited)
	failed := a.Failed()
	switch {
	case failed:
		c.Failed++
	case a.Status >= 400:
		c.Refused++
	}
	if a.Hit {
		c.Hit++
		if failed {
			c.FailedHit++
		}
	}
}

// Cells yields the cells with answers, ordered by cohort, route, version.
func (t *Tally) Cells() iter.Seq[*Cell] {
	return func(yield func(*Cell) bool) {
		for _, c := range t.cells {
			if c != nil && !yield(c) {
				return
			}
		}
	}
}

// Sum adds the cells for which keep holds; a nil keep takes all. The sum's Cohort, Route and Version mean nothing.
func (t *Tally) Sum(keep func(*Cell) bool) *Cell {
	sum := &Cell{}
	for c := range t.Cells() {
		if keep != nil && !keep(c) {
			continue
		}
		sum.Requests += c.Requests
		sum.Attempts += c.Attempts
		sum.Failed += c.Failed
		sum.Refused += c.Refused
		sum.Hit += c.Hit
		sum.FailedHit += c.FailedHit
		sum.Latency.Merge(&c.Latency)
	}
	return sum
}

// Sent is the number of requests that went out.
func (t *Tally) Sent() uint64 { return t.requests }

// Attempts is the number of attempts at them.
func (t *Tally) Attempts() uint64 { return t.attempts }

// Peak is the largest number of attempts in flight at once.
func (t *Tally) Peak() int { return t.peak }

// Last is the time of the last answer since the begin of traffic.
func (t *Tally) Last() time.Duration { return t.last }
