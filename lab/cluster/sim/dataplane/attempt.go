package dataplane

import (
	"net/http"
	"time"

	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
)

// attempt picks a backend for a request in the client's proxy, and sends it there.
func (p *Plane) attempt(h *hop) {
	h.attempted = p.now
	if p.cfg.ColdProxies {
		p.lookUp(h.from, h.service)
	}
	h.backend = p.pickBackend(h)
	if h.backend < 0 {
		p.refuse(h, mesh.ErrorStatus(mesh.ErrorLoadShed), mesh.ErrorLoadShed)
		return
	}
	to := h.rule.backends[h.backend].service
	if !to.exists {
		p.refuse(h, 500, "")
		return
	}
	if r := h.rule.compiled.Backends[h.backend].Redirect; r != nil {
		if status := p.redirect(h, r); status != 0 {
			p.refuse(h, status, "")
			return
		}
	}
	h.port = to.targetPort
	h.upstream = p.upstream(h.from, to)
	h.upstream.called = h.service
	p.refresh(h.upstream, h.service)
	p.statsOf(h).attempt(p.now, h.backend)
	p.dispatchTo(h)
}

// pickBackend picks one of the backends that do not fail fast, or -1.
func (p *Plane) pickBackend(h *hop) int {
	random := h.random(p.routing)
	if p.failing == 0 {
		return h.rule.compiled.Pick(random, func(int) bool { return true })
	}
	return h.rule.compiled.Pick(random, func(i int) bool {
		to := h.rule.backends[i].service
		return !to.exists || !p.upstream(h.from, to).FailsFast()
	})
}

// dispatchTo sends a request to an endpoint of its backend, or lets it wait for one. Endpoints enforce
// timeouts: they do not end the wait (linkerd2-proxy, linkerd/app/outbound/src/http/endpoint.rs).
func (p *Plane) dispatchTo(h *hop) {
	u := h.upstream
	h.endpoint = u.Pick(p.now, h.random(p.choosing))
	if h.endpoint == nil {
		p.park(h)
		return
	}
	e := u.edge(h.from, p.pods[h.endpoint.Key])
	if h.rule.limited {
		at, err := h.rule.timeouts.Deadline(h.rule.retry, int(h.try)+1, h.sent, p.now)
		h.deadline = err
		switch {
		case err == "":
		case at <= p.now:
			p.sendLate(h, e)
			return
		default:
			p.events.addTry(at, attemptTimeout, h, h.try)
		}
	}
	p.deliver(h, e)
}

// sendLate sends an attempt whose time is over: the client's proxy closes the stream as soon as it
// has opened it, so that the request does not come further than the server's proxy.
func (p *Plane) sendLate(h *hop, e *edge) {
	h.edge, h.server, h.dispatched = e, e.server, p.now
	p.begin(h)
	if h.server.Meshed && !p.portPolicy(h.server).Opaque() {
		if in := e.decide(p, h); in.allows() {
			in.Abandoned()
		} else {
			in.denied(p.now)
		}
	}
	p.countTimeout(h)
	p.attemptFailed(h, h.deadline)
}

// begin counts an attempt that is sent to a pod.
func (p *Plane) begin(h *hop) {
	if h.endpoint != nil {
		h.upstream.Begin(h.endpoint)
		h.edge.out.Request(p.now)
	}
	p.effectsOf(h.server).Attempts++
	h.servedBy = h.server.servedBy
}

// isPlain reports whether both proxies count the response to a request with the same latency, and send
// nothing again.
func (p *Plane) isPlain(h *hop) bool {
	return h.in != nil && h.endpoint != nil && h.sent == h.dispatched && h.rule.retry == nil &&
		p.statsOf(h).profile == nil
}

// countResponse counts a response in the proxies that it passes. It reports whether the client's sends
// the request again instead of passing it on.
func (p *Plane) countResponse(h *hop, status int, latency time.Duration) (again bool) {
	if h.in != nil {
		h.in.Response(p.now, status, latency)
	}
	if h.endpoint == nil {
		return false
	}
	p.endAttempt(h, status, latency)
	h.edge.out.Response(p.now, status, latency)
	again = p.sendsAgain(h, status, "")
	label := ""
	if again {
		label = mesh.ErrorUnknown
	}
	stats := p.statsOf(h)
	stats.attemptEnded(p.now, h, status, label)
	if !again {
		h.countRoute(stats, status, "", p.now)
	}
	return again
}

