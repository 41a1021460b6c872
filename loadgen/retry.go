package loadgen

import "time"

// Retries follows the retry policies of the cohorts of a plan through one run. It is for one goroutine.
type Retries struct{ plan *Plan }

// NewRetries returns the state at the begin of traffic, with full budgets as of no requests.
func NewRetries(p *Plan) *Retries { return &Retries{p} }

// First notes that an arrival was sent for the first time, at a time since the begin of traffic: it adds to the budget.
func (r *Retries) First(a Arrival, at time.Duration) {}

// Again decides whether an attempt (from 0) that ended at a time with a status (0: no answer) is made again, and when. The
// wait's jitter is a function of seed, Seq and attempt. A true answer is spent from the budget.
func (r *Retries) Again(a Arrival, attempt int, status uint16, ended time.Duration) (at time.Duration, again bool) {
	return 0, false
}
