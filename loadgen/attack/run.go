package attack

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"coalmine/loadgen"
	"coalmine/loadgen/pacer"
	"coalmine/loadgen/traceheader"
)

// run is an attack in progress.
type run struct {
	Attack
	timer        *pacer.Timer
	clock        *pacer.Clock
	dialer       *dialer
	roundTripper *roundTripper
	requests     *requests
	schedule     *schedule
	inflights    *inflightSet

	report    Report
	lag       histogram
	outcome   loadgen.Outcome
	completed []*inflight
}

func newRun(a Attack) (*run, error) {
	timer, err := pacer.NewTimer()
	if err != nil {
		return nil, err
	}
	r := &run{Attack: a, timer: timer, requests: newRequests(a.Plan, a.Targets),
		schedule: newSchedule(a.Plan, a.Shard, timer)}
	if throttles(a.Plan) {
		if r.clock, err = pacer.NewClock(); err != nil {
			r.timer.Close()
			return nil, err
		}
	}
	r.dialer = newDialer(a.Timeout, a)
	r.dialer.observe, r.dialer.maxUnused = a.observe, a.MaxUnused
	r.inflights = newInflightSet(a.Workers, a.Timeout)
	if a.Gauge != nil {
		r.inflights.gauge = a.Gauge
	}
	r.dialer.offset, r.inflights.offset = r.schedule.offset, r.schedule.offset
	r.roundTripper = &roundTripper{
		next: r.transport(), plan: a.Plan, inflights: r.inflights, jar: newJar(), clock: r.clock,
		keepSeq: a.Raw != nil, service: a.Service, versionHeader: http.CanonicalHeaderKey(a.VersionHeader),
		byMesh: traceheader.ByMesh, redirects: newRedirects(a),
	}
	if a.Traced {
		r.roundTripper.byMesh = traceheader.ByMeshOnly
	}
	return r, nil
}

// throttles reports whether a cohort has a bandwidth.
func throttles(p *loadgen.Plan) bool {
	for _, c := range p.Cohorts() {
		if c.Bandwidth > 0 {
			return true
		}
	}
	return false
}

// maxHeaderBytes limits the headers of a response.
const maxHeaderBytes = 256 << 10

// transport keeps every connection that a worker may need. Timeouts are those of inflightSet.
// Bodies are not decompressed, because their bytes are counted.
func (r *run) transport() *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(!r.priorKnowledge())
	protocols.SetUnencryptedHTTP2(r.priorKnowledge())
	protocols.SetHTTP2(r.HTTP2)
	return &http.Transport{
		Proxy: r.Proxy, DialContext: r.dialer.dial, DialTLSContext: r.dialer.dialTLS,
		TLSClientConfig: r.dialer.tls.Clone(),
		Protocols:       &protocols, DisableCompression: true, DisableKeepAlives: r.NoKeepAlive,
		MaxIdleConnsPerHost:    r.Workers,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

// priorKnowledge reports whether requests are sent as HTTP/2 without TLS. net/http does so only if
// HTTP/1 is disabled.
func (a *Attack) priorKnowledge() bool {
	return a.HTTP2 && !slices.ContainsFunc(a.Targets, func(u *url.URL) bool { return u.Scheme != "http" })
}

// prewarmTimeout limits the time before the first request.
const prewarmTimeout = 2 * time.Second

func (r *run) prewarm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, prewarmTimeout)
	defer cancel()
	r.dialer.prewarm(ctx, r.Targets, r.prewarmCount())
}

// prewarmCount returns the number of connections to open before the first request: one per host for
// HTTP/2, which multiplexes requests, none without keep-alive, and none if a proxy is used, because
// connections then lead to the proxy.
func (r *run) prewarmCount() int {
	switch {
	case r.Proxy != nil, r.NoKeepAlive:
		return 0
	case r.HTTP2:
		return min(r.Connections, len(endpoints(r.Targets)))
	}
	return r.Connections
}

