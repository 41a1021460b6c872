package dataplane

import (
	"slices"

	"coalmine/lab/service"
)

// calls counts the calls that the work on a hop has made.
type calls struct {
	// done are those that succeeded, retries are the repeated attempts at the next one, attempts all.
	done, retries, attempts uint8
}

// renew voids the events of a hop whose work has ended early.
func (p *Plane) renew(h *hop) {
	h.gen++
	if caller := h.parent; caller != nil && caller.callee == h {
		caller.calleeGen = h.gen
	}
}

// callDownstream calls another service on behalf of a hop. The pod's proxy routes the call.
func (p *Plane) callDownstream(h *hop) {
	c := p.newHop()
	c.request, c.item, c.depth = h.request, h.item, h.depth+1
	c.draws = h.allDraws() + service.CallDraws(h.calls.done, h.calls.retries)
	c.firstSent, c.session = h.firstSent, h.session
	c.from, c.service = h.server, p.calledService(h.server, h.work.Calls)
	c.parent, c.parentGen, c.drops = h, h.gen, h.drops
	if call := h.work.Call; call != nil {
		if len(call.DropHeaders) > 0 {
			c.drops = slices.Concat(h.drops, call.DropHeaders)
		}
		h.calls.attempts++
		h.callee, h.calleeGen = c, c.gen
		c.extra = h.extra || h.calls.retries > 0 && h.server.changed
		if call.Timeout > 0 {
			p.events.addTry(p.now+call.Timeout, callTimeout, h, h.calls.attempts)
		}
	}
	p.send(c)
}

// calledService returns the Service that a pod's process calls by name. It is nearly always the
// same one as the last time.
func (p *Plane) calledService(from *pod, name string) *meshService {
	if s := from.lastCalled; s != nil && s.name == name {
		return s
	}
	from.lastCalled = p.service(p.cfg.Namespace, name)
	return from.lastCalled
}

// callEnded is called when a call of a hop's process has its answer. It ends the work, or goes on with
// the next call or attempt.
func (p *Plane) callEnded(h, c *hop, status int) {
	h.callee = nil
	h.faultHit = h.faultHit || c.faultHit
	if h.servedBy == 0 {
		h.servedBy = c.servedBy
	}
	if call := h.work.Call; call != nil {
		if p.callAgain(h, c, call, status) {
			return
		}
		if call.Optional && status >= 400 {
			p.endCalls(h, status)
			return
		}
	}
	h.wrong = h.wrong || c.wrong
	h.byMesh = h.byMesh || c.byMesh
	p.endCalls(h, status)
}

// endCalls schedules the rest of the work after the last call.
func (p *Plane) endCalls(h *hop, status int) {
	h.calleeStatus = status
	p.events.add(p.now+h.work.After, workDone, h.id, h.gen)
}

// callAgain schedules the next attempt at a call that failed, or the next call of one that succeeded,
// if there is one.
func (p *Plane) callAgain(h, c *hop, call *service.Call, status int) bool {
	n := &h.calls
	switch {
	case call.Again(status, int(n.retries)):
		p.effectsAt(c).Repeated++
		n.retries++
		p.events.add(p.now+call.Pause(int(n.retries)-1), callDownstream, h.id, h.gen)
	case status < 400 && int(n.done)+1 < call.Count:
		n.done, n.retries = n.done+1, 0
		p.events.add(p.now, callDownstream, h.id, h.gen)
	default:
		return false
	}
	return true
}

// callTimedOut ends an attempt of a hop's process at a call that takes too long. That is the doing of
// a changed version, and so is what the other service still has to do for it.
func (p *Plane) callTimedOut(h *hop, attempt uint8) {
	c := h.callee
	if c == nil || c.gen != h.calleeGen || attempt != h.calls.attempts {
		return
	}
	late := h.server.changed
	c.faultHit = c.faultHit || late
	c.wrong, c.byMesh = false, false
	p.callEnded(h, c, 504)
	p.abandonCall(c, late)
}

// abandonCall closes the connection of a call. The caller's proxy forgets it and counts no response
// (linkerd2-proxy, linkerd/http/prom/src/record_response.rs: a dropped future is not recorded), and the
// other service goes on working on it.
func (p *Plane) abandonCall(c *hop, extra bool) {
	p.effectsAt(c).GivenUp++
	if c.server == nil { // it waits for an endpoint or for its next attempt
		p.recycle(c)
		return
	}
	if c.endpoint != nil {
		c.upstream.Cancel(p.now, c.endpoint, p.now-c.dispatched)
	}
	c.abandoned, c.parent, c.endpoint = true, nil, nil
	if !extra || c.work.Hit {
		return
	}
	c.extra = true
	if c.slot != (service.Slot{}) {
		c.work.Hit = true
		c.server.faultySlots++
	}
}
