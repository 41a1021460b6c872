package dataplane

import (
	"time"

	"coalmine/lab/app"
	"coalmine/lab/mesh"
	"coalmine/loadgen/chance"
)

// maxDepth bounds chains of calls, so that services that call each other in a circle come to an end: the hop beyond it is
// answered 502.
const maxDepth = 8

// hop is one request from one pod to a Service, from the moment at which the client's proxy takes it to its answer. Hops are
// used again; life tells the uses apart.
type hop struct {
	id   int32
	life uint32

	request app.Request
	depth   int
	// from sends, asked is the Service that it asks. parent is the hop whose work asks, nil for a user's request.
	from       *pod
	asked      *service
	parent     *hop
	parentLife uint32

	// begun is when the user sent the request for the first time, sent when the client's proxy took this attempt, taken when the
	// endpoint was chosen.
	begun, sent, taken time.Duration
	// session and item are the arrival's.
	session, item uint32
	// port is the one of the server that the Service names; 0 is the one that it listens on.
	port     int
	rule     *rule
	backend  int
	endpoint *mesh.Endpoint
	edge     *edge
	// in counts for the server's proxy; nil where that has none or did not let the request in.
	in *inbound

	// server works on the request in a slot.
	server *pod
	slot   app.Slot
	work   app.Work
	// inside is set while the server's process has the request.
	inside bool
	// waiting is set while no backend is available, timed once the wait has an end.
	waiting, timed bool

	// result of the other service, if one was called; 0 for none.
	called int
	wrong  bool
	hit    bool
	// struck is set when a fault hit an attempt before this one.
	struck bool
	// served is the workload of the released service that the request reached, here or further on.
	served int
	// status of the answer, once there is one, of a user's request.
	status int
}

// hop returns a fresh hop that begins now.
func (p *Plane) hop() *hop {
	if n := len(p.free); n > 0 {
		h := p.free[n-1]
		p.free = p.free[:n-1]
		*h = hop{id: h.id, life: h.life, sent: p.now}
		return h
	}
	h := &hop{id: int32(len(p.hops)), sent: p.now}
	p.hops = append(p.hops, h)
	return h
}

// tag names the hop in the pod that works on it.
func (h *hop) tag() uint64 { return uint64(h.life)<<32 | uint64(uint32(h.id)) }

// word is a random word of the hop. Attempts at one request draw far apart from each other.
func (h *hop) word(s chance.Stream) uint64 {
	return s.Bits((h.request.Seq*(maxDepth+1) + uint64(h.depth)) ^ uint64(h.request.Attempt)<<56)
}

// send lets the client's side choose a pod.
func (p *Plane) send(h *hop) {
	h.waiting = false
	if h.depth >= maxDepth {
		p.finish(h, 502)
		return
	}
	if !h.from.Meshed {
		p.sendDirect(h)
		return
	}
	h.rule = p.rule(h)
	if h.rule == nil {
		p.finish(h, 404)
		return
	}
	h.backend = h.rule.compiled.Pick(h.word(p.routing), h.rule.available)
	if h.backend < 0 {
		p.park(h)
		return
	}
	to := h.rule.backends[h.backend].service
	if !to.exists {
		p.refuse(h, 500, "")
		return
	}
	h.port = to.targetPort
	up := h.from.upstream(to)
	if up.generation != p.generation {
		up.balancer.Set(p.now, to.keys)
		up.generation = p.generation
	}
	h.endpoint = up.balancer.Pick(p.now, h.word(p.choosing))
	p.deliver(h, up.edge(h.from, p.pods[h.endpoint.Key]))
}

// sendDirect is the way of a client without proxy: any endpoint of the Service itself, which kube-proxy chooses.
func (p *Plane) sendDirect(h *hop) {
	n := len(h.asked.endpoints)
	if n == 0 {
		p.finish(h, 503) // no connection
		return
	}
	h.port = h.asked.targetPort
	to := h.asked.endpoints[chance.Below(h.word(p.choosing), uint64(n))]
	p.deliver(h, h.from.upstream(h.asked).edge(h.from, to))
}

// deliver brings the request to a pod: to its proxy's policy, then to its process.
func (p *Plane) deliver(h *hop, e *edge) {
	h.edge, h.server, h.taken = e, e.server, p.now
	if h.endpoint != nil {
		h.endpoint.Begin()
		e.out.Request(p.now)
		h.from.proxy(h.asked).stats(h.from, h.asked, h.rule).backends[h.backend].Request()
	}
	d := h.server
	h.served = d.served
	if d.Meshed {
		in := e.decide(p, h.from)
		if !in.Allows() {
			in.denied(p.now)
			h.hit = d.changed
			p.answered(h, 403)
			return
		}
		in.allowed(p.now)
		h.in = in
	}
	if h.port != 0 && h.port != d.Port {
		h.in = nil // the proxy makes up this answer outside of what it counts as responses
		p.answered(h, 502)
		return
	}
	p.offer(h)
}

