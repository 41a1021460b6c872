package recordings

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coalmine/lab/mesh"
)

// exchange is a request in the client's proxy, with its attempts.
type exchange struct {
	x        *client
	service  *corev1.Service
	parent   mesh.ServicePort
	rule     *mesh.CompiledRule
	policy   *mesh.ServicePolicy
	timeouts mesh.Timeouts
	retry    *mesh.Retry
	request  *call
	received time.Duration
	done     func(reply)

	attempts int
	finished bool
}

// result is what an attempt came to: a reply, or an error of the proxy.
type result struct {
	reply
	proxy string
	// final is set if the request is not sent again whatever the status.
	final bool
}

// counted is the status that metrics have: none with an error of the proxy.
func (r result) counted() int {
	if r.proxy != "" {
		return 0
	}
	return r.status
}

// attempt sends the request to a backend.
func (e *exchange) attempt() {
	e.attempts++
	x := e.x
	backends := e.rule.Backends
	if len(backends) == 0 {
		backends = []mesh.Backend{own(e.parent)}
	}
	withBackends := *e.rule
	withBackends.Backends = backends
	to := func(i int) mesh.ServicePort {
		return mesh.ServicePort{Namespace: backends[i].Namespace, Name: backends[i].Service, Port: backends[i].Port}
	}
	exists := func(i int) bool {
		return backends[i].Invalid == "" && x.c.services[to(i).Namespace+"/"+to(i).Name] != nil
	}
	for i := range backends {
		if exists(i) {
			x.pool(e.parent, to(i)) // the proxy looks up all backends of a rule
		}
	}
	i := withBackends.Pick(x.c.bits(), func(i int) bool { return !exists(i) || !x.pool(e.parent, to(i)).FailsFast() })
	switch {
	case i < 0:
		e.ended(result{reply: reply{proxyError: "service unavailable"}, proxy: mesh.ErrorLoadShed})
	case !exists(i):
		stats := x.backendStats(e.parent, e.rule.Route, mesh.ServicePort{})
		stats.Request()
		stats.Response(500, "", 0)
		why := backends[i].Invalid
		if why == "" {
			why = "Service not found " + to(i).Name
		}
		e.ended(result{reply: reply{status: 500, proxyError: why}, final: true})
	default:
		if r, ok := redirect(backends[i].Redirect, e.rule, e.request.seen()); ok {
			stats := x.backendStats(e.parent, e.rule.Route, to(i))
			stats.Request()
			stats.Response(r.counted(), r.proxy, 0)
			e.ended(r)
			return
		}
		a := &attempt{e: e, backend: backends[i], to: to(i), pool: x.pool(e.parent, to(i)), sent: x.c.now,
			request: *e.request}
		a.request.of = e.request
		a.start()
	}
}

// own is the backend of a Service without others: its own endpoints.
func own(s mesh.ServicePort) mesh.Backend {
	return mesh.Backend{Service: s.Name, Namespace: s.Namespace, Port: s.Port, Weight: 1}
}

// ended decides whether the request is sent again.
func (e *exchange) ended(r result) {
	x, stats := e.x, e.x.routeStats(e.parent, e.rule.Route)
	retries := e.retry != nil && !r.final && e.request.body <= mesh.MaxRetryBody && e.retry.Retries(r.status, r.proxy)
	if retries && e.attempts <= e.retry.Limit {
		x.c.after(e.retry.Backoff(e.attempts, x.c.bits()), func() {
			if !e.request.canceled() {
				stats.Retry()
				e.attempt()
			}
		})
		return
	}
	switch {
	case retries:
		stats.RetryLimit()
	case e.attempts > 1 && r.proxy == "" && !r.final:
		stats.RetrySuccess()
	}
	stats.Response(r.counted(), r.proxy, x.c.now-e.received)
	switch {
	case r.proxy != "" && !r.final:
		r.status = mesh.ErrorStatus(r.proxy)
		r.proxyError = e.proxyError(r)
		if r.proxy == mesh.ErrorFailFast || r.proxy == mesh.ErrorLoadShed {
			r.headers = map[string]string{"L5d-Proxy-Connection": "close"}
		}
	case !r.final: // filters see no answers of the proxy itself
		r.headers = withFilter(r.headers, e.rule.ResponseHeaders)
	}
	x.c.after(x.c.noise(), func() {
		if !e.finished {
			e.finished = true
			e.done(r.reply)
		}
	})
}

// proxyError is the text of l5d-proxy-error.
func (e *exchange) proxyError(r result) string {
	return logical + "route " + routeName(e.rule.Route) + ": " + r.reply.proxyError
}

// attempt is one request to an endpoint of a backend.
type attempt struct {
	e        *exchange
	backend  mesh.Backend
	to       mesh.ServicePort
	pool     *pool
	request  call
	sent     time.Duration
	endpoint *mesh.Endpoint
	server   *pod
	out      *mesh.Outbound
	started  time.Duration
	over     bool
}

func (a *attempt) start() {
	e, x := a.e, a.e.x
	a.stats().Request()
	a.pool.Configure(x.c.now, e.policy.Accrual)
	a.request.added = map[string]string{}
	for _, f := range []mesh.HeaderFilter{e.rule.RequestHeaders, a.backend.RequestHeaders} {
		a.request.headers, a.request.added = filtered(a.request.headers, a.request.added, f)
	}
	a.dispatch()
}

func (a *attempt) stats() *mesh.BackendStats {
	return a.e.x.backendStats(a.e.parent, a.e.rule.Route, a.to)
}

