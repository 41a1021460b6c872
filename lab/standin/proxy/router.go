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

// takeOutbound goes on with a connection of the pod.
func (p *Proxy) takeOutbound(ctx context.Context, conn net.Conn, dst netip.AddrPort) {
	v := p.current()
	if identity := v.identityAt(dst); identity != "" && dst.Addr() != p.cfg.IP {
		p.passOn(ctx, conn, dst, identity)
		return
	}
	if v.targets[dst] == nil || opaquePort(dst.Port()) {
		p.passOn(ctx, conn, dst, "")
		return
	}
	what, conn, err := detect(ctx, conn, p.cfg.Detect)
	switch {
	case err != nil:
		_ = conn.Close()
	case what == http1:
		p.outbound.serve(&passage{Conn: conn, dst: dst})
	default:
		p.passOn(ctx, conn, dst, "")
	}
}

// passOn copies a connection to its destination as it is.
func (p *Proxy) passOn(ctx context.Context, conn net.Conn, dst netip.AddrPort, identity string) {
	to, err := p.connect(ctx, dst, identity)
	if err != nil {
		p.log.Debug("cannot pass a connection on", "to", dst, "error", err)
		reset(conn)
		return
	}
	tunnel(conn, to)
}

func (p *Proxy) current() *view {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.view
}

// journey is one request on its way through the router.
type journey struct {
	request *http.Request
	// asks is made when routes look at the request.
	asks  *mesh.Request
	begun time.Duration
	// deadline is when waiting for a backend ends.
	deadline time.Duration
	// failed is the last attempt that could not connect.
	failed *failure
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

// choice is what was decided about a journey.
type choice struct {
	target  *target
	asked   *asked
	rule    *rule
	backend *backend
	index   int
	// endpoint to send to; load is its place in the balancer.
	endpoint *endpoint
	load     *mesh.Endpoint
	// status and reason are an answer of the proxy's own; 0 for none.
	status int
	reason string
	// wait for changed, or until then, before choosing again.
	wait    bool
	changed <-chan struct{}
	until   time.Duration
	taken   time.Duration
}

// RoundTrip answers a request by a pod of the Service that the client has connected to, or by itself. An error means that the client
// has gone.
func (r *router) RoundTrip(request *http.Request) (*http.Response, error) {
	now := r.now()
	j := &journey{request: request, begun: now, deadline: now + r.cfg.Failfast}
	if request.Body != nil {
		// An attempt that could not connect must not close what another has to send.
		request.Body = io.NopCloser(request.Body)
	}
	for {
		c := r.choose(j)
		switch {
		case c.wait:
			if err := r.wait(request.Context(), c); err != nil {
				return nil, err
			}
		case c.status != 0:
			return synthetic(request, c.status, c.reason), nil
		default:
			response, err := r.send(j, c)
			if errors.As(err, &j.failed) {
				continue
			}
			return response, err
		}
	}
}

// choose decides where a request goes now.
func (r *router) choose(j *journey) choice {
	for {
		v := r.current()
		t := v.targets[through(j.request.Context()).dst]
		if t == nil {
			return choice{status: http.StatusBadGateway, reason: "the Service is gone"}
		}
		rule := v.match(t, func() *mesh.Request { return j.asked(t) })
		if rule == nil {
			return choice{status: http.StatusNotFound, reason: "no route matches"}
		}
		if c, ok := r.draw(j, v, t, rule); ok {
			return c
		}
	}
}

// asked returns the request as routes look at it.
func (j *journey) asked(t *target) *mesh.Request {
	if j.asks != nil && (j.asks.Headers != nil || !t.perRequest) {
		return j.asks
	}
	q := j.request
	host, _, err := net.SplitHostPort(q.Host)
	if err != nil {
		host = q.Host
	}
	j.asks = &mesh.Request{Method: q.Method, Host: host, Path: q.URL.EscapedPath(), Query: q.URL.RawQuery}
	if t.perRequest {
		j.asks.Headers = make([]mesh.Header, 0, len(q.Header))
		for name, values := range q.Header {
			for _, value := range values {
				j.asks.Headers = append(j.asks.Headers, mesh.Header{Name: name, Value: value})
			}
		}
	}
	return j.asks
}

// draw picks backend and endpoint, as the sim does. It is not ok when the view has changed since the rule was found.
func (r *router) draw(j *journey, v *view, t *target, rule *rule) (choice, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.view != v {
		return choice{}, false
	}
	now, n := r.now(), r.draws.Add(1)
	c := choice{target: t, asked: r.askedOf(t.ServicePort), rule: rule, taken: now}
	c.index = rule.Pick(r.routing.Bits(n), func(i int) bool { return r.usable(rule.backends[i], now) })
	if c.index < 0 {
		return r.park(j, c, now), true
	}
	c.backend = rule.backends[c.index]
	if !c.backend.exists {
		return r.refuse(j, c, http.StatusInternalServerError, "", "the backend "+c.backend.Name+" does not exist"), true
	}
	u := r.ready(c.backend, now)
	c.load = u.balancer.Pick(now, r.choosing.Bits(n))
	c.endpoint = u.endpoints[c.load.Key]
	c.load.Begin()
	return c, true
}

// park is what becomes of a request for which no backend is available: it waits, but not when others have waited in vain.
func (r *router) park(j *journey, c choice, now time.Duration) choice {
	if j.failed != nil && j.failed.endpoint.Identity == "" {
		// Linkerd waits for meshed pods, to which it keeps connections; to others it connects when a request comes.
		return r.fail(j, now)
	}
	if c.asked.failfast || now >= j.deadline {
		c.asked.failfast = true
		return r.refuse(j, c, http.StatusGatewayTimeout, mesh.ErrorFailFast, "no backend is available")
	}
	c.wait, c.changed, c.until = true, r.changed, r.rested(c.rule, now, j.deadline)
	return c
}

// fail answers a request whose last endpoint could not be connected to (linkerd2-proxy, linkerd/app/outbound/src/http/endpoint.rs,
// ClientRescue).
func (r *router) fail(j *journey, now time.Duration) choice {
	c, status := j.failed.choice, http.StatusBadGateway
	if errors.Is(j.failed, context.DeadlineExceeded) || errors.Is(j.failed, os.ErrDeadlineExceeded) {
		status = http.StatusGatewayTimeout
	}
	c.endpoint.out.Request(now)
	c.endpoint.out.Response(now, status, now-c.taken)
	return r.refuse(j, c, status, "", j.failed.Error())
}

// refuse is an answer of this proxy, for want of a backend.
func (r *router) refuse(j *journey, c choice, status int, label, reason string) choice {
	waited := r.now() - j.begun
	if c.backend != nil {
		b := r.backendStats(c.asked, c.target, c.rule, c.backend)
		b.Request()
		b.Response(status, waited)
	}
	r.route(c.asked, c.target, c.rule).Response(status, label, waited)
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

// send sends a request to the endpoint that was chosen.
func (r *router) send(j *journey, c choice) (*http.Response, error) {
	sent := false
	out := j.request.WithContext(httptrace.WithClientTrace(j.request.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) {
			if !sent { // and not when a kept connection turned out to be closed, and another was taken
				sent = true
				r.began(c)
			}
		},
	}))
	out.URL = &url.URL{
		Scheme: "http", Host: c.endpoint.Addr.String(),
		Path: j.request.URL.Path, RawPath: j.request.URL.RawPath, RawQuery: j.request.URL.RawQuery, ForceQuery: j.request.URL.ForceQuery,
	}
	to := c.rule.Backends[c.index]
	out.Header = filter(filter(out.Header, c.rule.RequestHeaders), to.RequestHeaders)
	response, err := c.endpoint.transport.RoundTrip(out)
	answered := r.now()
	r.settle(c, answered)
	switch {
	case err == nil:
		response.Header = filter(filter(response.Header, to.ResponseHeaders), c.rule.ResponseHeaders)
	case j.request.Context().Err() != nil:
		return nil, err
	case !sent:
		return nil, r.unreachable(c, err)
	default:
		response = synthetic(j.request, http.StatusBadGateway, fmt.Sprintf("%s (%s): %v", c.endpoint.Addr, c.endpoint.Pod, err))
	}
	atEnd(response, func() { r.ended(j, c, response.StatusCode, answered) })
	return response, nil
}

