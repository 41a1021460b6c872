package dataplane

import (
	"slices"
	"strings"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/mesh"
	"coalmine/lab/service"
)

// pod is a pod of a demo service, or one of a client.
type pod struct {
	Pod
	id      int
	ready   bool
	removed bool
	// down is set from a crash until the pod is ready again; restarts counts crashes.
	down     bool
	restarts int
	// certificate is that of the pod's proxy; inInit is set while the pod waits for its first.
	certificate mesh.Certificate
	inInit      bool
	// probes is the state of the kubelet's probes of the pod.
	probes probes
	// server works on requests. It is nil for clients and until the pod is first ready.
	server *service.Pod
	// faultySlots counts the slots that are busy, or held, because of a request that an injected
	// fault hit.
	faultySlots int
	// released is set for pods of the released service, changed for those at another version than
	// the baseline.
	released, changed bool
	// servedBy identifies the pod's workload and version in stats; it is 0 for other services.
	servedBy int

	// requests counts those that reached the pod's process.
	requests int

	policy mesh.Workload
	// portPolicy is what the proxy enforces on Port, as of policyGeneration; limiter enforces its
	// rate limit, if there is one.
	portPolicy       *mesh.PortPolicy
	policyGeneration int
	limiter          *mesh.Limiter

	// effects counts for the pod's workload; nil until the first request.
	effects   *event.MeshEffect
	recorder  *mesh.Proxy
	appLabels []mesh.Label
	stats     []*mesh.AppStats // by cohort and route; the last cohort is load tests
	inbound   []*inbound

	// proxies are the pod's view of Services that it calls, upstreams of those that it sends to;
	// indexed by the number of the Service.
	proxies   []*proxy
	upstreams []*upstream
	// lastCalled is the Service that the pod's process called last.
	lastCalled *meshService
}

// Owners of series: a pod's proxy and its own process are scraped separately.
func (d *pod) proxyOwner() int { return 2 * d.id }
func (d *pod) appOwner() int   { return 2*d.id + 1 }

// AddPod adds a pod. It receives requests once it is ready and a Service selects it.
func (p *Plane) AddPod(c Pod) {
	if p.podsByName[c.Name] == nil {
		p.addPod(c, c.Model != nil)
	}
}

func (p *Plane) addPod(c Pod, serves bool) *pod {
	d := &pod{Pod: c, id: len(p.pods)}
	if serves {
		d.released = c.Service == p.cfg.Service
		d.changed = d.released && c.Version != p.cfg.Baseline
		d.appLabels = mesh.PodLabels(c.Service, c.Namespace, c.Name, c.Deployment, c.Labels)
		d.stats = make([]*mesh.AppStats, (len(p.workload.Cohorts)+1)*len(p.workload.Routes))
		d.policy = mesh.Workload{
			Namespace: c.Namespace, Labels: c.Labels, DefaultPolicy: c.Annotations[mesh.DefaultPolicyAnnotation],
			PortNames: c.Ports,
		}
		if c.ProbePath != "" {
			d.policy.ProbePaths = map[int][]string{c.Port: {c.ProbePath}}
		}
	}
	if d.released {
		d.servedBy = p.stats.WorkloadID(c.Workload, c.Version)
	}
	if c.Meshed {
		labels := mesh.PodLabels("linkerd-proxy", c.Namespace, c.Name, c.Deployment, c.Labels)
		d.recorder = p.registry.Proxy(d.proxyOwner(), labels)
	}
	p.pods = append(p.pods, d)
	p.podsByName[c.Name] = d
	if c.Meshed {
		p.certify(d)
	}
	return d
}

// SetReady makes a pod ready; its uptime counts from at. It restarts a pod that was killed.
func (p *Plane) SetReady(name string, at time.Duration) {
	d := p.podsByName[name]
	if d == nil || d.Model == nil || d.ready || !p.initialized(d) {
		return
	}
	switch {
	case d.server == nil:
		d.server = service.NewPod(d.Model, at)
	case d.down:
		d.server.Restart(at)
	}
	d.ready, d.down = true, false
	p.startProbes(d)
	p.endpointsChanged()
}

// SetUnready removes a pod from the Services' endpoints. Requests in the pod go on.
func (p *Plane) SetUnready(name string) {
	if d := p.podsByName[name]; d != nil && d.ready {
		d.ready = false
		p.endpointsChanged()
	}
}

