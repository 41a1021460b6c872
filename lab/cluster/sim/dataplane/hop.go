package dataplane

import (
	"slices"
	"time"

	"coalmine/lab/mesh"
	"coalmine/lab/service"
	"coalmine/loadgen/rng"
)

// maxDepth bounds chains of calls, so that services that call each other in a cycle come to an end:
// a deeper hop is answered 502.
const maxDepth = 8

// hop is one request from one pod to a Service, from when the client's proxy receives it to its
// response. Hops are reused; gen counts the uses.
type hop struct {
	id  int32
	gen uint32

	request service.Request
	depth   int
	// from is the sender, service the Service that it calls. parent is the hop that made this call,
	// or nil for a user's request.
	from      *pod
	service   *meshService
	parent    *hop
	parentGen uint32

	// firstSent is when the user sent the request for the first time, sent when the client's proxy
	// received this attempt, attempted when the proxy chose a backend, dispatched when it chose an
	// endpoint.
	firstSent, sent, attempted, dispatched time.Duration
	// deadline is the error that ends the attempt when its time is over; "" means none.
	deadline string
	// try counts the attempts of the client's proxy, from 0; draws tells those of the proxies before
	// it apart.
	try, draws uint8
	// abandoned is set when the client's proxy has given up the attempt, which the pod still works
	// on.
	abandoned bool
	// session and item are those of the arrival.
	session, item uint32
	// load is the load test that sent the request with one of its workers; nil for a user's request
	// and for calls of services.
	load   *loadTest
	worker int
	// port is the target port of the Service; 0 is the one that the server listens on.
	port int
	rule *rule
	// stats are the counters of the rule in the client's proxy; nil until they are first needed.
	stats    *routeStats
	backend  int
	upstream *upstream
	endpoint *mesh.Endpoint
	edge     *edge
	// in counts for the server's proxy. It is nil without one, or if the request was not admitted.
	in *inbound

	// server works on the request in a slot.
	server *pod
	slot   service.Slot
	work   service.Work
	// inPod is set while the server's process has the request.
	inPod bool
	// parked is set while no endpoint is available.
	parked bool

	// calleeStatus is the status of the call to another service, or 0 without one.
	calleeStatus int
	// callee is the call that the work waits for, or nil.
	callee    *hop
	calleeGen uint32
	calls     calls
	// drops are the headers of the user's request that it lacks.
	drops []string
	// extra is set for load that only a changed version makes: a retry of its process, or a call that
	// the process has given up.
	extra    bool
	wrong    bool
	faultHit bool
	// byMesh is set if a proxy answered in place of the service that was called.
	byMesh bool
	// priorFaultHit is set if a fault hit an earlier attempt.
	priorFaultHit bool
	// servedBy is the workload of the released service that the request reached, on this hop or a
	// later one.
	servedBy int
	// status is that of the response to a user's request, once there is one.
	status int
}

// newHop returns a zeroed hop that starts now.
func (p *Plane) newHop() *hop {
	if n := len(p.free); n > 0 {
		h := p.free[n-1]
		p.free = p.free[:n-1]
		id, gen := h.id, h.gen
		*h = hop{}
		h.id, h.gen, h.sent = id, gen, p.now
		return h
	}
	h := &hop{id: int32(len(p.hops)), sent: p.now}
	p.hops = append(p.hops, h)
	return h
}

// tag identifies the hop to the pod that works on it.
func (h *hop) tag() uint64 { return uint64(h.gen)<<32 | uint64(uint32(h.id)) }

// random returns random bits of the hop. Those of different attempts are independent.
func (h *hop) random(s rng.Stream) uint64 {
	return s.Bits((h.request.Seq*(maxDepth+1) + uint64(h.depth)) ^ uint64(h.request.Attempt)<<56 ^
		uint64(h.allDraws())<<48)
}

// allDraws tells attempts by proxies apart: this hop's, and those of the hops before it. Those of up
// to 256 attempts differ.
func (h *hop) allDraws() uint8 { return h.draws + 37*h.try }

