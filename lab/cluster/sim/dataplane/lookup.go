package dataplane

import "coalmine/lab/mesh"

// lookUp makes a pod's proxy look up the backends of a Service's rules that it has not looked up yet.
func (p *Plane) lookUp(d *pod, s *meshService) {
	x := d.proxy(s)
	if x.lookedUp == p.ruleGeneration {
		return
	}
	x.lookedUp = p.ruleGeneration
	for _, r := range s.rules {
		for _, b := range r.backends {
			if u := p.upstream(d, b.service); !u.asked && b.service.exists {
				u.asked, u.called = true, s
				p.ask(u)
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
	p.events.add(p.now+pause, lookupAgain, u.id, 0)
}
