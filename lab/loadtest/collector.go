package loadtest

import (
	"time"

	"coalmine/lab/cluster/trafficstats"
	"coalmine/lab/event"
	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/promexport"
	"coalmine/loadgen/results"
)

// collector counts every attempt three times: exactly for the results, by second for the events,
// and as Prometheus metrics. It must be used from one goroutine; metrics may be scraped meanwhile.
type collector struct {
	results  *results.Results
	attempts *trafficstats.Attempts
	exporter *promexport.Exporter // nil without --metrics
	events   *event.Recorder
	// answered counts attempts with a response.
	answered int

	// warmUp is how long attempts are not counted in results, and warm counts them.
	warmUp time.Duration
	warm   int
	// watch ends the test early; nil if objectives are judged only at its end.
	watch *watch
}

func newCollector(t *Test, events *event.Recorder, exporter *promexport.Exporter) *collector {
	slow := func(route string) time.Duration { return service.LatencyObjective(t.source.objectives, route) }
	c := &collector{
		results:  results.New(results.Config{Plan: t.plan, Shard: t.shard, Workload: t.source.name, Slow: slow}),
		exporter: exporter, events: events, warmUp: t.options.WarmUp,
	}
	c.attempts = trafficstats.NewAttempts(trafficstats.AttemptsConfig{
		Plan: t.plan, LatencyObjective: slow, Service: t.source.releasedService(),
		Emit: func(f event.Traffic) { c.events.Record(time.Duration(f.To), "traffic", f) },
	})
	return c
}

// add counts one attempt.
func (c *collector) add(o *loadgen.Outcome) {
	c.attempts.MarkHit(o)
	if o.Arrival.At < c.warmUp {
		c.warm++
	} else {
		c.results.Add(o)
		c.watch.judge(o.Done()-c.warmUp, c.results)
	}
	if c.exporter != nil {
		c.exporter.Add(o)
	}
	if o.Status != 0 {
		c.answered++
	}
	if !o.NotSent() {
		c.attempts.Add(o)
	}
}

// close ends the last second and records the totals.
func (c *collector) close(at time.Duration, planned int) {
	c.events.Record(at, "traffic", c.attempts.End(at, planned))
}
