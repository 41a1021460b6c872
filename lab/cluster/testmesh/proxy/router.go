package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"os"
	"time"

	"coalmine/lab/mesh"
)

// router sends a client's requests to the pods of Services, by the routes in force.
type router struct{ *Proxy }

// handleOutbound handles a connection of the pod.
func (p *Proxy) handleOutbound(ctx context.Context, conn net.Conn, dst netip.AddrPort) {
	state := p.current()
	if identity := state.identityAt(dst); identity != "" && dst.Addr() != p.cfg.IP {
		p.forwardRaw(ctx, conn, dst, identity)
		return
	}
	if t := state.targets[dst]; t == nil || opaquePort(dst.Port()) || t.policy.Protocol == mesh.ProtocolOpaque {
		p.forwardRaw(ctx, conn, dst, "")
		return
	}
	proto, conn, err := detect(ctx, conn, p.cfg.Detect)
	switch {
	case err != nil:
		_ = conn.Close()
	case proto == http1:
		p.outbound.serve(&redirectedConn{Conn: conn, dst: dst})
	default:
		p.forwardRaw(ctx, conn, dst, "")
	}
}

// forwardRaw copies a connection to its destination as it is.
func (p *Proxy) forwardRaw(ctx context.Context, conn net.Conn, dst netip.AddrPort, identity string) {
	to, err := p.connect(ctx, dst, identity)
	if err != nil {
		p.log.Debug("cannot forward a connection", "to", dst, "error", err)
		reset(conn)
		return
	}
	tunnel(conn, to)
}

func (p *Proxy) current() *clusterState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// outboundRequest is a request in the router.
type outboundRequest struct {
	request *http.Request
	// meshRequest is the request for matching routes, nil until it is needed.
	meshRequest *mesh.Request
	start       time.Duration
	// deadline is when waiting for a backend ends; waited is set once that has begun.
	deadline time.Duration
	waited   bool
	// parked is the choice of a request that waits for the endpoints of its backend.
	parked *choice
	// failed is the last attempt that could not connect.
	failed *failure
	attempt
	// body sends the body again, nil if it cannot; bodyRead is set once that is known.
	body     func() io.ReadCloser
	bodyRead bool
}

// attempt is one try of a request.
type attempt struct {
	// number counts from 1.
	number int
	// ends is when the attempt ends at its endpoint, 0 for never, with an error.
	ends time.Duration
	err  string
	// choice is the last one; retried is set if another attempt follows.
	choice  choice
	retried bool
}

// failure is an attempt at an endpoint that could not be connected to: nothing was sent.
type failure struct {
	choice
	err error
}

func (f *failure) Error() string {
	return fmt.Sprintf("connect to %s (%s): %v", f.endpoint.Addr, f.endpoint.Pod, f.err)
}

func (f *failure) Unwrap() error { return f.err }

// choice is a decision about a request.
type choice struct {
	target  *target
	stats   *targetStats
	rule    *rule
	backend *backend
	index   int
	// endpoint of upstream is where to send, load its place in the balancer.
	upstream *upstream
	endpoint *endpoint
	load     *mesh.Endpoint
	// status and reason are those of a response of the proxy's own; 0 for none.
	status int
	reason string
	// wait means to choose again when changed is closed, or at until.
	wait     bool
	changed  <-chan struct{}
	until    time.Duration
	pickedAt time.Duration
}

// RoundTrip has a request answered by a pod of the Service that the client connected to, or answers
// it itself. An error means that the client is gone.
func (r *router) RoundTrip(request *http.Request) (*http.Response, error) {
	j := &outboundRequest{request: request, start: r.now()}
	if request.Body != nil {
		// An attempt that cannot connect must not close the body, which the next attempt sends.
		request.Body = io.NopCloser(request.Body)
	}
	for {
		j.attempt = attempt{number: j.number + 1}
		j.deadline, j.waited, j.parked, j.failed = r.now()+r.cfg.Failfast, false, nil, nil
		response, err := r.try(j)
		if err != nil || !j.retried {
			return response, err
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxHeader)) // to use the connection again
		_ = response.Body.Close()
		if err := r.backOffRetry(j); err != nil {
			return nil, err
		}
	}
}

// try makes one attempt.
func (r *router) try(j *outboundRequest) (*http.Response, error) {
	for {
		c := r.choose(j)
		switch {
		case c.wait:
			if err := r.wait(j.request.Context(), c); err != nil {
				return nil, err
			}
		case c.status != 0:
			return synthetic(j.request, c.status, c.reason), nil
		default:
			response, err := r.send(j, c)
			if errors.As(err, &j.failed) {
				continue
			}
			return response, err
		}
	}
}

// choose decides what to do with a request now.
func (r *router) choose(j *outboundRequest) choice {
	if j.parked != nil {
		return r.resume(j)
	}
	for {
		state := r.current()
		t := state.targets[connOf(j.request.Context()).dst]
		if t == nil {
			return choice{status: http.StatusBadGateway, reason: "the Service is gone"}
		}
		rule := state.match(t, func() *mesh.Request { return j.toMesh(t) })
		if rule == nil {
			return choice{status: http.StatusNotFound, reason: j.describe() + "no route"}
		}
		j.keepBody(rule)
		if c, ok := r.pick(j, state, t, rule); ok {
			return c
		}
	}
}

