package loadgen

import (
	"slices"
	"time"

	"coalmine/loadgen/rng"
)

// Retries follows the retry policies of the cohorts of a plan through one run. It is for one goroutine.
type Retries struct {
	jitter   rng.Stream
	policies []*policy // by cohort; nil for none
}

// policy is a cohort's [Retry], ready for use.
type policy struct {
	attempts  int
	base, max time.Duration
	jitter    float64
	// on has a bit for each status.
	on     [statuses / 64]uint64
	budget *budgetWindow // nil for no bound
}

// statuses is over every HTTP status.
const statuses = 640

// maxAttempts bounds the attempts of a policy.
const maxAttempts = 10

// hasRetries tells whether any cohort has a policy.
func (p *Plan) hasRetries() bool {
	return slices.ContainsFunc(p.workload.Cohorts, func(c Cohort) bool { return c.Retry != nil })
}

// NewRetries returns the state at the begin of traffic, with budgets as of no requests. Time is counted by what it is told.
func NewRetries(p *Plan) *Retries { return NewShardRetries(p, Shard{}) }

// NewShardRetries is [NewRetries] for the executor of one shard. Shards do not see each other's requests, so each has its part of
// the PerSecond of a budget.
func NewShardRetries(p *Plan, s Shard) *Retries {
	r := &Retries{jitter: rng.New(p.seed, "loadgen.retries")}
	for i := range p.workload.Cohorts {
		r.policies = append(r.policies, newPolicy(p.workload.Cohorts[i].Retry, max(s.Count, 1)))
	}
	return r
}

func newPolicy(c *Retry, shards int) *policy {
	if c == nil {
		return nil
	}
	p := &policy{attempts: c.Attempts, base: c.Base, max: c.Max, jitter: c.Jitter}
	on := c.On
	if len(on) == 0 {
		on = []int{502, 503, 504}
	}
	for _, status := range append([]int{0}, on...) {
		p.on[status/64] |= 1 << (status % 64)
	}
	if c.Budget != nil {
		p.budget = newBudgetWindow(*c.Budget, shards)
	}
	return p
}

// RecordFirst notes that an arrival was sent for the first time, at a time since the begin of traffic: it adds to the budget.
func (r *Retries) RecordFirst(a Arrival, at time.Duration) {
	if p := r.policies[a.Cohort]; p != nil && p.budget != nil {
		p.budget.deposit(at)
	}
}

// ShouldRetry decides whether an attempt (from 0) that ended at a time with a status (0: no answer) is made again, and when. The
// wait's jitter is a function of seed, Seq and attempt. A true answer is spent from the budget. Times of calls should not fall,
// but for a little: what is late counts as now.
func (r *Retries) ShouldRetry(a Arrival, attempt int, status uint16, ended time.Duration) (at time.Duration, again bool) {
	p := r.policies[a.Cohort]
	if p == nil || status >= statuses || p.on[status/64]&(1<<(status%64)) == 0 || attempt+1 >= p.attempts {
		return 0, false
	}
	if p.budget != nil && !p.budget.withdraw(ended) {
		return 0, false
	}
	return ended + p.wait(attempt, r.jitter.Bits(a.Seq*maxAttempts+uint64(attempt))), true
}

// wait is the time between the end of an attempt and the begin of the next. Of the capped exponential a share is random.
func (p *policy) wait(attempt int, word uint64) time.Duration {
	full := p.max
	if p.base < p.max>>attempt {
		full = p.base << attempt
	}
	random := float64(full) * p.jitter
	return full - time.Duration(random) + time.Duration(random*rng.Unit(word))
}
