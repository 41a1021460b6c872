package proxy

import (
	"net/http"
	"time"

	"coalmine/lab/mesh"
)

// lookup is how the proxy gets to know the endpoints of an upstream. It is late for a Service that has
// none when the proxy meets it; see [mesh.Lookup].
type lookup struct {
	mesh.Lookup
	// asking is set while the proxy waits for an answer. At is when it gives up, or else asks again.
	asking bool
	at     time.Duration
	// failfast is set when a request has waited in vain, until the endpoints are known.
	failfast bool
}

// mayAnswer reports whether requests wait for the endpoints.
func (l *lookup) mayAnswer() bool { return !l.Known() && !l.failfast }

// ask starts the first look-up.
func (u *upstream) ask(now time.Duration) {
	u.asking, u.at = true, now+mesh.LookupTimeout
	u.Ask(len(u.endpoints))
}

// answer tells an upstream about its new endpoints.
func (u *upstream) answer() {
	if u.asking && u.Answer(len(u.endpoints)) {
		u.failfast = false
	}
}

// advance lets an upstream give up and ask again, as it would have until now.
func (p *Proxy) advance(u *upstream, now time.Duration) {
	if u.Known() || now < u.at {
		return
	}
	for !u.Known() && now >= u.at {
		if u.asking {
			u.at += u.GiveUp(p.lookupRNG.Bits(p.draws.Add(1)))
		} else {
			u.at += mesh.LookupTimeout
			u.Ask(len(u.endpoints))
		}
		u.asking = !u.asking
	}
	if u.Known() {
		u.failfast = false
		u.balance(now)
		p.wake()
	}
}

// lookUp makes the proxy look up all backends of a target that a client has sent to.
func (r *router) lookUp(state *clusterState, t *target, now time.Duration) {
	stats := r.statsOf(t.ServicePort)
	if stats.lookedUp == state.generation && state.loaded {
		return
	}
	stats.lookedUp = state.generation
	for _, rule := range t.rules {
		for _, b := range rule.backends {
			if b.exists {
				r.upstreamFor(b, now)
			}
		}
	}
}

// park decides on a request whose backend is being looked up: it waits for its endpoints, and gets a 504
// with all others that wait when the first of them has waited in vain.
func (r *router) park(j *outboundRequest, c choice, now time.Duration) choice {
	u := r.upstream[c.backend.ServicePort]
	if u != nil && !u.failfast && now < j.deadline {
		j.parked = &c
		c.wait, c.changed, c.until = true, r.changed, min(j.deadline, max(u.at, now+time.Millisecond))
		return c
	}
	if j.parked = nil; u != nil && !u.failfast {
		u.failfast = true
		usable := func(b *backend) bool { return r.usable(b, now) }
		c.stats.failfast = !c.rule.available(usable)
		r.wake()
	}
	return r.refuse(j, c, http.StatusGatewayTimeout, mesh.ErrorFailFast,
		j.describe()+c.describeBackend()+"service in fail-fast")
}

// resume chooses an endpoint for a request that waits for a backend.
func (r *router) resume(j *outboundRequest) choice {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, now := *j.parked, r.now()
	c.wait = false
	u := r.upstream[c.backend.ServicePort]
	if u != nil {
		r.advance(u, now)
	}
	if u == nil || !u.balancer.Available() {
		return r.park(j, c, now)
	}
	j.parked = nil
	return r.balance(j, c, u, now)
}

// balance picks the endpoint of a request. Timeouts begin to matter here: they do not end the wait.
func (r *router) balance(j *outboundRequest, c choice, u *upstream, now time.Duration) choice {
	c.pickedAt = now
	c.load = u.balancer.Pick(now, r.endpointRNG.Bits(r.draws.Add(1)))
	c.endpoint = u.endpoints[c.load.Key]
	c.upstream = u
	u.balancer.Begin(c.load)
	return r.limit(j, c, now)
}
