package dataplane

import (
	"time"

	"coalmine/lab/mesh"
	"coalmine/lab/service"
)

// proxy is a pod's view of a Service that it calls.
type proxy struct {
	// lookedUp is the generation of the rules whose backends were looked up.
	lookedUp int
	// recent caches the counters of recent rules; requests in flight may still use older ones.
	recent []*routeStats
	// budget is that of the Service's profile. It is made when it is first needed.
	budget *mesh.Budget
}

type routeStats struct {
	rule     *rule
	route    *mesh.RouteStats
	backends []*mesh.BackendStats
	// missing stands for backends that do not exist. It is made when it is first needed.
	missing *mesh.BackendStats
	// profile counts in place of the others for a route of a profile; nil for an HTTPRoute.
	profile *mesh.ProfileStats
}

// statsOf returns the counters of the rule that a hop follows.
func (p *Plane) statsOf(h *hop) *routeStats {
	if h.stats == nil {
		h.stats = h.from.proxy(h.service).stats(h.from, h.service, h.rule)
	}
	return h.stats
}

// attempt counts an attempt that is sent to a backend.
func (s *routeStats) attempt(now time.Duration, backend int) {
	if s.profile != nil {
		s.profile.Attempt(now)
		return
	}
	s.backends[backend].Request()
}

// attemptEnded counts the end of an attempt.
func (s *routeStats) attemptEnded(now time.Duration, h *hop, status int, err string) {
	if s.profile != nil {
		s.profile.AttemptResponse(now, status)
		return
	}
	s.backends[h.backend].Response(status, err, now-h.attempted)
}

// ended counts the end of a request.
func (s *routeStats) ended(now time.Duration, h *hop, status int, err string) {
	if s.profile != nil {
		s.profile.Response(now, status, err, now-h.sent)
		return
	}
	s.route.Response(status, err, now-h.sent)
}

func (d *pod) proxy(s *meshService) *proxy {
	for len(d.proxies) <= s.number {
		d.proxies = append(d.proxies, nil)
	}
	if d.proxies[s.number] == nil {
		d.proxies[s.number] = &proxy{}
	}
	return d.proxies[s.number]
}

// missingBackend returns the counters of backends that do not exist.
func (s *routeStats) missingBackend(h *hop) *mesh.BackendStats {
	if s.missing == nil {
		s.missing = h.from.recorder.Backend(h.service.servicePort(), s.rule.compiled.Route, mesh.ServicePort{})
	}
	return s.missing
}

// maxRecentRules bounds the rules in a proxy's cache for one Service.
const maxRecentRules = 16

// stats returns the counters of a rule. New handles record to the same series as old ones.
func (x *proxy) stats(from *pod, called *meshService, r *rule) *routeStats {
	for i := len(x.recent) - 1; i >= 0; i-- {
		if x.recent[i].rule == r {
			return x.recent[i]
		}
	}
	parent := called.servicePort()
	s := &routeStats{rule: r}
	if r.profile != nil {
		s.profile = from.recorder.Profile(parent, r.profile.Name)
	} else {
		s.route = from.recorder.Route(parent, r.compiled.Route)
		for _, b := range r.backends {
			to := mesh.ServicePort{Namespace: b.service.namespace, Name: b.service.name, Port: b.port}
			s.backends = append(s.backends, from.recorder.Backend(parent, r.compiled.Route, to))
		}
	}
	if len(x.recent) == maxRecentRules {
		x.recent = append(x.recent[:0], x.recent[1:]...)
	}
	x.recent = append(x.recent, s)
	return s
}

// upstream is a pod's view of a Service that it sends to, its own or a route's backend.
type upstream struct {
	// Pool has the endpoints of a generation.
	mesh.Pool
	generation int
	// id is its index in Plane.upstreams.
	id      int32
	service *meshService
	// lookup is how the proxy gets to know the endpoints, if it does not know every Service; asked is
	// set once it has started.
	lookup  mesh.Lookup
	asked   bool
	lookups uint64
	// asksAgain is when the proxy asks again, after it gave up.
	asksAgain time.Duration
	// called is the Service whose client sent to it last.
	called *meshService
	// waiting hops wait for an endpoint.
	waiting []parkedHop
	edges   []*edge // by id of the server
}

// edge connects a client pod to a server pod.
type edge struct {
	server           *pod
	out              *mesh.Outbound // nil for a client without a proxy
	connected        bool           // by mTLS
	in               *inbound
	policyGeneration int
	// paths count the responses by recent rules and backends.
	paths []path
}

// path is a way of requests through the proxies of an edge.
type path struct {
	*mesh.Path
	stats   *routeStats
	backend int
	in      *inbound
}

// maxPaths bounds the paths of an edge. Requests in flight may still use older ones.
const maxPaths = 16

// path returns the counters of the way of a request.
func (e *edge) path(r *mesh.Registry, h *hop) *mesh.Path {
	for i := len(e.paths) - 1; i >= 0; i-- {
		if x := &e.paths[i]; x.stats == h.stats && x.backend == h.backend && x.in == h.in {
			return x.Path
		}
	}
	if len(e.paths) == maxPaths {
		e.paths = append(e.paths[:0], e.paths[1:]...)
	}
	x := r.Path(h.in.Inbound, e.out, h.stats.route, h.stats.backends[h.backend])
	e.paths = append(e.paths, path{x, h.stats, h.backend, h.in})
	return x
}

