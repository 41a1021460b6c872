package trafficstats

import (
	"time"

	"coalmine/lab/event"
	"coalmine/loadgen"
)

// AttemptsConfig says what is counted.
type AttemptsConfig struct {
	Plan *loadgen.Plan
	// LatencyObjective is the latency beyond which an answer is slow, by route; 0 is none.
	LatencyObjective func(route string) time.Duration
	// Service is the released one. Its name is the workload where an answer tells a version and no workload.
	Service string
	// Start is when traffic begins, as a time since the run's start.
	Start time.Duration
	// Emit is told of each second in which somebody was answered, when it has ended.
	Emit func(event.Traffic)
}

// Attempts takes every attempt. It is for one goroutine.
type Attempts struct {
	cfg     AttemptsConfig
	stats   *Stats
	seconds *PerSecond
	// workloadIDs are the numbers of those who answered.
	workloadIDs map[workloadVersion]int
	// hit remembers the arrivals whose first attempts were touched by a fault until their last attempt is in.
	hit map[uint64]bool
}

type workloadVersion struct{ workload, version string }

// NewAttempts returns an account of nothing.
func NewAttempts(c AttemptsConfig) *Attempts {
	config := Config{LatencyObjective: c.LatencyObjective}
	for _, x := range c.Plan.Cohorts() {
		config.Cohorts = append(config.Cohorts, x.Name)
	}
	for _, r := range c.Plan.Routes() {
		config.Routes = append(config.Routes, r.Name)
	}
	t := New(config)
	return &Attempts{
		cfg: c, stats: t, seconds: NewPerSecond(t, c.Start, c.Emit), workloadIDs: map[workloadVersion]int{}, hit: map[uint64]bool{},
	}
}

// MarkHit sets an attempt's Hit where a fault touched it or one before it, which is what a user's request has suffered. Every attempt
// is told once, before it is added.
func (a *Attempts) MarkHit(o *loadgen.Outcome) {
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
func (a *Attempts) Add(o *loadgen.Outcome) {
	a.seconds.Add(a.cfg.Start+o.Done(), &Response{
		Latency: o.Latency, User: o.Arrival.User, Cohort: o.Arrival.Cohort, Route: o.Arrival.Route,
		WorkloadID: a.workloadID(o), Status: int(o.Status), Wrong: o.Wrong, Hit: o.Hit, Retried: !o.Final,
	}, o.Attempt)
}

// AddUnanswered counts an attempt that was sent and whose answer comes to nothing, for the traffic ended before: it stays open.
func (a *Attempts) AddUnanswered(o *loadgen.Outcome) {
	a.stats.AddRequest(o.Arrival.Cohort, o.Arrival.User, o.Attempt)
}

// workloadID is the number of the workload that answered.
func (a *Attempts) workloadID(o *loadgen.Outcome) int {
	by := workloadVersion{o.Workload, o.Version}
	if by.workload == "" && by.version != "" {
		by.workload = a.cfg.Service
	}
	n, ok := a.workloadIDs[by]
	if !ok {
		if by.workload != "" {
			n = a.stats.WorkloadID(by.workload, by.version)
		}
		a.workloadIDs[by] = n
	}
	return n
}

// Advance closes the seconds that have ended by a time since the run's start.
func (a *Attempts) Advance(at time.Duration) { a.seconds.Advance(at) }

// MarkRollout says that the new version was released: from now on it counts which workload serves whom.
func (a *Attempts) MarkRollout() { a.stats.MarkRollout() }

// End closes the last second at a time since the run's start, and returns the totals of so many arrivals that were sent.
func (a *Attempts) End(at time.Duration, sent int) event.TrafficTotals {
	return a.seconds.End(at, sent)
}
