package dataplane

import (
	"slices"
	"strings"
	"time"

	"coalmine/lab/mesh"
	"coalmine/lab/service"
)

// certificateLife is that of a proxy's certificate (linkerd2, values identity.issuer.issuanceLifetime).
const certificateLife = 24 * time.Hour

// pod is a pod with a service, or one that only sends.
type pod struct {
	Pod
	id      int
	ready   bool
	removed bool // removed
	// down is set from a crash to the next readiness; life counts crashes.
	down     bool
	restarts int
	// server is the part that works on requests; nil for clients and before the first readiness.
	server *service.Pod
	// faultySlots counts slots that a request is or was on that an injected fault hit.
	faultySlots int
	// released is set for pods of the released service, changed for those of a version other than the baseline.
	released, changed bool
	// servedBy is the tally's number of the pod's workload and version, Nobody for pods of other services.
	servedBy int

	policy    mesh.Workload
	recorder  *mesh.Proxy
	appLabels []mesh.Label
	stats     []*mesh.AppStats // by cohort and route
	inbound   []*inbound

	// proxies are the pod's view of Services that it asks, upstreams of those that it sends to; by number of the Service.
	proxies   []*proxy
	upstreams []*upstream
	// lastCalled is the Service that the pod's process asked last.
	lastCalled *meshService
}

// Owners of series: a pod's proxy and its own process, each scraped for itself.
func (d *pod) proxyOwner() int { return 2 * d.id }
func (d *pod) appOwner() int   { return 2*d.id + 1 }

// AddPod makes a pod known. It takes requests once it is ready and a Service selects it.
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
		d.stats = make([]*mesh.AppStats, len(p.workload.Cohorts)*len(p.workload.Routes))
		d.policy = mesh.Workload{
			Namespace: c.Namespace, Labels: c.Labels, DefaultPolicy: c.Annotations[mesh.DefaultPolicyAnnotation],
			PortNames: c.Ports, ProbePaths: map[int][]string{c.Port: c.ProbePaths},
		}
	}
	if d.released {
		d.servedBy = p.stats.WorkloadID(c.Workload, c.Version)
	}
	if c.Meshed {
		labels := mesh.PodLabels("linkerd-proxy", c.Namespace, c.Name, c.Deployment, c.Labels)
		d.recorder = p.registry.Proxy(d.proxyOwner(), labels)
		d.recorder.CertificateExpires(p.cfg.Start.Add(p.now + certificateLife))
	}
	p.pods = append(p.pods, d)
	p.podsByName[c.Name] = d
	return d
}

// SetReady lets a pod take requests; its uptime counts from at. A pod that was killed begins a new life.
func (p *Plane) SetReady(name string, at time.Duration) {
	d := p.podsByName[name]
	if d == nil || d.Model == nil || d.ready {
		return
	}
	switch {
	case d.server == nil:
		d.server = service.NewPod(d.Model, at)
	case d.down:
		d.server.Restart(at)
	}
	d.ready, d.down = true, false
	p.endpointsChanged()
}

// SetUnready takes a pod out of the Services' endpoints; what it works on goes on.
func (p *Plane) SetUnready(name string) {
	if d := p.podsByName[name]; d != nil && d.ready {
		d.ready = false
		p.endpointsChanged()
	}
}

// RemovePod takes a pod away. It gets no new requests and is not scraped any more; what it works on or has queued is still
// answered, as within the grace period of a shutdown.
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

// OOMKilled returns the names of the pods that ran out of memory since the last call. They are not ready until
// [Plane.SetReady]; what they worked on was answered 502.
func (p *Plane) OOMKilled() []string {
	names := p.oomKilled
	p.oomKilled = nil
	return names
}

// crash ends the life of a pod's process. Only faults let memory grow, so whoever was in the pod was hit.
func (p *Plane) crash(d *pod) {
	d.ready, d.down = false, true
	d.restarts++
	d.faultySlots = 0
	if !d.removed {
		p.oomKilled = append(p.oomKilled, d.Name)
	}
	p.registry.Reset(d.appOwner())
	p.endpointsChanged()
	var lost []*hop
	d.server.Abort(func(j service.Job) {
		if h := p.hops[uint32(j.Tag)]; h.gen == uint32(j.Tag>>32) {
			lost = append(lost, h)
		}
	})
	for _, h := range lost {
		h.faultHit, h.inPod = true, false
		p.returnResponse(h, 502)
	}
}

// endpointsChanged works out anew which pods stand behind which Service, and sends on what waited for one.
func (p *Plane) endpointsChanged() {
	for _, s := range p.serviceList {
		s.endpoints = s.endpoints[:0:0]
		s.keys = nil
	}
	pods := slices.Clone(p.pods)
	slices.SortStableFunc(pods, func(a, b *pod) int { return strings.Compare(a.Name, b.Name) })
	for _, d := range pods {
		if !d.ready || d.Model == nil {
			continue
		}
		for _, s := range p.serviceList {
			if s.exists && s.selects(d) {
				s.endpoints = append(s.endpoints, d)
				s.keys = append(s.keys, d.id)
			}
		}
	}
	p.endpointGeneration++
	p.updateTrafficShares()
	p.unpark()
}

// updateTrafficShares tells each pod which share of its service's traffic its version gets.
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

// addShares adds what versions get of the traffic to a Service that has the name of their demo service. Where rules look at
// headers, the share is that of the least specific rule: of those who match no other.
func (p *Plane) addShares(s *meshService, shares map[[2]string]float64) {
	r := s.defaultRule()
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
