package trafficstats

import (
	"time"

	"coalmine/lab/event"
	"coalmine/loadgen"
)

// AttemptsConfig configures [Attempts].
type AttemptsConfig struct {
	Plan *loadgen.Plan
	// LatencyObjective returns the latency above which a response on a route is slow; 0 means none.
	LatencyObjective func(route string) time.Duration
	// Service is the released service. Its name is the workload of responses that have a version
	// but no workload.
	Service string
	// Start is when traffic starts, as a time since the run's start.
	Start time.Duration
	// Emit is called for each second that has responses, when it has ended.
	Emit func(event.Traffic)
}

// Attempts counts the attempts of a plan's executors: a load test, or the traffic pods of a
// cluster. It is not safe for concurrent use.
type Attempts struct {
	cfg     AttemptsConfig
	stats   *Stats
	seconds *PerSecond
	// workloadIDs caches the IDs of [Stats].
	workloadIDs map[workloadVersion]int
	// hit holds arrivals with an attempt that a fault hit, until their last attempt is counted.
	hit map[uint64]bool
}

type workloadVersion struct{ workload, version string }

// NewAttempts returns an empty [Attempts].
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
		cfg: c, stats: t, seconds: NewPerSecond(t, c.Start, c.Emit),
		workloadIDs: map[workloadVersion]int{}, hit: map[uint64]bool{},
	}
}

// MarkHit sets an attempt's Hit if a fault hit it or an earlier attempt at the same request. It is
// called once for every attempt, before it is added.
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

// Add counts an attempt. Attempts are added in the order in which they ended.
func (a *Attempts) Add(o *loadgen.Outcome) {
	a.seconds.Add(a.cfg.Start+o.Done(), &Response{
		Latency: o.Latency, User: o.Arrival.User, Cohort: o.Arrival.Cohort, Route: o.Arrival.Route,
		WorkloadID: a.workloadID(o), Status: int(o.Status), Wrong: o.Wrong, Hit: o.Hit,
		ByMesh: o.ByMesh, Retried: !o.Final,
	}, o.Attempt)
}

// AddUnanswered counts an attempt that was sent but not answered before the traffic ended.
func (a *Attempts) AddUnanswered(o *loadgen.Outcome) {
	a.stats.AddRequest(o.Arrival.Cohort, o.Arrival.User, o.Attempt)
}

// workloadID returns the ID of the workload that answered.
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

// Advance emits the seconds that have ended by a time since the run's start.
func (a *Attempts) Advance(at time.Duration) { a.seconds.Advance(at) }

// MarkRollout starts to count which workload serves which users, once the new version was released.
func (a *Attempts) MarkRollout() { a.stats.MarkRollout() }

// End emits the last second at a time since the run's start, and returns the totals, given the
// number of arrivals that were sent.
func (a *Attempts) End(at time.Duration, sent int) event.TrafficTotals {
	return a.seconds.End(at, sent)
}
