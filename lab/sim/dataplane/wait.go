package dataplane

import "coalmine/lab/mesh"

// park lets a hop wait for a backend, unless the proxy has already waited in vain.
func (p *Plane) park(h *hop) {
	if h.from.proxy(h.asked).failfast {
		p.refuse(h, 504, mesh.ErrorFailFast)
		return
	}
	h.waiting = true
	if !h.timed { // a second wait keeps the end of the first
		h.timed = true
		p.agenda.add(p.now+mesh.FailfastAfter, giveUp, h.id, h.life)
	}
	p.parked = append(p.parked, parkedHop{h, h.life})
}

// unpark sends on what waited, in its order, now that endpoints have changed.
func (p *Plane) unpark() {
	for _, d := range p.pods {
		for i, x := range d.proxies {
			if x != nil && x.failfast {
				x.failfast = !p.inOrder[i].open()
			}
		}
	}
	waiting := p.parked
	p.parked = nil
	for _, w := range waiting {
		if w.hop.life == w.life {
			p.send(w.hop)
		}
	}
}

// refuse is an answer of the client's own proxy, for want of a backend.
func (p *Plane) refuse(h *hop, status int, err string) {
	stats := h.from.proxy(h.asked).stats(h.from, h.asked, h.rule)
	if h.backend >= 0 {
		b := stats.backends[h.backend]
		b.Request()
		b.Response(status, p.now-h.sent)
	}
	stats.route.Response(status, err, p.now-h.sent)
	p.finish(h, status)
}
