package main

import (
	"time"

	"coalmine/lab/cluster/trafficstats"
	"coalmine/lab/event"
	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/promexport"
	"coalmine/loadgen/results"
)

// accounts take every attempt of a load: exact counts and histograms for the result, aggregates of a second for the events,
// and metrics for a Prometheus that looks on. They are for one goroutine; metrics may be scraped meanwhile.
type accounts struct {
	ledger  *results.Results
	account *trafficstats.Attempts
	exposer *promexport.Exporter // nil where nobody looks
	events  *event.Recorder
	// answered counts attempts with an answer.
	answered int
}

func newAccounts(job *loadJob, events *event.Recorder, exposer *promexport.Exporter) *accounts {
	slow := func(route string) time.Duration { return service.LatencyObjective(job.expected, route) }
	a := &accounts{
		ledger:  results.New(results.Config{Plan: job.plan, Shard: job.shard, Workload: job.name, Slow: slow}),
		exposer: exposer, events: events,
	}
	a.account = trafficstats.NewAttempts(trafficstats.AttemptsConfig{
		Plan: job.plan, LatencyObjective: slow, Service: job.released(),
		Emit: func(t event.Traffic) { a.events.Record(time.Duration(t.To), "traffic", t) },
	})
	return a
}

// add counts one attempt.
func (a *accounts) add(o *loadgen.Outcome) {
	a.account.MarkHit(o)
	a.ledger.Add(o)
	if a.exposer != nil {
		a.exposer.Add(o)
	}
	if o.Status != 0 {
		a.answered++
	}
	a.account.Add(o)
}

// close ends the last second and notes the totals.
func (a *accounts) close(at time.Duration, planned int) {
	a.events.Record(at, "traffic", a.account.End(at, planned))
}
