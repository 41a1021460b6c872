package dataplane

import (
	"fmt"
	"net/netip"

	"coalmine/lab/mesh"
	"coalmine/loadgen/rng"
)

// ProbeRequest is a request made by a gate. It is not user traffic: it is not counted and occupies
// no slot.
type ProbeRequest struct {
	// Client is one of the plane's clients or a demo service; "" is a stranger, which has an
	// identity if it is in the mesh.
	Client, Identity string
	// Service is called by the routes in force; or Pod is called by its name, bypassing all routes.
	Service, Pod string
	Method, Path string
	Headers      []mesh.Header
	// Seq distinguishes probes of one kind: each gets random bits of its own.
	Seq uint64
	// ExtraRule precedes all other rules for this request only; rollback drills use it.
	ExtraRule *mesh.Rule
	// Known is set if the client's proxy knows the endpoints of the canary, whatever it has seen.
	Known bool
}

// ProbeResult is the result of a probe.
type ProbeResult struct {
	// Status is 200 if the request would have reached the pod's process.
	Status int
	// Pod is the pod reached, with its workload and version, or "".
	Pod, Workload, Version string
	// Verdict is that of the pod's proxy, or the zero value without one.
	Verdict mesh.Verdict
}

// Probe routes a request and checks the policy at the present time. An unknown client, Service or
// pod is an error.
func (p *Plane) Probe(r ProbeRequest) (ProbeResult, error) {
	from, err := p.probeClient(r)
	if err != nil {
		return ProbeResult{}, err
	}
	if r.Pod != "" {
		d := p.podsByName[r.Pod]
		if d == nil || d.Model == nil {
			return ProbeResult{}, fmt.Errorf("dataplane: there is no pod %q to probe", r.Pod)
		}
		return p.probePod(from, d, r), nil
	}
	s := p.services[serviceKey{p.cfg.Namespace, r.Service}]
	if s == nil || !s.exists {
		return ProbeResult{}, fmt.Errorf("dataplane: there is no Service %q to probe", r.Service)
	}
	to, status := s, 0
	if from.meshed {
		to, status = p.probeRoute(s, r)
	}
	if status != 0 {
		return ProbeResult{Status: status}, nil
	}
	if len(to.endpoints) == 0 || !r.Known && !p.probeKnows(from, s, to) {
		return ProbeResult{Status: 504}, nil
	}
	at := rng.Below(rng.New(p.cfg.Seed, "dataplane/probe/endpoint").Bits(r.Seq), uint64(len(to.endpoints)))
	return p.probePod(from, to.endpoints[at], r), nil
}

// Admits reports whether a pod's proxy admits a client, for every kind of request in the traffic: a
// route of a Server may be open to others than the Server is. A stranger is admitted if it is for any
// of them. The reason says why a client is denied.
func (p *Plane) Admits(r ProbeRequest) (bool, string, error) {
	stranger, reason := r.Client == "", ""
	for _, t := range p.templates {
		r.Method, r.Path = t.method, t.path
		result, err := p.Probe(r)
		if err != nil {
			return false, "", err
		}
		if v := result.Verdict; v.Allowed == stranger {
			return v.Allowed, v.Reason, nil
		} else if reason == "" {
			reason = v.Reason
		}
	}
	return !stranger, reason, nil
}

// prober is the client of a probe. Strangers have no pod.
type prober struct {
	mesh.Client
	meshed bool
	pod    *pod
}

// probeKnows reports whether the client's proxy knows the endpoints of a Service. A probe makes it
// look them up.
func (p *Plane) probeKnows(from prober, called, to *meshService) bool {
	if !p.cfg.ColdProxies || from.pod == nil || !from.meshed {
		return true
	}
	u := p.upstream(from.pod, to)
	p.meet(u, called)
	return u.lookup.Known()
}

// probeClient returns the client of a probe: a stranger, or the first pod of a client or service.
func (p *Plane) probeClient(r ProbeRequest) (prober, error) {
	if r.Client == "" {
		stranger := mesh.Client{Identity: r.Identity, Addr: netip.AddrFrom4([4]byte{10, 43, 255, 1})}
		return prober{Client: stranger, meshed: r.Identity != ""}, nil
	}
	for _, d := range p.pods {
		if !d.removed && (d.Model == nil && d.Deployment == r.Client || d.Model != nil && d.Service == r.Client) {
			return prober{d.client(), d.Meshed, d}, nil
		}
	}
	return prober{}, fmt.Errorf("dataplane: there is no client %q to probe from", r.Client)
}

// probeRoute returns the Service chosen by the routes, or the status of the client proxy's
// response.
func (p *Plane) probeRoute(s *meshService, r ProbeRequest) (*meshService, int) {
	rule := p.probeRule(s, r)
	if rule == nil {
		return nil, 404
	}
	i := rule.compiled.Pick(rng.New(p.cfg.Seed, "dataplane/probe/route").Bits(r.Seq), rule.available)
	switch {
	case i < 0:
		return nil, 504
	case !rule.backends[i].service.exists:
		return nil, 500
	}
	return rule.backends[i].service, 0
}

func (p *Plane) probeRule(s *meshService, r ProbeRequest) *rule {
	request := &mesh.Request{Method: r.Method, Host: s.name + "." + s.namespace, Headers: r.Headers}
	request.Path, request.Query = splitPath(r.Path)
	if s.profile != nil {
		return s.profileRule(request)
	}
	if r.ExtraRule != nil && p.extraMatches(s, r.ExtraRule, request) {
		return p.newRule(s, 0, &mesh.CompiledRule{Rule: *r.ExtraRule})
	}
	if !s.hasRoutes {
		return s.rules[0]
	}
	if n := s.match(p.table, request); n != noRule {
		return s.rules[n-1]
	}
	return nil
}

// extraMatches reports whether a request matches a rule. A rule that does not compile matches
// nothing.
func (p *Plane) extraMatches(s *meshService, extra *mesh.Rule, r *mesh.Request) bool {
	table, err := mesh.Compile([]mesh.Route{{
		Name: "probe", Namespace: s.namespace, Rules: []mesh.Rule{*extra},
		Parents: []mesh.Parent{{Service: s.name, Namespace: s.namespace}},
	}})
	return err == nil && table.Match(s.namespace, s.name, s.port, r) != nil
}

// probePod checks the pod's policy.
func (p *Plane) probePod(from prober, to *pod, r ProbeRequest) ProbeResult {
	result := ProbeResult{Status: 200, Pod: to.Name, Workload: to.Workload, Version: to.Version}
	if to.Meshed {
		method := r.Method
		if method == "" {
			method = "GET"
		}
		path, _ := splitPath(r.Path)
		result.Verdict = p.policies.Probe(to.policy, to.Port, from.Client, method, path)
		if !result.Verdict.Allowed {
			result.Status = result.Verdict.Status
		}
	}
	if result.Status == 200 && !to.ready {
		result.Status = 503
	}
	return result
}