// toMesh returns the request for matching routes.
func (j *outboundRequest) toMesh(t *target) *mesh.Request {
	if j.meshRequest != nil && (j.meshRequest.Headers != nil || !t.perRequest) {
		return j.meshRequest
	}
	j.meshRequest = toMesh(j.request, t.perRequest)
	return j.meshRequest
}

// toMesh returns a request for matching routes, with its headers if they are needed.
func toMesh(q *http.Request, headers bool) *mesh.Request {
	host, _, err := net.SplitHostPort(q.Host)
	if err != nil {
		host = q.Host
	}
	r := &mesh.Request{Method: q.Method, Host: host, Path: q.URL.EscapedPath(), Query: q.URL.RawQuery}
	if headers {
		r.Headers = make([]mesh.Header, 0, len(q.Header))
		for name, values := range q.Header {
			for _, value := range values {
				r.Headers = append(r.Headers, mesh.Header{Name: name, Value: value})
			}
		}
	}
	return r
}

// pick picks a backend and an endpoint, as the sim does. It returns false if the state has changed
// since the rule was matched.
func (r *router) pick(j *outboundRequest, state *clusterState, t *target, rule *rule) (choice, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != state {
		return choice{}, false
	}
	now, n := r.now(), r.draws.Add(1)
	r.lookUp(state, t, now)
	c := choice{target: t, stats: r.statsOf(t.ServicePort), rule: rule, pickedAt: now}
	c.index = rule.Pick(r.backendRNG.Bits(n), func(i int) bool { return r.usable(rule.backends[i], now) })
	if c.index < 0 {
		return r.queue(j, c, now), true
	}
	c.backend = rule.backends[c.index]
	if !c.backend.exists {
		return r.refuse(j, c, http.StatusInternalServerError, "", "Service not found "+c.backend.Name), true
	}
	u := r.upstreamFor(c.backend, now)
	u.configure(state, t, now)
	if !u.balancer.Available() {
		return r.park(j, c, now), true
	}
	return r.balance(j, c, u, now), true
}

// queue decides on a request without an available backend: it waits and gets a 504. Those that come
// after another has waited in vain get a 503 at once.
func (r *router) queue(j *outboundRequest, c choice, now time.Duration) choice {
	if j.failed != nil && j.failed.endpoint.Identity == "" {
		// Linkerd waits for meshed pods, to which it keeps connections; to others it connects when
		// a request arrives.
		return r.fail(j, now)
	}
	switch {
	case c.stats.failfast && !j.waited:
		return r.refuse(j, c, http.StatusServiceUnavailable, mesh.ErrorLoadShed,
			j.describe()+c.describe()+"service unavailable")
	case c.stats.failfast || now >= j.deadline:
		if !c.stats.failfast {
			c.stats.failfast = true
			r.wake() // the others that wait
		}
		return r.refuse(j, c, http.StatusGatewayTimeout, mesh.ErrorFailFast,
			j.describe()+c.describeBackend()+"service in fail-fast")
	}
	j.waited = true
	c.wait, c.changed, c.until = true, r.changed, r.nextRetry(c.rule, now, j.deadline)
	return c
}

// describe says which Service a request is for, as Linkerd's errors do.
func (j *outboundRequest) describe() string {
	return fmt.Sprintf("logical service %v: ", connOf(j.request.Context()).dst)
}

// describe says which rule a request follows, as Linkerd's errors do.
func (c *choice) describe() string {
	if c.rule.Route == nil {
		return "route default.http: "
	}
	return fmt.Sprintf("route HTTPRoute.%s.%s: ", c.rule.Route.Namespace, c.rule.Route.Name)
}

// describeBackend says which backend a request is for, after its rule.
func (c *choice) describeBackend() string {
	b := c.backend
	if b == nil {
		b = c.rule.backends[0]
	}
	name := fmt.Sprintf("Service.%s.%s:%d", b.Namespace, b.Name, b.Port)
	return c.describe() + "backend " + name + ": " + name + ": "
}

// fail answers a request whose last endpoint could not be connected to (linkerd2-proxy,
// linkerd/app/outbound/src/http/endpoint.rs, ClientRescue).
func (r *router) fail(j *outboundRequest, now time.Duration) choice {
	c, status := j.failed.choice, http.StatusBadGateway
	if errors.Is(j.failed, context.DeadlineExceeded) || errors.Is(j.failed, os.ErrDeadlineExceeded) {
		status = http.StatusGatewayTimeout
	}
	c.endpoint.out.Request(now)
	c.endpoint.out.Response(now, status, now-c.pickedAt)
	return r.refuse(j, c, status, "", j.failed.Error())
}

