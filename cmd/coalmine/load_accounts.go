package main

import (
	"time"

	"coalmine/lab/event"
	"coalmine/lab/slo"
	"coalmine/lab/tally/attempts"
	"coalmine/loadgen"
	"coalmine/loadgen/expose"
	"coalmine/loadgen/ledger"
)

// accounts take every attempt of a load: exact counts and histograms for the result, aggregates of a second for the events,
// and metrics for a Prometheus that looks on. They are for one goroutine; metrics may be scraped meanwhile.
type accounts struct {
	ledger  *ledger.Ledger
	account *attempts.Account
	exposer *expose.Exposer // nil where nobody looks
	events  *event.Recorder
	// answered counts attempts with an answer.
	answered int
}

func newAccounts(job *loadJob, events *event.Recorder, exposer *expose.Exposer) *accounts {
	slow := func(route string) time.Duration { return slo.Latency(job.expected, route) }
	a := &accounts{
		ledger:  ledger.New(ledger.Config{Plan: job.plan, Shard: job.shard, Workload: job.name, Slow: slow}),
		exposer: exposer, events: events,
	}
	a.account = attempts.New(attempts.Config{
		Plan: job.plan, Slow: slow, Service: job.released(),
		Note: func(t event.Traffic) { a.events.Note(time.Duration(t.To), "traffic", t) },
	})
	return a
}

// add counts one attempt.
func (a *accounts) add(o *loadgen.Outcome) {
	a.account.Touch(o)
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
	a.events.Note(at, "traffic", a.account.End(at, planned))
}