// inbound is a server proxy's view of one kind of client.
type inbound struct {
	*mesh.Inbound
	client  mesh.Client
	verdict mesh.Verdict
	// lastAllowed and lastDenied are the times of the last admitted and the last denied request,
	// for gates; -1 if there is none.
	lastAllowed, lastDenied time.Duration
}

func (p *Plane) upstream(d *pod, s *meshService) *upstream {
	for len(d.upstreams) <= s.number {
		d.upstreams = append(d.upstreams, nil)
	}
	if d.upstreams[s.number] == nil {
		u := &upstream{service: s, generation: -1, id: int32(len(p.upstreams))}
		d.upstreams[s.number] = u
		p.upstreams = append(p.upstreams, u)
	}
	return d.upstreams[s.number]
}

// refresh gives an upstream the present endpoints and the circuit breaking of the called Service.
func (p *Plane) refresh(u *upstream, called *meshService) {
	if u.generation == p.endpointGeneration {
		return
	}
	u.generation = p.endpointGeneration
	accrual := called.policy.Accrual
	if called.profile != nil {
		accrual = nil // those who follow a profile have no circuit breaking
	}
	u.Configure(p.now, accrual)
	keys := u.service.keys
	if p.cfg.ColdProxies && !u.lookup.Answer(len(keys)) {
		keys = nil
	}
	u.Set(p.now, keys)
}

func (u *upstream) edge(from, to *pod) *edge {
	for len(u.edges) <= to.id {
		u.edges = append(u.edges, nil)
	}
	if u.edges[to.id] == nil {
		e := &edge{server: to, policyGeneration: -1}
		if from.Meshed {
			e.out = from.recorder.Outbound(u.destination(to))
		}
		u.edges[to.id] = e
	}
	return u.edges[to.id]
}

func (u *upstream) destination(to *pod) mesh.Destination {
	return mesh.Destination{
		Addr: to.target(to.Port), Identity: to.client().Identity,
		Service: u.service.name, Namespace: u.service.namespace, Port: u.service.port,
		Pod: to.Name, Deployment: to.Deployment, ServiceAccount: to.ServiceAccount,
		TemplateHash: to.Labels["pod-template-hash"],
	}
}

// decide returns the view of the client in the server's proxy, by the policies in force. Without
// routes of the Server it is the same for all requests.
func (e *edge) decide(p *Plane, h *hop) *inbound {
	policy := p.portPolicy(e.server)
	if policy.PerRequest() {
		ask := p.requestFor(h)
		return p.inbound(e.server, h.from.client(), &mesh.Request{
			Method: ask.method, Host: h.host(), Path: ask.path, Query: ask.query,
			Headers: p.headers(h, ask.path),
		})
	}
	if e.policyGeneration != p.policyGeneration {
		e.in = p.inbound(e.server, h.from.client(), &mesh.Request{})
		e.policyGeneration = p.policyGeneration
	}
	return e.in
}

// portPolicy returns what a pod's proxy enforces on the port that the pod listens on.
func (p *Plane) portPolicy(d *pod) *mesh.PortPolicy {
	if d.policyGeneration != p.policyGeneration || d.portPolicy == nil {
		d.portPolicy, d.policyGeneration = p.policies.ForPort(d.policy, d.Port), p.policyGeneration
		d.limiter = d.limiter.Follow(d.portPolicy.Limit())
	}
	return d.portPolicy
}

// inbound returns a server proxy's view of a client. There is one for each client and verdict.
func (p *Plane) inbound(d *pod, c mesh.Client, r *mesh.Request) *inbound {
	v := p.portPolicy(d).Decide(c, r)
	for _, in := range d.inbound {
		if in.client == c && in.verdict == v {
			return in
		}
	}
	in := &inbound{
		Inbound: d.recorder.Inbound(d.target(d.Port), c, v), client: c, verdict: v,
		lastAllowed: -1, lastDenied: -1,
	}
	d.inbound = append(d.inbound, in)
	return in
}

// allows reports whether the client is admitted.
func (in *inbound) allows() bool { return in.verdict.Allowed }

func (in *inbound) allowed(now time.Duration) {
	in.lastAllowed = now
	in.Request(now)
}

func (in *inbound) denied(now time.Duration) {
	in.lastDenied = now
	in.Denied()
}

// appStats returns the counters of the pod's process.
func (p *Plane) appStats(d *pod, r service.Request) *mesh.AppStats {
	at := int(r.Cohort)*len(p.workload.Routes) + int(r.Route)
	if d.stats[at] == nil {
		route, cohort := p.workload.Routes[r.Route].Name, loadTestCohort
		if int(r.Cohort) < len(p.cohorts) {
			cohort = p.workload.Cohorts[r.Cohort].Name
		}
		d.stats[at] = p.registry.App(d.appOwner(), d.appLabels, route, cohort, d.VersionLabel)
	}
	return d.stats[at]
}

// Collect calls each for every metric that a scrape would find now: those of the proxies and those
// of the demo services.
func (p *Plane) Collect(each func(mesh.Metric)) { p.registry.Each(p.now, each) }
