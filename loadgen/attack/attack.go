// Package attack sends a plan to real servers, by vegeta's Attacker. The plan decides who asks for what and when; a Pacer that
// waits precisely lets each request leave at its time, a Targeter says what it is, and a RoundTripper around net/http's makes it
// the request of its user. What became of each attempt is told in order of the ends. The package keeps no accounts and knows
// nothing of the services that answer, but for the headers of package mark.
package attack

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"coalmine/loadgen"
)

// Attack is a plan, or a shard of it, against servers.
//
// Latency is counted from when the plan wanted an arrival sent, whatever kept the request from leaving: so the number of workers
// may be bounded without hiding what users would have waited (Tene: How NOT to measure latency, 2013). Requests are handed to
// net/http up to 200 µs before their times, as much as it takes until they are written; those that are written a little early count
// as sent in time.
//
// Requests are those of an ordinary keep-alive client. Redirects are not followed. As net/http does, a request that may be
// repeated is sent again without notice if the kept connection that it went to turns out to be closed.
type Attack struct {
	Plan  *loadgen.Plan
	Shard loadgen.Shard
	// Targets are the base URLs by route index: http or https, host, and a path that goes before the routes'.
	Targets []*url.URL
	// Start is when traffic begins, for several attacks that begin together; the zero time is as soon as connections stand. If it is
	// over by then, the attack is broken off with [ErrLate].
	Start time.Time
	// Workers is the largest number of requests in flight; further ones wait, which counts as latency. 0 is as many as the plan
	// sends in a second at its peak, from 16 to 4,096.
	Workers int
	// Connections are opened, for https with the handshake, before the first request, shared evenly by the hosts. Servers see no
	// request on those that are never needed. 0 is as many as the plan has arrivals in 50 ms at its peak, at most 256; a
	// negative number is none.
	Connections int
	// Timeout of one attempt, from its send to the end of the answer; 0 is 30 s.
	Timeout time.Duration
	// Grace is what requests under way get after a stop; 0 is 5 s, a negative time none.
	Grace time.Duration
	// TLS is for https; nil is Go's default.
	TLS *tls.Config
	// HTTP2 is spoken with https servers that can.
	HTTP2 bool
	// Proxy is as of http.Transport. Nil is none, whatever the environment says: load must not go astray.
	Proxy func(*http.Request) (*url.URL, error)
	// Service is the one whose version in the answers counts; "" is the last of the list.
	Service string
	// VersionHeader is another header of answers that tells the version, for servers that are not ours.
	VersionHeader string
	// Done is told of each attempt, in order of their ends, from one goroutine. The value is reused. While it runs nobody else is
	// told, and workers come to wait.
	Done func(*loadgen.Outcome)
	// Raw is told the same, before Done, as vegeta would have it but for three things: time and latency are from when the attempt
	// was meant to be sent, the bytes of the answer are counted though they are not kept, and Attack is the cohort. Nil is for none.
	Raw func(*vegeta.Result)

	// observe is for tests that look at what is sent.
	observe func(net.Conn) net.Conn
}

// Report says how an attack went.
type Report struct {
	// Start is the begin of traffic.
	Start time.Time
	// Elapsed is until the last end.
	Elapsed time.Duration
	// Arrivals were sent, in Attempts. Unsent ones were not, because the attack was stopped; they are counted up to 20 million.
	Arrivals, Attempts, Unsent int
	// Peak is the largest number of requests in flight at once.
	Peak int
	// Lag is how much later than meant the attempts were written to their connections; those without one are taken to need as long
	// as the others.
	Lag Lag
}

// ErrLate says that the time at which traffic was to begin is over.
var ErrLate = errors.New("the time at which traffic was to begin was over before the connections stood")

// Lag has quantiles of the schedule's error. They are at most 3.2 % over the truth.
type Lag struct{ P50, P90, P99, Max time.Duration }

// Run plays the plan in real time, until all have their answer. If the context is cancelled, nothing more is sent, requests under
// way get their grace, and the error is the context's cause; the report holds in any case. Arrivals that wait for another
// attempt then end as [loadgen.FailureStopped]. When it returns, connections are closed.
//
// Other errors say what is wrong with the attack, and come before the first request.
func (a Attack) Run(ctx context.Context) (Report, error) {
	if err := a.validate(); err != nil {
		return Report{}, err
	}
	r, err := newRun(a.withDefaults())
	if err != nil {
		return Report{}, err
	}
	defer r.close()
	r.dialer.prewarm(ctx, a.Targets, r.prewarmCount())
	if ctx.Err() != nil {
		return Report{Start: time.Now(), Unsent: r.schedule.unsent()}, context.Cause(ctx)
	}
	begin, err := r.waitForStart(ctx)
	if err != nil {
		return Report{Start: begin, Unsent: r.schedule.unsent()}, err
	}
	return r.play(ctx, begin)
}
