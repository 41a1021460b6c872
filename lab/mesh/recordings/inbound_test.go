package recordings

import (
	"net/netip"

	"coalmine/lab/mesh"
)

// admit returns the status with which the pod's proxy turns a request away, or 0.
func (p *pod) admit(from mesh.Client, port int, q *call) int {
	v := p.c.policies.Probe(p.workload(), port, from, q.method, q.url.Path)
	if v.Allowed {
		return 0
	}
	p.inbound(from, port, q).Denied()
	return 403
}

// inbound returns the counters for a client.
func (p *pod) inbound(from mesh.Client, port int, q *call) *mesh.Inbound {
	v := p.c.policies.Probe(p.workload(), port, from, q.method, q.url.Path)
	key := from.Identity + v.Server.Name + v.Route.Name + v.Authz.Name
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