// endAttempt tells the balancer and the circuit breaker of the endpoint how an attempt ended.
func (p *Plane) endAttempt(h *hop, status int, latency time.Duration) {
	u := h.upstream
	if penalty, tripped := u.End(p.now, h.endpoint, latency, status, h.random(p.breaking)); tripped {
		p.effectsAt(h).Ejected++
		p.events.add(p.now+penalty, penaltyOver, u.id, uint32(h.endpoint.Key))
	} else if len(u.waiting) > 0 {
		p.recover(u)
	}
}

// maxTries bounds the attempts of a proxy, so that they can be counted in a byte.
const maxTries = 250

// sendsAgain reports whether the client's proxy sends a request again after a status or an error.
func (p *Plane) sendsAgain(h *hop, status int, err string) bool {
	if h.rule.profile != nil {
		return p.retriesByProfile(h, status, err)
	}
	r := h.rule.retry
	return r != nil && int(h.try) < min(r.Limit, guardrail.MaxRetries) && r.Retries(status, err)
}

// countRoute counts the end of a request in the client's proxy.
func (h *hop) countRoute(stats *routeStats, status int, err string, now time.Duration) {
	if r := h.rule.retry; r != nil {
		switch {
		case r.Retries(status, err):
			stats.route.RetryLimit()
		case h.try > 0 && err == "":
			stats.route.RetrySuccess()
		}
	}
	stats.ended(now, h, status, err)
}

// retry sends a request again after a pause.
func (p *Plane) retry(h *hop, status int, err string) {
	if (h.parent == nil || h.servedBy != 0) && !p.ofLoadTest(h) {
		p.stats.AddProxyRetry(h.request.Cohort, h.request.Route, h.servedBy)
	}
	p.effectsAt(h).Retried++
	h.priorFaultHit = h.priorFaultHit || h.faultHit
	*h = hop{
		id: h.id, gen: h.gen, request: h.request, depth: h.depth, from: h.from, service: h.service, parent: h.parent,
		parentGen: h.parentGen, firstSent: h.firstSent, sent: h.sent, try: h.try + 1, draws: h.draws,
		session: h.session, item: h.item, rule: h.rule, stats: h.stats, priorFaultHit: h.priorFaultHit,
		extra: h.extra, drops: h.drops, load: h.load, worker: h.worker,
	}
	pause := time.Duration(0)
	if r := h.rule.retry; r != nil {
		pause = r.Backoff(int(h.try), h.random(p.backingOff))
	}
	p.events.add(p.now+pause, meshRetry, h.id, h.gen)
}

// attemptFailed ends an attempt with an error of the client's proxy.
func (p *Plane) attemptFailed(h *hop, err string) {
	stats := p.statsOf(h)
	stats.attemptEnded(p.now, h, 0, err)
	if err == mesh.ErrorFailFast {
		h.unserved(h.upstream.service)
	}
	if p.sendsAgain(h, 0, err) {
		p.retry(h, 0, err)
		return
	}
	h.countRoute(stats, 0, err, p.now)
	h.byMesh = !h.faultHit
	p.finish(h, mesh.ErrorStatus(err))
}

// timeOut ends an attempt whose time is over. The pod goes on working on it.
func (p *Plane) timeOut(h *hop) {
	if h.endpoint != nil && !h.abandoned && h.status == 0 {
		p.countTimeout(h)
		p.attemptFailed(p.detach(h), h.deadline)
	}
}

// countTimeout counts an attempt whose time is over. It is a failure to the circuit breaker
// (linkerd2-proxy, linkerd/http/classify/src/channel.rs, ResponseFuture).
func (p *Plane) countTimeout(h *hop) {
	p.effectsAt(h).TimedOut++
	h.edge.out.Failed(p.now)
	p.endAttempt(h, http.StatusGatewayTimeout, p.now-h.dispatched)
}

// detach splits a hop whose attempt the client's proxy gives up: the returned one goes on for the
// client, h for the pod.
func (p *Plane) detach(h *hop) *hop {
	n := p.newHop()
	*n = hop{
		id: n.id, gen: n.gen, request: h.request, depth: h.depth, from: h.from, service: h.service, parent: h.parent,
		parentGen: h.parentGen, firstSent: h.firstSent, sent: h.sent, attempted: h.attempted, try: h.try,
		draws: h.draws, session: h.session, item: h.item, rule: h.rule, stats: h.stats, backend: h.backend,
		upstream: h.upstream, deadline: h.deadline, load: h.load, worker: h.worker,
		faultHit: h.faultHit, priorFaultHit: h.priorFaultHit, servedBy: h.servedBy,
		extra: h.extra, drops: h.drops,
	}
	if caller := h.parent; caller != nil && caller.callee == h {
		caller.callee, caller.calleeGen = n, n.gen
	}
	h.abandoned, h.parent, h.endpoint = true, nil, nil
	return n
}