// send finds the rule of a request in the client's proxy.
func (p *Plane) send(h *hop) {
	if h.depth >= maxDepth {
		p.finish(h, 502)
		return
	}
	if !h.from.Meshed || h.service.policy.Protocol == mesh.ProtocolOpaque {
		p.sendDirect(h)
		return
	}
	h.rule = p.rule(h)
	if status := p.withoutBackend(h); status != 0 {
		h.byMesh = true
		p.finish(h, status)
		return
	}
	if h.rule.profile != nil {
		p.startProfiled(h)
	}
	p.attempt(h)
}

// withoutBackend returns the status of a request that the client's proxy answers whatever the
// backends, or 0. A connection that it closes, or in whose answers the client sees no HTTP, counts as
// 502.
func (p *Plane) withoutBackend(h *hop) int {
	switch {
	case h.service.policy.Protocol == mesh.ProtocolHTTP2:
		return 502
	case h.rule == nil:
		return 404
	case h.rule.broken:
		return 502
	case h.rule.compiled.Redirect != nil:
		if status := p.redirect(h, h.rule.compiled.Redirect); status != 0 {
			p.statsOf(h).ended(p.now, h, status, "")
			return status
		}
	}
	return 0
}

// redirect returns the status that a redirect answers a request with, or 0 if it does not.
func (p *Plane) redirect(h *hop, r *mesh.Redirect) int {
	request := p.asked(h)
	status, _, _ := r.Answer(request, h.rule.compiled.MatchedPrefix(request))
	return status
}

// sendDirect sends a request without a client proxy: to any endpoint of the Service itself, as
// kube-proxy does.
func (p *Plane) sendDirect(h *hop) {
	n := len(h.service.endpoints)
	if n == 0 {
		h.unserved(h.service)
		p.finish(h, 503) // connection refused
		return
	}
	h.port = h.service.targetPort
	to := h.service.endpoints[rng.Below(h.random(p.choosing), uint64(n))]
	p.deliver(h, p.upstream(h.from, h.service).edge(h.from, to))
}

// deliver sends the request to a pod: to its proxy's policy, then to its process.
func (p *Plane) deliver(h *hop, e *edge) {
	h.edge, h.server, h.dispatched = e, e.server, p.now
	p.begin(h)
	d := h.server
	h.byMesh = d.Service != h.service.name // a route leads to another service
	if d.Meshed && !p.admit(h, e) {
		return
	}
	if h.port != 0 && h.port != d.Port {
		h.in = nil // the proxy's own error is not counted as a response
		h.byMesh = true
		p.returnResponse(h, 502)
		return
	}
	p.offer(h)
}

// admit asks the pod's proxy, which answers the request if it turns it away.
func (p *Plane) admit(h *hop, e *edge) bool {
	if h.from.Meshed && !p.connect(h, e) {
		return false
	}
	d, in := h.server, e.decide(p, h)
	policy := d.portPolicy
	switch {
	case !in.allows() && policy.Opaque(): // the connection is closed
		p.effectsOf(d).Denied++
		in.lastDenied = p.now
		p.turnAway(h, 502, in.verdict.Server)
		return false
	case !in.allows():
		p.effectsOf(d).Denied++
		in.denied(p.now)
		p.turnAway(h, in.verdict.Status, in.verdict.Server, in.verdict.Route)
		return false
	case policy.Opaque(): // the proxy counts no requests
		return true
	}
	if l := policy.Limit(); l != nil {
		if scope := d.limiter.Take(p.now, in.client.Identity); scope != "" {
			p.effectsOf(d).Limited++
			in.Limited(l, scope)
			p.turnAway(h, 429, in.verdict.Server, mesh.RateLimitRef(l.Name))
			return false
		}
	}
	in.allowed(p.now)
	h.in = in
	return true
}

// turnAway responds on behalf of the pod's proxy. Policy that comes with the scenario and turns the
// new version's clients away is a fault of that version, for instance of its labels.
func (p *Plane) turnAway(h *hop, status int, by ...mesh.Ref) {
	ofGuardrails := slices.ContainsFunc(by, func(r mesh.Ref) bool { return slices.Contains(p.guardrailPolicies, r) })
	h.faultHit = h.server.changed && !ofGuardrails
	h.byMesh = !h.faultHit
	p.returnResponse(h, status)
}

