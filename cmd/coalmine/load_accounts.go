package main

import (
	"time"

	"coalmine/lab/event"
	"coalmine/lab/slo"
	"coalmine/lab/tally"
	"coalmine/loadgen"
	"coalmine/loadgen/expose"
	"coalmine/loadgen/ledger"
)

// accounts take every attempt of a load: exact counts and histograms for the result, aggregates of a second for the events,
// and metrics for a Prometheus that looks on. They are for one goroutine; metrics may be scraped meanwhile.
type accounts struct {
	ledger  *ledger.Ledger
	tally   *tally.Tally
	seconds *tally.Seconds
	exposer *expose.Exposer // nil where nobody looks
	events  *event.Recorder
	service string
	// served are the numbers of those who answered, by version; unheard is that of no version.
	served map[string]int
	// hit remembers the arrivals whose first attempts were touched by a fault until their last attempt is in.
	hit map[uint64]bool
	// answered counts attempts with an answer.
	answered int
}

func newAccounts(job *loadJob, events *event.Recorder, exposer *expose.Exposer) *accounts {
	slow := func(route string) time.Duration { return slo.Latency(job.expected, route) }
	config := tally.Config{Objective: slow}
	for _, c := range job.plan.Cohorts() {
		config.Cohorts = append(config.Cohorts, c.Name)
	}
	for _, r := range job.plan.Routes() {
		config.Routes = append(config.Routes, r.Name)
	}
	a := &accounts{
		ledger: ledger.New(ledger.Config{Plan: job.plan, Shard: job.shard, Workload: job.name, Slow: slow}),
		tally:  tally.New(config), exposer: exposer, events: events, service: job.released(),
		served: map[string]int{}, hit: map[uint64]bool{},
	}
	a.seconds = tally.NewSeconds(a.tally, 0, func(t event.Traffic) { a.events.Note(time.Duration(t.To), "traffic", t) })
	return a
}

// add counts one attempt.
func (a *accounts) add(o *loadgen.Outcome) {
	o.Hit = a.touched(o)
	a.ledger.Add(o)
	if a.exposer != nil {
		a.exposer.Add(o)
	}
	if o.Status != 0 {
		a.answered++
	}
	a.seconds.Add(o.Done(), &tally.Answer{
		Latency: o.Latency, User: o.Arrival.User, Cohort: o.Arrival.Cohort, Route: o.Arrival.Route,
		Served: a.servedBy(o.Version), Status: int(o.Status), Wrong: o.Wrong, Hit: o.Hit, Retried: !o.Final,
	}, o.Attempt)
}

// touched tells whether a fault touched this attempt or one before it, which is what a user's request has suffered.
func (a *accounts) touched(o *loadgen.Outcome) bool {
	hit := o.Hit || a.hit[o.Arrival.Seq]
	switch {
	case !o.Final && o.Hit:
		a.hit[o.Arrival.Seq] = true
	case o.Final && o.Attempt > 0:
		delete(a.hit, o.Arrival.Seq)
	}
	return hit
}

// servedBy is the number of the version that answered.
func (a *accounts) servedBy(version string) int {
	n, ok := a.served[version]
	if !ok {
		if version != "" {
			n = a.tally.Serves(a.service, version)
		}
		a.served[version] = n
	}
	return n
}

// close ends the last second and notes the totals.
func (a *accounts) close(at time.Duration, planned int) {
	totals := a.seconds.End(at, planned)
	a.events.Note(at, "traffic", totals)
}