func (p *Plane) offer(h *hop) {
	d := h.server
	start, admission := d.server.Offer(p.now, app.Job{Request: h.request, Tag: h.tag()})
	switch admission {
	case app.Started:
		p.beginWork(h, start)
	case app.Queued:
		h.inside = true
		h.hit = d.faulty > 0
	case app.Rejected:
		h.hit = d.faulty > 0
		h.inside = true
		p.answered(h, 503)
	default:
		p.answered(h, 502)
	}
}

// beginWork is when a slot is the hop's.
func (p *Plane) beginWork(h *hop, s app.Start) {
	h.slot, h.work, h.inside = s.Slot, s.Work, true
	if s.Work.Hit {
		h.hit = true
		h.server.faulty++
	}
	if s.Work.Calls != "" {
		p.agenda.add(p.now+s.Work.Before, callNext, h.id, h.life)
		return
	}
	p.agenda.add(p.now+s.Work.Before+s.Work.After, workDone, h.id, h.life)
}

// callNext asks the other service on behalf of a hop. The pod's proxy routes the call by its own view of the routes.
func (p *Plane) callNext(h *hop) {
	c := p.hop()
	c.request, c.item, c.depth = h.request, h.item, h.depth+1
	c.from, c.asked = h.server, p.called(h.server, h.work.Calls)
	c.parent, c.parentLife = h, h.life
	p.send(c)
}

// called returns the Service that a pod's process asks for by name, which is nearly always the one it asked for before.
func (p *Plane) called(from *pod, name string) *service {
	if s := from.lastCalled; s != nil && s.name == name {
		return s
	}
	from.lastCalled = p.service(p.cfg.Namespace, name)
	return from.lastCalled
}

// workDone answers a hop and gives its slot to the next.
func (p *Plane) workDone(h *hop) {
	d, slot, hold, hit := h.server, h.slot, h.work.Hold, h.work.Hit
	status := h.work.Status
	h.wrong = h.wrong || h.work.Wrong
	switch {
	case h.called == 403 || h.called == 429:
		status = h.called
	case h.called >= 400:
		status = 502
	}
	p.answered(h, status)
	next, ok := d.server.Done(p.now, slot)
	if hold > 0 {
		p.hold(heldSlot{d, slot, d.life, hit, true}, hold)
	} else if hit {
		d.faulty--
	}
	p.startNext(next, ok)
	if d.server.Killed() && !d.down {
		p.crash(d)
	}
}

func (p *Plane) startNext(next app.Start, ok bool) {
	if ok {
		p.beginWork(p.hops[uint32(next.Job.Tag)], next)
	}
}

// answered carries the answer of a pod, or of its proxy, back through both proxies. A retry of the client's proxy, which is not
// modelled, would send the hop again here.
func (p *Plane) answered(h *hop, status int) {
	d, latency := h.server, p.now-h.taken
	if h.inside {
		p.appStats(d, h.request).Response(status, latency)
	}
	if h.in != nil {
		h.in.Response(p.now, status, latency)
	}
	if h.endpoint != nil {
		h.endpoint.End(p.now, latency)
		h.edge.out.Response(p.now, status, latency)
		stats := h.from.proxy(h.asked).stats(h.from, h.asked, h.rule)
		stats.backends[h.backend].Response(status, latency)
		stats.route.Response(status, "", p.now-h.sent)
	}
	if h.parent == nil && h.rule != nil && p.cohorts[h.request.Cohort].keepsCookies {
		if set := h.rule.backends[h.backend].cookies; len(set) > 0 {
			p.keep(h.request.User, set)
		}
	}
	p.finish(h, status)
}

// finish gives the answer to whoever asked.
func (p *Plane) finish(h *hop, status int) {
	parent := h.parent
	if parent == nil {
		p.reply(h, status)
		return
	}
	if parent.life == h.parentLife { // or the asking pod was killed
		parent.called = status
		parent.hit = parent.hit || h.hit
		parent.wrong = parent.wrong || h.wrong
		if parent.served == 0 {
			parent.served = h.served
		}
		p.agenda.add(p.now+parent.work.After, workDone, parent.id, parent.life)
	}
	p.drop(h)
}

// drop ends the life of a hop.
func (p *Plane) drop(h *hop) {
	h.life++
	p.free = append(p.free, h)
}
