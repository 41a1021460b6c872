package dataplane

import (
	"slices"
	"time"

	"coalmine/lab/mesh"
)

// lookUp makes a pod's proxy look up the backends of a Service's rules that it has not looked up yet.
func (p *Plane) lookUp(d *pod, s *meshService) {
	x := d.proxy(s)
	if x.lookedUp == p.ruleGeneration {
		return
	}
	x.lookedUp = p.ruleGeneration
	for _, r := range s.rules {
		for _, b := range r.backends {
			if b.service.exists {
				p.meet(p.upstream(d, b.service), s)
			}
		}
	}
}

// ask starts a look-up.
func (p *Plane) ask(u *upstream) {
	if !u.lookup.Ask(len(u.service.keys)) {
		p.events.add(p.now+mesh.LookupTimeout, lookupTimeout, u.id, 0)
		return
	}
	u.generation = -1
	p.refresh(u, u.called)
	p.recover(u)
}

// giveUp ends a look-up without answer. The proxy asks again later.
func (p *Plane) giveUp(u *upstream) {
	if u.lookup.Known() {
		return
	}
	u.lookups++
	pause := u.lookup.GiveUp(p.lookingUp.Bits(uint64(u.id)<<32 | u.lookups))
	u.asksAgain = p.now + pause
	p.events.add(u.asksAgain, lookupAgain, u.id, 0)
}

// KnownAt returns when the proxies of all pods of some callers know the endpoints of a Service that
// has some, and which caller is the last: a time that is not after now if they do already. It makes
// those look the Service up that have not met it.
func (p *Plane) KnownAt(service string, callers []string) (at time.Duration, last string) {
	to := p.services[serviceKey{p.cfg.Namespace, service}]
	if !p.cfg.ColdProxies || to == nil || !to.exists || len(to.keys) == 0 {
		return 0, ""
	}
	for _, d := range p.pods {
		name := d.Service
		if d.Model == nil {
			name = d.Deployment
		}
		if d.removed || !d.Meshed || !slices.Contains(callers, name) {
			continue
		}
		u := p.upstream(d, to)
		p.meet(u, to)
		if p.refresh(u, u.called); !u.lookup.Known() && u.asksAgain > at {
			at, last = u.asksAgain, name
		}
	}
	return at, last
}

// meet starts the first look-up of a Service.
func (p *Plane) meet(u *upstream, called *meshService) {
	if !u.asked {
		u.asked, u.called = true, called
		p.ask(u)
	}
}