// dispatch sends the request, or lets it wait for an endpoint.
func (a *attempt) dispatch() {
	x := a.e.x
	if a.over || a.e.request.canceled() {
		return
	}
	a.endpoint = a.pool.Pick(x.c.now, x.c.bits())
	if a.endpoint == nil {
		a.wait()
		return
	}
	a.server = x.c.pods[a.endpoint.Key]
	if a.connect() {
		a.server.receive(x.self, a.begin(), &a.request, a.answered)
	}
}

// begin counts the attempt at its endpoint, and returns the port of the pod.
func (a *attempt) begin() int {
	x := a.e.x
	a.pool.Begin(a.endpoint)
	a.started = x.c.now
	at, name := a.e.timeouts.Deadline(a.e.retry, a.e.attempts, a.e.received, x.c.now)
	if at > 0 { // endpoints enforce timeouts: a request that waits for one has none yet
		x.c.after(at-x.c.now, func() { a.timeout(name) })
		a.request.gone = at <= x.c.now // the server's proxy is told with the request
	}
	port := targetPort(a.pool.service, a.to.Port, a.server)
	a.out = x.out(a.server, port, a.to)
	a.out.Request(x.c.now)
	return port
}

func (a *attempt) wait() {
	x, p := a.e.x, a.pool
	if p.FailsFast() {
		a.fail(mesh.ErrorFailFast)
		return
	}
	p.queue = append(p.queue, a.dispatch)
	timer, start := p.Wait()
	if !start {
		return
	}
	x.c.after(mesh.FailfastAfter, func() {
		if p.Expire(timer) {
			waiting := p.queue
			p.queue = nil
			for _, dispatch := range waiting {
				dispatch()
			}
		}
	})
}

// answered is called with the response of the pod.
func (a *attempt) answered(r reply) {
	x := a.e.x
	if a.over {
		return
	}
	a.over = true
	if a.e.request.canceled() {
		a.pool.Cancel(x.c.now, a.endpoint, x.c.now-a.started)
		return
	}
	rtt := x.c.now - a.started
	a.out.Response(x.c.now, r.status, rtt)
	a.judged(rtt, r.status)
	r.headers = withFilter(r.headers, a.backend.ResponseHeaders)
	e := a.e
	retried := e.retry != nil && e.request.body <= mesh.MaxRetryBody && e.retry.Retries(r.status, "") &&
		e.attempts <= e.retry.Limit
	label := ""
	if retried {
		label = mesh.ErrorUnknown
	}
	a.stats().Response(r.status, label, x.c.now-a.sent)
	e.ended(result{reply: r})
}

// judged tells the pool about a response.
func (a *attempt) judged(rtt time.Duration, status int) {
	x, p, key := a.e.x, a.pool, a.endpoint.Key
	if penalty, tripped := p.End(x.c.now, a.endpoint, rtt, status, x.c.bits()); tripped {
		x.c.after(penalty, func() {
			p.Probe(key)
			x.drain(p)
		})
	}
	x.drain(p)
}

// timeout ends the attempt.
func (a *attempt) timeout(name string) {
	if a.over || a.e.request.canceled() {
		return
	}
	a.request.gone = true
	a.over = true
	a.out.Failed(a.e.x.c.now)
	a.judged(a.e.x.c.now-a.started, http.StatusGatewayTimeout) // a failure to the circuit breaker
	a.fail(name)
}

// fail ends the attempt with an error of the proxy.
func (a *attempt) fail(name string) {
	a.over = true
	a.stats().Response(0, name, a.e.x.c.now-a.sent)
	at := fmt.Sprintf("Service.%s.%s:%d: ", a.to.Namespace, a.to.Name, a.to.Port)
	a.e.ended(result{reply: reply{proxyError: "backend " + at + at + a.reason(name)}, proxy: name})
}

func (a *attempt) reason(name string) string {
	const waiting = "timed out waiting for response headers: "
	switch name {
	case mesh.ErrorRequestTimeout:
		return waiting + "request timeout: " + rust(a.e.timeouts.Request)
	case mesh.ErrorResponseStreamTimeout:
		return waiting + "response stream timeout: " + rust(a.e.timeouts.Response)
	case mesh.ErrorResponseHeadersTimeout:
		return waiting + "response header timeout: " + rust(a.e.retry.Timeout)
	}
	return "service in fail-fast"
}

// withFilter returns a response's headers after a filter.
func withFilter(headers map[string]string, f mesh.HeaderFilter) map[string]string {
	changed := maps.Clone(headers)
	if changed == nil {
		changed = map[string]string{}
	}
	for _, h := range f.Add {
		if _, ok := changed[h.Name]; !ok { // recordings have the first of several values
			changed[h.Name] = h.Value
		}
	}
	for _, h := range f.Set {
		changed[h.Name] = h.Value
	}
	for _, name := range f.Remove {
		maps.DeleteFunc(changed, func(k, _ string) bool { return strings.EqualFold(k, name) })
	}
	return changed
}

// filtered returns a request's headers, and those that filters have added, after a filter.
func filtered(headers []mesh.Header, added map[string]string, f mesh.HeaderFilter) ([]mesh.Header, map[string]string) {
	headers = slices.DeleteFunc(slices.Clone(headers), func(h mesh.Header) bool {
		return slices.ContainsFunc(f.Set, func(s mesh.Header) bool { return strings.EqualFold(s.Name, h.Name) }) ||
			slices.ContainsFunc(f.Remove, func(name string) bool { return strings.EqualFold(name, h.Name) })
	})
	return headers, withFilter(added, mesh.HeaderFilter{Add: f.Add, Set: f.Set, Remove: f.Remove})
}

// rust writes a duration as the proxy does.
func rust(d time.Duration) string {
	switch {
	case d == mesh.AtOnce:
		return "0ns"
	case d < time.Second:
		return d.String()
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
}