func (p *Plane) offer(h *hop) {
	d := h.server
	d.requests++
	// Field by field: a copy of the whole would wait for the stores of its fields.
	var job service.Job
	to, from := &job.Request, &h.request
	to.Seq, to.User, to.Cohort, to.Route = from.Seq, from.User, from.Cohort, from.Route
	to.Attempt = from.Attempt + h.allDraws()
	job.Tag = h.tag()
	if len(h.drops) > 0 {
		job.Headers = sentHeaders(p.headers(h, p.requestFor(h).path))
	}
	slot, admission := d.server.Take(p.now, &job, &h.work)
	switch admission {
	case service.Started:
		p.startWork(h, slot)
	case service.Queued:
		h.inPod = true
		h.faultHit = d.faultySlots > 0
	case service.Rejected:
		h.faultHit = d.faultySlots > 0
		h.inPod = true
		p.returnResponse(h, 503)
	default: // only faults end a process
		h.faultHit = true
		if h.endpoint == nil {
			p.returnResponse(h, 502)
			return
		}
		p.events.add(p.now+reconnectPause, connectionRefused, h.id, h.gen)
	}
}

// unserved records why no endpoint of any of the Services answers a request. Pods that a crash, a
// policy or an issuer of the release keeps away make it the fault's doing.
func (h *hop) unserved(services ...*meshService) {
	for _, s := range services {
		h.faultHit = h.faultHit || s.crashed
	}
	h.byMesh = !h.faultHit
}

// startWork is called when the hop has a slot and its work.
func (p *Plane) startWork(h *hop, s service.Slot) {
	h.slot, h.inPod = s, true
	h.work.Hit = h.work.Hit || h.extra
	if h.work.Hit {
		h.faultHit = true
		h.server.faultySlots++
	}
	if h.work.Calls != "" {
		p.events.add(p.now+h.work.Before, callDownstream, h.id, h.gen)
		return
	}
	p.events.add(p.now+h.work.Before+h.work.After, workDone, h.id, h.gen)
}

// workDone responds to a hop and passes its slot on.
func (p *Plane) workDone(h *hop) {
	d, slot, hold, hit := h.server, h.slot, h.work.Hold, h.work.Hit
	status := h.work.Call.Ended(h.calleeStatus, h.work.Status)
	h.wrong = h.wrong || h.work.Wrong
	p.returnResponse(h, status)
	ended := d.server.Finish(slot)
	if hold > 0 {
		p.hold(heldSlot{d, slot, d.restarts, hit, true}, hold)
	} else if hit {
		d.faultySlots--
	}
	if ended && d.server.Waiting() > 0 {
		p.startNext(d.server.Next(p.now))
	}
	if d.server.Killed() && !d.down {
		p.crash(d)
	}
}

func (p *Plane) startNext(next service.Start, ok bool) {
	if ok {
		h := p.hops[uint32(next.Job.Tag)]
		h.work = next.Work
		p.startWork(h, next.Slot)
	}
}

// returnResponse passes the response of a pod, or of its proxy, back through both proxies.
func (p *Plane) returnResponse(h *hop, status int) {
	d, latency := h.server, p.now-h.dispatched
	if h.inPod {
		p.appStats(d, h.request).Response(status, latency)
	}
	if h.abandoned {
		p.recycle(h)
		return
	}
	switch {
	case p.isPlain(h):
		p.endAttempt(h, status, latency)
		h.edge.path(p.registry, h).Response(p.now, status, latency)
	case p.countResponse(h, status, latency):
		p.retry(h, status, "")
		return
	}
	if h.parent == nil && h.load == nil && h.rule != nil && p.cohorts[h.request.Cohort].keepsCookies {
		if set := h.rule.backends[h.backend].cookies; len(set) > 0 {
			p.storeCookies(h.request.User, set, h.host(), p.requestFor(h).path)
		}
	}
	p.finish(h, status)
}

// finish passes the response to the caller.
func (p *Plane) finish(h *hop, status int) {
	parent := h.parent
	if parent == nil {
		p.reply(h, status)
		return
	}
	if parent.gen == h.parentGen { // otherwise the calling pod was killed
		p.callEnded(parent, h, status)
	}
	p.recycle(h)
}

// recycle makes a hop available for reuse.
func (p *Plane) recycle(h *hop) {
	h.gen++
	p.free = append(p.free, h)
}