// began counts a request that is sent.
func (r *router) began(c choice) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.endpoint.failures = 0
	c.asked.failfast = false
	c.endpoint.out.Request(r.now())
	r.backendStats(c.asked, c.target, c.rule, c.backend).Request()
}

// settle tells the balancer how long the endpoint took. A request that ends without an answer counts with the time it took, as in
// Linkerd's (tower, tower/src/load/peak_ewma.rs).
func (r *router) settle(c choice, now time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.load.End(now, now-c.taken)
}

// unreachable leaves an endpoint out for a while.
func (r *router) unreachable(c choice, err error) *failure {
	f := &failure{c, err}
	r.log.Debug("cannot connect to an endpoint", "error", f)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rest(c.backend, c.endpoint, r.now())
	return f
}

// ended counts an answer. The endpoint's latency is the time until it began, that of the route until it ended (linkerd2-proxy,
// linkerd/http/metrics/src/requests/service.rs and linkerd/http/prom/src/record_response).
func (r *router) ended(j *journey, c choice, status int, answered time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	c.endpoint.out.Response(now, status, answered-c.taken)
	r.backendStats(c.asked, c.target, c.rule, c.backend).Response(status, now-c.taken)
	r.route(c.asked, c.target, c.rule).Response(status, "", now-j.begun)
}
