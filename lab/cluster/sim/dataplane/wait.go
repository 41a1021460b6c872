package dataplane

import "coalmine/lab/mesh"

// park makes a hop wait for an endpoint of its upstream.
func (p *Plane) park(h *hop) {
	u := h.upstream
	if u.FailsFast() {
		p.attemptFailed(h, mesh.ErrorFailFast)
		return
	}
	h.parked = true
	u.waiting = append(u.waiting, parkedHop{h, h.gen, h.try})
	if timer, start := u.Wait(); start {
		p.events.add(p.now+mesh.FailfastAfter, failfastTimeout, u.id, uint32(timer))
	}
}

// failFast answers the hops that wait for an upstream.
func (p *Plane) failFast(u *upstream, timer int) {
	if !u.Expire(timer) {
		return
	}
	p.failing++
	for _, h := range u.takeWaiting() {
		p.attemptFailed(h, mesh.ErrorFailFast)
	}
}

// takeWaiting returns the hops that wait, in order, and empties the queue.
func (u *upstream) takeWaiting() []*hop {
	var list []*hop
	for _, w := range u.waiting {
		if h := w.hop; h.gen == w.gen && h.try == w.try && h.parked {
			h.parked = false
			list = append(list, h)
		}
	}
	u.waiting = nil
	return list
}

// recover sends the hops that wait for an upstream, if an endpoint is available.
func (p *Plane) recover(u *upstream) {
	failed := u.FailsFast()
	if !u.Recover() {
		return
	}
	if failed {
		p.failing--
	}
	if len(u.waiting) == 0 {
		return
	}
	for _, h := range u.takeWaiting() {
		p.dispatchTo(h)
	}
}

// unpark sends hops that wait, after endpoints have changed.
func (p *Plane) unpark() {
	for i := 0; i < len(p.upstreams); i++ {
		u := p.upstreams[i]
		if !u.FailsFast() && len(u.waiting) == 0 && (!u.asked || u.lookup.Known()) {
			continue
		}
		p.refresh(u, u.called)
		p.recover(u)
	}
}

// probeEndpoint lets an endpoint be tried again whose circuit breaker tripped.
func (p *Plane) probeEndpoint(u *upstream, key int) {
	u.Probe(key)
	p.recover(u)
}

// refuse responds on behalf of the client's proxy when there is no backend.
func (p *Plane) refuse(h *hop, status int, err string) {
	stats := p.statsOf(h)
	counted := status
	if err != "" {
		counted = 0
	}
	switch {
	case stats.profile != nil: // its attempts are counted before a backend is picked
		stats.attempt(p.now, h.backend)
		stats.attemptEnded(p.now, h, counted, err)
	case h.backend >= 0:
		b := stats.missingBackend(h)
		b.Request()
		b.Response(counted, err, p.now-h.attempted)
	}
	stats.ended(p.now, h, counted, err)
	h.byMesh = true
	if h.backend < 0 {
		h.unserved(h.rule.weighted()...)
	}
	p.finish(h, status)
}
