package dataplane

import (
	"net/netip"
	"slices"
	"time"

	"coalmine/lab/mesh"
)

const (
	// probePeriod and probeFailures are those of the kubelet's readiness probes: one each second, and
	// the third failure in a row makes a pod unready.
	probePeriod   = time.Second
	probeFailures = 3
)

// probes is the state of the kubelet's probes of one pod.
type probes struct {
	// started is set when the first probe is scheduled. Probes of an earlier generation are void.
	started bool
	gen     uint32
	// failures counts those in a row; failing is set while they keep the pod unready.
	failures int
	failing  bool
	// byRelease is set if a policy that came with the release turns them away.
	byRelease bool
}

// Readiness says that the kubelet's probes made a pod unready, or ready again.
type Readiness struct {
	Pod   string
	Ready bool
}

// ReadinessChanges returns what probes changed since the last call.
func (p *Plane) ReadinessChanges() []Readiness {
	list := p.readiness
	p.readiness = nil
	return list
}

// startProbes begins to probe a pod whose process has started. If its proxy turns the first probe
// away, the pod does not get ready.
func (p *Plane) startProbes(d *pod) {
	if d.ProbePath == "" || !d.Meshed {
		return
	}
	d.probes = probes{started: true, gen: d.probes.gen + 1}
	if by, ok := p.probeAdmitted(d); !ok {
		d.ready, d.probes.failing, d.probes.byRelease = false, true, p.ofRelease(by)
		p.readiness = append(p.readiness, Readiness{d.Name, false})
	}
	p.events.add(p.now+probePeriod, kubeletProbe, int32(d.id), d.probes.gen)
}

// kubeletProbe probes a pod. Policy can turn a probe away: a Server with routes has none for probes
// by itself, and a rate limit counts them.
func (p *Plane) kubeletProbe(d *pod, gen uint32) {
	if d.removed || d.down || gen != d.probes.gen {
		return
	}
	p.events.add(p.now+probePeriod, kubeletProbe, int32(d.id), gen)
	by, ok := p.probeAdmitted(d)
	if ok {
		d.probes.failures = 0
		if d.probes.failing {
			p.setProbed(d, true)
		}
		return
	}
	if d.probes.failures++; d.probes.failures == probeFailures && d.ready {
		d.probes.byRelease = p.ofRelease(by)
		p.setProbed(d, false)
	}
}

// ofRelease reports whether a Server that turns probes away does so because of the release: it is not
// of the guardrails, and before the release it let them pass.
func (p *Plane) ofRelease(server mesh.Ref) bool {
	return p.rolledOut && !slices.Contains(p.guardrailPolicies, server)
}

func (p *Plane) setProbed(d *pod, ready bool) {
	d.ready, d.probes.failing = ready, !ready
	p.readiness = append(p.readiness, Readiness{d.Name, ready})
	p.endpointsChanged()
}

// probeAdmitted counts a probe and reports whether it reaches the pod's process, which answers 200
// at once, and the Server that decided.
func (p *Plane) probeAdmitted(d *pod) (by mesh.Ref, ok bool) {
	kubelet := mesh.Client{Addr: netip.AddrFrom4([4]byte{10, 42, 0, 1})}
	in := p.inbound(d, kubelet, &mesh.Request{Method: "GET", Path: d.ProbePath})
	switch {
	case d.portPolicy.Opaque():
		return in.verdict.Server, in.allows()
	case !in.allows():
		in.Denied()
		return in.verdict.Server, false
	}
	if l := d.portPolicy.Limit(); l != nil {
		if scope := d.limiter.Take(p.now, ""); scope != "" {
			in.Limited(l, scope)
			return in.verdict.Server, false
		}
	}
	in.Request(p.now)
	in.Response(p.now, 200, time.Millisecond)
	return in.verdict.Server, true
}
