package shard

import (
	"context"
	"net/http"
	"sync"
	"time"

	"coalmine/lab/desk/client"
	"coalmine/lab/event"
	"coalmine/lab/tally/attempts"
	"coalmine/loadgen"
)

// account counts what comes of the shard's requests.
type account struct {
	client, baseline string
	// begin is that of traffic, since the run's start, whose time on the clock is zero.
	begin time.Duration
	zero  int64

	mu       sync.Mutex
	attempts *attempts.Account
	// pending are the seconds that nobody was told of.
	pending []event.Traffic
	// released and stopped are times since the run's start; -1 before it is known.
	released, stopped time.Duration
	// denying is who keeps requests out, where that is known.
	denying client.Served
}

func newAccount(plan *loadgen.Plan, s client.Start, from, service, baseline string, slow func(string) time.Duration) *account {
	a := &account{client: from, baseline: baseline, begin: time.Duration(s.Begin - s.Zero), zero: s.Zero, released: -1, stopped: -1}
	a.attempts = attempts.New(attempts.Config{
		Plan: plan, Slow: slow, Service: service, Begin: a.begin,
		Note: func(t event.Traffic) { a.pending = append(a.pending, t) },
	})
	return a
}

// follow learns what the desk knows, until the context ends.
func (a *account) follow(ctx context.Context, f *feed) {
	for last := 0; ; {
		o, err := f.await(ctx, func(o client.Orders) bool { return o.Generation > last })
		if err != nil {
			return
		}
		last = o.Generation
		a.obey(o)
	}
}

func (a *account) obey(o client.Orders) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if o.Released != nil {
		a.released = time.Duration(o.Released.At - a.zero)
	}
	if o.Stop != nil {
		a.stopped = time.Duration(o.Stop.At - a.zero)
	}
	a.denying = o.Denying[a.client]
}

// add takes an attempt that has ended.
func (a *account) add(o *loadgen.Outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.begin + o.Done()
	if o.Failure == loadgen.FailureStopped || a.stopped >= 0 && at > a.stopped {
		a.attempts.Leave(o) // nobody had the answer when the traffic ended
		return
	}
	if a.released >= 0 && at >= a.released {
		a.attempts.MarkRollout()
	}
	if o.Status == http.StatusForbidden && o.Version == "" {
		o.Workload, o.Version = a.denying.Workload, a.denying.Version
	}
	if o.Status == http.StatusForbidden && o.Version != "" && o.Version != a.baseline {
		o.Hit = true // what keeps the users of another version out came with it, as in the sim
	}
	a.attempts.Touch(o)
	a.attempts.Add(o)
}

// upTo closes the seconds that have ended by a time since the run's start, and returns those that nobody was told of.
func (a *account) upTo(at time.Duration) (seconds []event.Traffic, through time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped >= 0 {
		at = min(at, a.stopped)
	}
	at = max(at, a.begin)
	through = a.begin + (at - a.begin).Truncate(time.Second)
	a.attempts.Until(through)
	seconds, a.pending = a.pending, nil
	return seconds, through
}

// end closes the account at a time since the run's start.
func (a *account) end(at time.Duration, sent int) ([]event.Traffic, event.TrafficTotals) {
	a.mu.Lock()
	defer a.mu.Unlock()
	totals := a.attempts.End(at, sent)
	seconds := a.pending
	a.pending = nil
	return seconds, totals
}