// refuse answers a request for which there is no backend.
func (r *router) refuse(j *outboundRequest, c choice, status int, label, reason string) choice {
	waited, counted := r.now()-j.start, status
	if label != "" {
		counted = 0
	}
	if c.backend != nil {
		b := r.backendStats(c.stats, c.target, c.rule, c.backend)
		b.Request()
		b.Response(counted, label, waited)
	}
	r.finish(j, c, counted, label)
	c.status, c.reason = status, reason
	return c
}

// wait waits until there may be a backend.
func (r *router) wait(ctx context.Context, c choice) error {
	t := time.NewTimer(max(c.until-r.now(), time.Millisecond))
	defer t.Stop()
	select {
	case <-c.changed:
	case <-t.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// send sends a request to the chosen endpoint.
func (r *router) send(j *outboundRequest, c choice) (*http.Response, error) {
	sent := false
	ctx, done := r.withLimit(j)
	out := j.request.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) {
			if !sent { // not again when a closed idle connection is replaced by another
				sent = true
				r.countRequest(c)
			}
		},
	}))
	out.URL = &url.URL{
		Scheme: "http", Host: c.endpoint.Addr.String(),
		Path: j.request.URL.Path, RawPath: j.request.URL.RawPath, RawQuery: j.request.URL.RawQuery,
		ForceQuery: j.request.URL.ForceQuery,
	}
	to := c.rule.Backends[c.index]
	out.Header = filter(filter(out.Header, c.rule.RequestHeaders), to.RequestHeaders)
	if j.body != nil {
		out.Body = j.body()
	}
	response, err := c.endpoint.transport.RoundTrip(out)
	over := !done()
	answered := r.now()
	gone := j.request.Context().Err() != nil
	status := http.StatusBadGateway
	switch {
	case gone, err != nil && !over && (!sent || isConnectError(err)):
		status = 0
	case over:
		status = http.StatusGatewayTimeout
	case err == nil:
		status = response.StatusCode
	}
	r.ended(c, answered, status)
	switch {
	case err == nil && over:
		_ = response.Body.Close()
		return r.sendTimedOut(j, c), nil
	case err != nil && over && j.request.Context().Err() == nil:
		return r.sendTimedOut(j, c), nil
	case err == nil:
		response.Header = filter(filter(response.Header, to.ResponseHeaders), c.rule.ResponseHeaders)
	case j.request.Context().Err() != nil:
		return nil, err
	case !sent || isConnectError(err):
		// The latter: an idle connection was closed by its server, and none can replace it.
		return nil, r.unreachable(c, err)
	default:
		response = synthetic(j.request, http.StatusBadGateway,
			fmt.Sprintf("%s (%s): %v", c.endpoint.Addr, c.endpoint.Pod, err))
	}
	if j.retried = r.retries(j, c.rule, response.StatusCode, ""); j.retried {
		r.countRetried(j, c, response.StatusCode, answered)
		return response, nil
	}
	onBodyEnd(response, func() { r.countResponse(j, c, response.StatusCode, answered) })
	return response, nil
}

// countRequest counts a request that is sent.
func (r *router) countRequest(c choice) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.endpoint.failures = 0
	c.stats.failfast = false
	c.endpoint.out.Request(r.now())
	r.backendStats(c.stats, c.target, c.rule, c.backend).Request()
}

// ended tells the balancer and the circuit breaker of an endpoint how an attempt ended: with a status,
// or with 0 if its client gave it up or it was not sent.
func (r *router) ended(c choice, now time.Duration, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endAttempt(c, now, status)
}

// endAttempt is ended with the lock held. A request without a response counts with the time it took, as
// in Linkerd's (tower, tower/src/load/peak_ewma.rs).
func (r *router) endAttempt(c choice, now time.Duration, status int) {
	u := c.upstream
	if status == 0 {
		u.balancer.Cancel(now, c.load, now-c.pickedAt)
		return
	}
	before := u.balancer.Available()
	random := r.retryRNG.Bits(r.draws.Add(1))
	if wait, tripped := u.balancer.End(now, c.load, now-c.pickedAt, status, random); tripped {
		u.penalties = append(u.penalties, penalty{c.load.Key, now + wait})
	}
	if !before && u.balancer.Available() {
		r.wake()
	}
}

// isConnectError reports whether a request failed because its endpoint cannot be connected to.
func isConnectError(err error) bool {
	var e *connectError
	return errors.As(err, &e)
}

// unreachable backs off from an endpoint.
func (r *router) unreachable(c choice, err error) *failure {
	f := &failure{c, err}
	r.log.Debug("cannot connect to an endpoint", "error", f)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.backOff(c.backend, c.endpoint, r.now())
	return f
}

// countResponse counts a response. The endpoint's latency ends with the response's headers, that of
// the route with its body (linkerd2-proxy, linkerd/http/metrics/src/requests/service.rs and
// linkerd/http/prom/src/record_response).
func (r *router) countResponse(j *outboundRequest, c choice, status int, answered time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	c.endpoint.out.Response(now, status, answered-c.pickedAt)
	r.backendStats(c.stats, c.target, c.rule, c.backend).Response(status, "", now-c.pickedAt)
	r.countRoute(j, c, status, "")
}