// RemovePod removes a pod. It receives no new requests and is not scraped any more, but requests
// that it works on or has queued are still answered, as within the grace period of a shutdown.
func (p *Plane) RemovePod(name string) {
	d := p.podsByName[name]
	if d == nil {
		return
	}
	delete(p.podsByName, name)
	d.ready, d.removed = false, true
	p.registry.Remove(d.proxyOwner())
	p.registry.Remove(d.appOwner())
	p.endpointsChanged()
}

// OOMKilled returns the names of the pods that ran out of memory since the last call. They are
// unready until [Plane.SetReady]; the requests that they worked on were answered 500.
func (p *Plane) OOMKilled() []string {
	names := p.oomKilled
	p.oomKilled = nil
	return names
}

// reconnectPause is how long a server's proxy waits before it connects to the pod's process again
// (linkerd2-proxy, linkerd/app/src/env.rs, DEFAULT_INBOUND_CONNECT_BACKOFF).
const reconnectPause = 105 * time.Millisecond

// noticePause is how long the kubelet takes to notice that a process has ended.
const noticePause = 800 * time.Millisecond

// crash ends a pod's process. Only faults make memory grow, so a fault hit every request in the
// pod. The pod stays an endpoint until the kubelet notices; until then its proxy answers 502.
func (p *Plane) crash(d *pod) {
	d.down = true
	d.restarts++
	d.faultySlots = 0
	p.registry.Reset(d.appOwner())
	p.events.add(p.now+noticePause, crashNoticed, int32(d.id), uint32(d.restarts))
	var lost []*hop
	d.server.Abort(func(tag uint64) {
		if h := p.hops[uint32(tag)]; h.gen == uint32(tag>>32) {
			lost = append(lost, h)
		}
	})
	for _, h := range lost {
		p.renew(h)
		h.faultHit, h.inPod = true, false
		p.returnResponse(h, 500)
	}
}

// noticeCrash makes a crashed pod unready.
func (p *Plane) noticeCrash(d *pod, restarts int) {
	if !d.down || d.restarts != restarts {
		return
	}
	d.ready = false
	if !d.removed {
		p.oomKilled = append(p.oomKilled, d.Name)
	}
	p.endpointsChanged()
}

// endpointsChanged recomputes the endpoints of all Services and sends parked requests.
func (p *Plane) endpointsChanged() {
	for _, s := range p.serviceList {
		s.endpoints = s.endpoints[:0:0]
		s.keys, s.crashed = nil, false
	}
	pods := slices.Clone(p.pods)
	slices.SortStableFunc(pods, func(a, b *pod) int { return strings.Compare(a.Name, b.Name) })
	for _, d := range pods {
		if d.Model == nil || !d.ready && (!p.keptAway(d) || d.removed) {
			continue
		}
		for _, s := range p.serviceList {
			switch {
			case !s.exists || !s.selects(d):
			case !d.ready || d.down:
				s.crashed = true
			default:
				s.endpoints = append(s.endpoints, d)
				s.keys = append(s.keys, d.id)
			}
		}
	}
	p.endpointGeneration++
	p.updateTrafficShares()
	p.unpark()
}

// keptAway reports whether the release keeps a pod from being an endpoint.
func (p *Plane) keptAway(d *pod) bool {
	return d.down || d.probes.failing && d.probes.byRelease || d.inInit && p.issuerEnded(d)
}

// updateTrafficShares sets for each pod its version's share of its service's traffic.
func (p *Plane) updateTrafficShares() {
	shares := map[[2]string]float64{}
	for _, s := range p.serviceList {
		p.addShares(s, shares)
	}
	for _, d := range p.pods {
		if d.server != nil && !d.removed {
			d.server.SetWeight(100 * shares[[2]string{d.Service, d.Version}])
		}
	}
}

// addShares adds the shares of versions in the traffic to the Service named like their demo
// service. If rules look at headers, the share is that of the least specific rule, which applies to
// requests that match no other.
func (p *Plane) addShares(s *meshService, shares map[[2]string]float64) {
	r := s.defaultRule()
	if r == nil {
		return
	}
	for i := range r.backends {
		b := r.backends[i].service
		part := r.compiled.Share(i, r.available)
		for _, d := range b.endpoints {
			if d.Service == s.name {
				shares[[2]string{d.Service, d.Version}] += part / float64(len(b.endpoints))
			}
		}
	}
}
