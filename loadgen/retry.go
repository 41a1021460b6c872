package loadgen

import (
	"time"

	"coalmine/loadgen/rng"
)

// Retries applies the retry policies of a plan's cohorts during one run. It is not safe for
// concurrent use.
type Retries struct {
	jitter   rng.Stream
	policies []*policy // by cohort; nil for none
}

// policy is the compiled form of a cohort's [Retry].
type policy struct {
	attempts  int
	base, max time.Duration
	jitter    float64
	// on has a bit for each status.
	on     [statuses / 64]uint64
	budget *budgetWindow // nil for no limit
}

// statuses is greater than every HTTP status.
const statuses = 640

// maxAttempts bounds the attempts of a policy.
const maxAttempts = 10

// NewRetries returns the state at the start of traffic for the executor of one shard. Shards do not
// see each other's requests, so each gets its share of a budget's PerSecond.
func NewRetries(p *Plan, s Shard) *Retries {
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

// RecordFirst records the first attempt at an arrival, sent at the given time since the start of
// traffic. It adds to the budget.
func (r *Retries) RecordFirst(a Arrival, at time.Duration) {
	if p := r.policies[a.Cohort]; p != nil && p.budget != nil {
		p.budget.deposit(at)
	}
}

// ShouldRetry decides whether an attempt, counted from 0, that ended with a status (0: no response)
// is retried, and when. The jitter of the wait is a function of seed, Seq and attempt. If it
// returns true it has withdrawn from the budget. The times of calls should not decrease by more
// than a little; a late call counts at the current time.
func (r *Retries) ShouldRetry(a Arrival, attempt int, status uint16, ended time.Duration) (at time.Duration,
	again bool) {
	p := r.policies[a.Cohort]
	if p == nil || status >= statuses || p.on[status/64]&(1<<(status%64)) == 0 || attempt+1 >= p.attempts {
		return 0, false
	}
	if p.budget != nil && !p.budget.withdraw(ended) {
		return 0, false
	}
	return ended + p.wait(attempt, r.jitter.Bits(a.Seq*maxAttempts+uint64(attempt))), true
}

// wait returns the time between the end of an attempt and the start of the next. A share of the
// capped exponential wait is random.
func (p *policy) wait(attempt int, word uint64) time.Duration {
	full := p.max
	if p.base < p.max>>attempt {
		full = p.base << attempt
	}
	random := float64(full) * p.jitter
	return full - time.Duration(random) + time.Duration(random*rng.Unit(word))
}
