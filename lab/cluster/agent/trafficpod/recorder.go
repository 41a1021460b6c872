package trafficpod

import (
	"context"
	"net/http"
	"sync"
	"time"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/trafficstats"
	"coalmine/lab/event"
	"coalmine/lab/service"
	"coalmine/loadgen"
)

// recorder counts the results of the pod's requests.
type recorder struct {
	client, baseline string
	// versionOf returns the released service's version with a neutral name.
	versionOf func(name string) string
	// begin is the start of the traffic since the start of the run, which is zero in Unix
	// nanoseconds.
	begin time.Duration
	zero  int64

	mu    sync.Mutex
	stats *trafficstats.Attempts
	// pending are the seconds that have not been reported.
	pending []event.Traffic
	// released and stopped are times since the start of the run; -1 while unknown.
	released, stopped time.Duration
	// denying is the workload that denies the requests, if known. deniedByRelease is true if the
	// new version's pods deny them, by policy that comes with the scenario.
	denying         client.WorkloadVersion
	deniedByRelease bool
	// crashed is true while a pod of the released service is down.
	crashed bool
}

func newRecorder(c Config, plan *loadgen.Plan, s client.Start) *recorder {
	released := c.Scenario.Released()
	a := &recorder{
		client: c.Pod.Client, baseline: released.Baseline,
		begin: time.Duration(s.Begin - s.Zero), zero: s.Zero, released: -1, stopped: -1,
		versionOf: func(name string) string {
			return c.Scenario.VersionOf(released.Name, name, c.Spec.Version, c.Spec.Seed)
		},
	}
	a.stats = trafficstats.NewAttempts(trafficstats.AttemptsConfig{
		Plan: plan, Service: released.Name, Start: a.begin,
		LatencyObjective: func(route string) time.Duration {
			return service.LatencyObjective(c.Scenario.Objectives, route)
		},
		Emit: func(t event.Traffic) { a.pending = append(a.pending, t) },
	})
	return a
}

// follow applies new commands until the context ends.
func (a *recorder) follow(ctx context.Context, watcher *commandWatcher) {
	for last := 0; ; {
		o, err := watcher.wait(ctx, func(o client.Commands) bool { return o.Generation > last })
		if err != nil {
			return
		}
		last = o.Generation
		a.apply(o)
	}
}

func (a *recorder) apply(o client.Commands) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if o.Release != nil {
		a.released = time.Duration(o.Release.At - a.zero)
	}
	if o.Stop != nil {
		a.stopped = time.Duration(o.Stop.At - a.zero)
	}
	a.denying, a.deniedByRelease = o.DeniedBy[a.client], o.DeniedByRelease[a.client]
	a.crashed = o.Crashed
}

// add counts an attempt that has ended.
func (a *recorder) add(o *loadgen.Outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.begin + o.Done()
	o.Version = a.versionOf(o.Version)
	if o.Failure == loadgen.FailureStopped || o.NotSent() || a.stopped >= 0 && at > a.stopped {
		a.stats.AddUnanswered(o) // the traffic ended before the response, or it was never sent
		return
	}
	if a.released >= 0 && at >= a.released {
		a.stats.MarkRollout()
	}
	a.attribute(o)
	a.stats.MarkHit(o)
	a.stats.Add(o)
}

// attribute finds out whose doing an answer of a proxy is, as the sim does: the release's if it is
// denied by policy that comes with the new version, or if its pods have crashed.
func (a *recorder) attribute(o *loadgen.Outcome) {
	switch o.Status {
	case http.StatusForbidden:
		if o.Version == "" {
			o.Workload, o.Version, o.ByMesh = a.denying.Workload, a.denying.Version, true
		}
		o.Hit = o.Hit || o.ByMesh && a.deniedByRelease && o.Version != "" && o.Version != a.baseline
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		o.Hit = o.Hit || o.ByMesh && a.crashed
	}
}

// closeUntil closes the seconds that have ended by a time since the start of the run, and returns
// those that have not been reported.
func (a *recorder) closeUntil(at time.Duration) (seconds []event.Traffic, through time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped >= 0 {
		at = min(at, a.stopped)
	}
	at = max(at, a.begin)
	through = a.begin + (at - a.begin).Truncate(time.Second)
	a.stats.Advance(through)
	seconds, a.pending = a.pending, nil
	return seconds, through
}

// close closes the account at a time since the start of the run.
func (a *recorder) close(at time.Duration, sent int) ([]event.Traffic, event.TrafficTotals) {
	a.mu.Lock()
	defer a.mu.Unlock()
	totals := a.stats.End(at, sent)
	seconds := a.pending
	a.pending = nil
	return seconds, totals
}
