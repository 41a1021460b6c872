// Package attempts makes the seconds and the totals of a log of attempts at requests, as executors of a plan tell them: a load from
// the command line, and the traffic pods of a cluster. It knows plans and package tally, and nobody who answers.
package attempts

import (
	"time"

	"coalmine/lab/event"
	"coalmine/lab/tally"
	"coalmine/loadgen"
)

// Config says what is counted.
type Config struct {
	Plan *loadgen.Plan
	// Slow is the latency beyond which an answer is slow, by route; 0 is none.
	Slow func(route string) time.Duration
	// Service is the released one. Its name is the workload where an answer tells a version and no workload.
	Service string
	// Begin is when traffic begins, as a time since the run's start.
	Begin time.Duration
	// Note is told of each second in which somebody was answered, when it has ended.
	Note func(event.Traffic)
}

// Account takes every attempt. It is for one goroutine.
type Account struct {
	cfg     Config
	tally   *tally.Tally
	seconds *tally.Seconds
	// served are the numbers of those who answered.
	served map[served]int
	// hit remembers the arrivals whose first attempts were touched by a fault until their last attempt is in.
	hit map[uint64]bool
}

type served struct{ workload, version string }

// New returns an account of nothing.
func New(c Config) *Account {
	config := tally.Config{Objective: c.Slow}
	for _, x := range c.Plan.Cohorts() {
		config.Cohorts = append(config.Cohorts, x.Name)
	}
	for _, r := range c.Plan.Routes() {
		config.Routes = append(config.Routes, r.Name)
	}
	t := tally.New(config)
	return &Account{
		cfg: c, tally: t, seconds: tally.NewSeconds(t, c.Begin, c.Note), served: map[served]int{}, hit: map[uint64]bool{},
	}
}

// Touch sets an attempt's Hit where a fault touched it or one before it, which is what a user's request has suffered. Every attempt
// is told once, before it is added.
func (a *Account) Touch(o *loadgen.Outcome) {
	hit := o.Hit || a.hit[o.Arrival.Seq]
	switch {
	case !o.Final && o.Hit:
		a.hit[o.Arrival.Seq] = true
	case o.Final && o.Attempt > 0:
		delete(a.hit, o.Arrival.Seq)
	}
	o.Hit = hit
}

// Add counts an attempt, in the order of their ends.
func (a *Account) Add(o *loadgen.Outcome) {
	a.seconds.Add(a.cfg.Begin+o.Done(), &tally.Answer{
		Latency: o.Latency, User: o.Arrival.User, Cohort: o.Arrival.Cohort, Route: o.Arrival.Route,
		Served: a.servedBy(o), Status: int(o.Status), Wrong: o.Wrong, Hit: o.Hit, Retried: !o.Final,
	}, o.Attempt)
}

// Leave counts an attempt that was sent and whose answer comes to nothing, for the traffic ended before: it stays open.
func (a *Account) Leave(o *loadgen.Outcome) {
	a.tally.Sent(o.Arrival.Cohort, o.Arrival.User, o.Attempt)
}

// servedBy is the number of the workload that answered.
func (a *Account) servedBy(o *loadgen.Outcome) int {
	by := served{o.Workload, o.Version}
	if by.workload == "" && by.version != "" {
		by.workload = a.cfg.Service
	}
	n, ok := a.served[by]
	if !ok {
		if by.workload != "" {
			n = a.tally.Serves(by.workload, by.version)
		}
		a.served[by] = n
	}
	return n
}

// Until closes the seconds that have ended by a time since the run's start.
func (a *Account) Until(at time.Duration) { a.seconds.Until(at) }

// MarkRollout says that the new version was released: from now on it counts which workload serves whom.
func (a *Account) MarkRollout() { a.tally.MarkRollout() }

// End closes the last second at a time since the run's start, and returns the totals of so many arrivals that were sent.
func (a *Account) End(at time.Duration, sent int) event.TrafficTotals { return a.seconds.End(at, sent) }
