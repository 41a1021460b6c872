package dataplane

import "coalmine/lab/mesh"

// park makes a hop wait for a backend, unless the proxy already fails fast.
func (p *Plane) park(h *hop) {
	if h.from.proxy(h.service).failfast {
		p.refuse(h, 504, mesh.ErrorFailFast)
		return
	}
	h.parked = true
	if !h.failfastSet { // a second wait keeps the timeout of the first
		h.failfastSet = true
		p.events.add(p.now+mesh.FailfastAfter, failfastTimeout, h.id, h.gen)
	}
	p.parked = append(p.parked, parkedHop{h, h.gen})
}

// unpark sends parked hops, in order, after endpoints have changed.
func (p *Plane) unpark() {
	for _, d := range p.pods {
		for i, x := range d.proxies {
			if x != nil && x.failfast {
				x.failfast = !p.serviceList[i].reachable()
			}
		}
	}
	waiting := p.parked
	p.parked = nil
	for _, w := range waiting {
		if w.hop.gen == w.gen {
			p.send(w.hop)
		}
	}
}

// refuse responds on behalf of the client's proxy when there is no backend.
func (p *Plane) refuse(h *hop, status int, err string) {
	stats := h.from.proxy(h.service).stats(h.from, h.service, h.rule)
	counted := status
	if err != "" {
		counted = 0
	}
	if h.backend >= 0 {
		b := stats.backends[h.backend]
		b.Request()
		b.Response(counted, err, p.now-h.sent)
	}
	stats.route.Response(counted, err, p.now-h.sent)
	h.byMesh = true
	if h.backend < 0 {
		h.unserved(h.rule.weighted()...)
	}
	p.finish(h, status)
}
