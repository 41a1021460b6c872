package recordings

import (
	"fmt"
	"net/http"
	"net/netip"

	"coalmine/lab/mesh"
)

// gatekeeper is what a pod's proxy enforces on one port.
type gatekeeper struct {
	policy  *mesh.PortPolicy
	limiter *mesh.Limiter
}

// gatekeeper returns the policy in force for a port.
func (p *pod) gatekeeper(port int) *gatekeeper {
	g := p.gatekeepers[port]
	if g == nil {
		g = &gatekeeper{}
		p.gatekeepers[port] = g
	}
	if g.policy == nil {
		g.policy = p.c.policies.ForPort(p.workload(), port)
		g.limiter = g.limiter.Follow(g.policy.Limit())
	}
	return g
}

// admit asks the pod's proxy about a request: for its counters, which are nil on an opaque port, and
// the status with which the proxy turns the request away, or 0.
func (p *pod) admit(from mesh.Client, port int, q *call) (*mesh.Inbound, int) {
	g := p.gatekeeper(port)
	v := g.policy.Decide(from, q.seen())
	if g.policy.Opaque() {
		return nil, v.Status
	}
	in := p.inbound(from, port, v)
	if !v.Allowed {
		in.Denied()
		return in, v.Status
	}
	if g.limiter != nil {
		if scope := g.limiter.Take(p.c.now, from.Identity); scope != "" {
			in.Limited(g.policy.Limit(), scope)
			return in, http.StatusTooManyRequests
		}
	}
	if q.canceled() {
		in.Abandoned()
		return in, 0
	}
	in.Request(p.c.now)
	return in, 0
}

// inbound returns the counters for a client and a verdict.
func (p *pod) inbound(from mesh.Client, port int, v mesh.Verdict) *mesh.Inbound {
	key := fmt.Sprint(from.Identity, v.Server, v.Route, v.Authz)
	if p.inbounds[key] == nil {
		p.inbounds[key] = p.recorder.Inbound(netip.AddrPortFrom(p.addr, uint16(port)), from, v)
	}
	return p.inbounds[key]
}

func (p *pod) workload() mesh.Workload {
	return mesh.Workload{
		Namespace: p.namespace, Labels: p.labels, DefaultPolicy: p.annotations[mesh.DefaultPolicyAnnotation],
		PortNames: p.ports, ProbePaths: map[int][]string{p.ports["http"]: {"/healthz"}},
	}
}