// waitForStart blocks until Start. If Start is zero it returns the zero time at once.
func (r *run) waitForStart(ctx context.Context) (time.Time, error) {
	if r.Start.IsZero() {
		return r.Start, nil
	}
	now := time.Now()
	start := now.Add(r.Start.Sub(now)) // with a monotonic clock reading, which Start may lack
	if start.Before(now) {
		return now, fmt.Errorf("%w, by %v", ErrLate, now.Sub(start))
	}
	wait, cancel := context.WithDeadline(ctx, start)
	defer cancel()
	<-wait.Done()
	if ctx.Err() != nil {
		return start, context.Cause(ctx)
	}
	return start, nil
}

// play runs vegeta's attack and delivers its results.
func (r *run) play(ctx context.Context, start time.Time) (Report, error) {
	client := http.Client{
		Transport:     r.roundTripper,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	attacker := vegeta.NewAttacker(vegeta.Client(&client), vegeta.MaxBody(0),
		vegeta.Workers(uint64(max(r.Connections, 1))), vegeta.MaxWorkers(uint64(r.Workers)))
	if start.IsZero() {
		start = time.Now()
	}
	r.start(start)
	stopped, over := make(chan struct{}), make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(stopped)
		r.schedule.stop()
		attacker.Stop()
		r.inflights.abortAfter(max(r.Grace, 0))
		select {
		case <-r.Abort:
			r.inflights.abort()
		case <-over:
		}
	})
	for range attacker.Attack(r.target, r.schedule, 0, "") {
		r.deliver()
	}
	close(over)
	err := error(nil)
	if !unwatch() {
		<-stopped
		err = context.Cause(ctx)
	}
	r.finish()
	if err == nil {
		err = r.schedule.timerErr
	}
	return r.report, err
}

func (r *run) start(start time.Time) {
	r.report.Start, r.schedule.start, r.inflights.start, r.schedule.offset.start = start, start, start, start
}

// target is a vegeta.Targeter. It fails only after a stop.
func (r *run) target(t *vegeta.Target) error {
	it, ok := r.schedule.take()
	if !ok {
		return errStopped
	}
	r.requests.fill(t, r.inflights.acquire(it))
	return nil
}

// deliver reports the attempts that have ended.
func (r *run) deliver() {
	r.completed = r.inflights.takeCompleted(r.completed)
	for i, f := range r.completed {
		r.settle(f)
		r.completed[i] = nil
	}
}

func (r *run) settle(f *inflight) {
	f.outcome(&r.outcome)
	r.outcome.Final = !r.schedule.end(f.item, f.status, f.ended)
	r.lag.add(f.sent - f.at)
	r.count(f.attempt, f.ended)
	if r.Raw != nil {
		r.Raw(r.vegetaResult(f))
	}
	r.Done(&r.outcome)
}

func (r *run) count(attempt int, end time.Duration) {
	r.report.Attempts++
	if attempt == 0 {
		r.report.Arrivals++
	}
	r.report.Elapsed = max(r.report.Elapsed, end)
}

// finish reports the requests left by a stop and completes the report.
func (r *run) finish() {
	r.inflights.close()
	r.deliver()
	now := time.Since(r.report.Start)
	for _, it := range r.schedule.takeAbandoned() {
		r.outcome = loadgen.Outcome{
			Arrival: it.arrival, Attempt: it.attempt, Final: true, Intended: it.at, Sent: now,
			Latency: now - it.arrival.At,
			Failure: loadgen.FailureStopped,
		}
		r.count(it.attempt, now)
		r.Done(&r.outcome)
	}
	r.report.Unsent, r.report.Peak, r.report.Workers = r.schedule.unsent(), r.inflights.gauge.Peak(), r.Workers
	r.report.Saturated = r.report.Peak >= r.Workers
	r.report.Lag = Lag{r.lag.quantile(0.5), r.lag.quantile(0.9), r.lag.quantile(0.99), r.lag.largest()}
}

// close releases what newRun opened.
func (r *run) close() {
	r.roundTripper.next.(*http.Transport).CloseIdleConnections()
	r.dialer.close()
	if r.clock != nil {
		r.clock.Close()
	}
	r.timer.Close()
}
