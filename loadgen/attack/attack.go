// Package attack sends a plan to real servers, using vegeta's Attacker. The plan decides who
// requests what and when. A vegeta.Pacer with a precise timer releases each request at its time, a
// vegeta.Targeter supplies the target, and an http.RoundTripper around net/http's adds what is
// specific to the user. The outcomes of attempts are reported in the order in which they end. Of
// the responding services the package knows only the headers of package traceheader.
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

// Attack sends a plan, or a shard of it, to servers.
//
// Latency counts from the time at which the plan wanted an arrival sent, whatever kept the request
// from being sent. So the number of workers can be limited without hiding how long users would have
// waited (Tene: How NOT to measure latency, 2013). Requests are handed to net/http up to 200 µs
// early, as long as it takes to write them; those that are written slightly early count as sent in
// time.
//
// Requests are those of an ordinary keep-alive client. Redirects are not followed unless
// Redirects says so. As net/http does, an idempotent request is silently resent if the kept-alive
// connection it used turns out to be closed.
type Attack struct {
	Plan  *loadgen.Plan
	Shard loadgen.Shard
	// Targets are the base URLs by route index: http or https, host, and a path that is prepended
	// to the routes' paths.
	Targets []*url.URL
	// Start is when traffic starts, for several attacks that start together. The zero time starts
	// as soon as connections are open. If it is in the past by then, Run fails with [ErrLate].
	Start time.Time
	// Workers is the maximum number of requests in flight. Workers start when they are needed.
	// Further requests wait, which counts as latency, although the generator is to blame: see
	// Report.Saturated. 0 is the number that is needed if every request of the plan's peak rate
	// times out, within 4,096 and 16,384.
	Workers int
	// Connections is the number of connections to open before the first request, including TLS
	// handshakes, shared evenly by the hosts. Servers see no request on those that are never
	// needed. 0 is the number of arrivals in 50 ms at the plan's peak, at most 256; a negative
	// number means none.
	Connections int
	// MaxUnused is how long a connection without TLS may be open before its first request; a later
	// request opens another in its place. Proxies wait for a limited time to see which protocol a
	// connection has. 0 is no limit.
	MaxUnused time.Duration
	// Timeout is the time limit of one attempt, from sending it to the end of the response. 0 is 30
	// s.
	Timeout time.Duration
	// Grace is how long requests in flight may take after a stop. 0 is 5 s, negative means none.
	Grace time.Duration
	// Abort ends the grace when it is closed. It may be nil.
	Abort <-chan struct{}
	// TLS configures https; nil is Go's default.
	TLS *tls.Config
	// HTTP2 enables HTTP/2: with https for servers that offer it, and with prior knowledge if every
	// target is http.
	HTTP2 bool
	// NoKeepAlive opens a connection for each request.
	NoKeepAlive bool
	// Redirects is how many redirects an attempt follows, to hosts of Targets only; 0 is none. The
	// attempt then has status and version of the last response.
	Redirects int
	// Addresses maps HOST:PORT of targets to where to connect instead: HOST:PORT, or unix: and the
	// path of a socket.
	Addresses map[string]string
	// Proxy is that of http.Transport. Nil means no proxy, even if the environment names one: load
	// must not reach a proxy by accident.
	Proxy func(*http.Request) (*url.URL, error)
	// Service is the service whose version is recorded; "" is the last one that served.
	Service string
	// Traced is true if all servers send coalmine's headers. A response without them is then a
	// proxy's.
	Traced bool
	// VersionHeader is another response header with the version, for servers that do not send
	// coalmine's headers.
	VersionHeader string
	// Done is called with each outcome, in the order in which attempts end, from one goroutine. The
	// value is reused. While Done runs no other outcome is reported, and workers may have to wait.
	Done func(*loadgen.Outcome)
	// Raw is called before Done with the result in vegeta's form. Unlike vegeta's own, its time and
	// latency count from the intended send time, BytesIn counts a body that is not kept, and Attack
	// is the cohort. It may be nil.
	Raw func(*vegeta.Result)

	// Gauge is kept up to date during the attack. It may be nil.
	Gauge *Gauge

	// observe lets tests see what is sent.
	observe func(net.Conn) net.Conn
}

// Report summarises an attack.
type Report struct {
	// Start is when traffic started.
	Start time.Time
	// Elapsed is the time until the last attempt ended.
	Elapsed time.Duration
	// Arrivals were sent, in Attempts. Unsent arrivals were not sent because the attack was
	// stopped; they are counted up to 20 million.
	Arrivals, Attempts, Unsent int
	// Peak is the largest number of requests in flight at once, of the Workers that were allowed.
	Peak, Workers int
	// Saturated reports whether all workers were busy at some time, so that requests may have
	// waited for the generator.
	Saturated bool
	// Lag is how much later than intended attempts were written to their connections. Attempts
	// without a connection are assumed to take as long as the others.
	Lag Lag
}

// ErrLate says that the start time had passed before the connections were open.
var ErrLate = errors.New("the start time had passed before the connections were open")

// Lag holds quantiles of the schedule error. They are at most 3.2 % above the true values.
type Lag struct{ P50, P90, P99, Max time.Duration }

// Run plays the plan in real time until every request has ended. If ctx is cancelled, Run sends
// nothing more, gives requests in flight their grace, and returns the context's cause; the report
// is valid in any case. Arrivals that wait for a retry then end as [loadgen.FailureStopped]. When
// Run returns, all connections are closed.
//
// Other errors say what is wrong with the attack and are returned before the first request.
func (a Attack) Run(ctx context.Context) (Report, error) {
	if err := a.validate(); err != nil {
		return Report{}, err
	}
	r, err := newRun(a.withDefaults())
	if err != nil {
		return Report{}, err
	}
	defer r.close()
	r.prewarm(ctx)
	if ctx.Err() != nil {
		return Report{Start: time.Now(), Unsent: r.schedule.unsent()}, context.Cause(ctx)
	}
	start, err := r.waitForStart(ctx)
	if err != nil {
		return Report{Start: start, Unsent: r.schedule.unsent()}, err
	}
	return r.play(ctx, start)
}
