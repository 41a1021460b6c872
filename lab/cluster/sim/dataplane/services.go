package dataplane

import (
	"slices"
	"strings"

	"coalmine/lab/mesh"
)

type serviceKey struct{ namespace, name string }

// meshService is a Service that exists or that something refers to.
type meshService struct {
	namespace, name  string
	number           int
	exists           bool
	selector         map[string]string
	port, targetPort int
	policy           mesh.ServicePolicy
	// endpoints are the ready pods, sorted by name; keys are their ids.
	endpoints []*pod
	keys      []int
	// crashed is set if the Service selects a pod that the release keeps away: it is down after a
	// crash, policy turns its probes away, or it gets no certificate.
	crashed bool

	// rules are those that clients' proxies follow. Requests that match none are answered 404.
	rules []*rule
	// profile comes before HTTPRoutes; nil means none. hasRoutes is set if HTTPRoutes attach to the
	// Service.
	profile   *mesh.Profile
	hasRoutes bool
	cache     matchCache
}

// rule is a rule of a route, or the default rule to the Service's own endpoints.
type rule struct {
	number   int
	compiled *mesh.CompiledRule
	backends []backend
	// timeouts and retry limit the rule's requests. limited is set if there are any.
	timeouts mesh.Timeouts
	retry    *mesh.Retry
	limited  bool
	// broken is that of [mesh.CompiledRule.Broken].
	broken bool
	// profile is the route of a ServiceProfile that the rule stands for; nil for others.
	profile *mesh.ProfileRoute
	// available reports whether a backend can receive requests. It is a field to avoid an
	// allocation per call.
	available func(i int) bool
}

type backend struct {
	service *meshService
	port    int
	cookies []cookie
}

// weighted returns the Services to which the rule sends requests.
func (r *rule) weighted() []*meshService {
	var list []*meshService
	for i, b := range r.compiled.Backends {
		if b.Weight > 0 || len(r.backends) == 1 {
			list = append(list, r.backends[i].service)
		}
	}
	return list
}

func (s *meshService) selects(d *pod) bool {
	if d.Namespace != s.namespace || len(s.selector) == 0 {
		return false
	}
	for k, v := range s.selector {
		if got, ok := d.Labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}

func (s *meshService) servicePort() mesh.ServicePort {
	return mesh.ServicePort{Namespace: s.namespace, Name: s.name, Port: s.port}
}

// defaultRule returns the rule for requests that match no condition, or nil if routes have no
// rules.
func (s *meshService) defaultRule() *rule {
	for _, r := range slices.Backward(s.rules) {
		if r.compiled.String() == "" {
			return r
		}
	}
	if len(s.rules) == 0 {
		return nil
	}
	return s.rules[len(s.rules)-1]
}

// service returns the Service with a name. It may not exist.
func (p *Plane) service(namespace, name string) *meshService {
	key := serviceKey{namespace, name}
	if s := p.services[key]; s != nil {
		return s
	}
	s := &meshService{namespace: namespace, name: name, number: len(p.serviceList)}
	p.services[key] = s
	p.serviceList = append(p.serviceList, s)
	p.attach(s)
	return s
}

// SetServices replaces all Services.
func (p *Plane) SetServices(list []Service) {
	for _, s := range p.serviceList {
		s.exists = false
	}
	for _, c := range list {
		s := p.service(c.Namespace, c.Name)
		s.exists, s.selector, s.port, s.targetPort, s.policy = true, c.Selector, c.Port, c.TargetPort, c.Policy
	}
	p.attachAll()
}

// SetRoutes replaces all routes. The error names rules whose regular expressions do not compile;
// their routes are left out.
func (p *Plane) SetRoutes(routes []mesh.Route) error {
	table, err := mesh.Compile(routes)
	p.table = table
	p.attachAll()
	return err
}

// SetPolicies replaces all inbound policies. The Servers and default policies that the guardrails
// set are listed; the others come with the scenario.
func (p *Plane) SetPolicies(policies mesh.Policies, guardrails ...mesh.Ref) {
	p.policies, p.guardrailPolicies = policies, guardrails
	p.policyGeneration++
}

func (p *Plane) attachAll() {
	for i := 0; i < len(p.serviceList); i++ { // grows when rules refer to new Services
		p.attach(p.serviceList[i])
	}
	p.endpointsChanged()
}

// attach updates the rules of a Service from the table.
func (p *Plane) attach(s *meshService) {
	s.hasRoutes = p.table.HasRoutes(s.namespace, s.name, s.port)
	compiled := p.table.Rules(s.namespace, s.name, s.port)
	if !s.hasRoutes {
		compiled = []*mesh.CompiledRule{{}}
	}
	s.rules = nil
	if s.profile = p.profileOf(s); s.profile != nil {
		s.rules, compiled = p.profileRules(s), nil
	}
	for i, c := range compiled {
		s.rules = append(s.rules, p.newRule(s, i, c))
	}
	s.cache.reset(p, s)
	p.endpointGeneration++
	p.ruleGeneration++
}

func (p *Plane) newRule(s *meshService, number int, c *mesh.CompiledRule) *rule {
	if len(c.Backends) == 0 {
		own := *c
		own.Backends = []mesh.Backend{{Service: s.name, Namespace: s.namespace, Port: s.port, Weight: 1}}
		c = &own
	}
	r := &rule{number: number, compiled: c, broken: c.Broken()}
	r.timeouts, r.retry = c.Limits(&s.policy)
	r.limited = r.timeouts != (mesh.Timeouts{}) || r.retry != nil
	for _, b := range c.Backends {
		namespace := b.Namespace
		if namespace == "" {
			namespace = s.namespace
		}
		name := b.Service
		if b.Invalid != "" {
			name += " " + b.Invalid // no Service has this name, so its share is answered 500, as Linkerd does
		}
		r.backends = append(r.backends, backend{
			service: p.service(namespace, name), port: b.Port,
			cookies: slices.Concat(setCookies(c.ResponseHeaders), setCookies(b.ResponseHeaders)),
		})
	}
	r.available = func(i int) bool {
		s := r.backends[i].service
		return !s.exists || len(s.endpoints) > 0
	}
	return r
}

// splitPath splits the query from a path.
func splitPath(path string) (string, string) {
	before, query, _ := strings.Cut(path, "?")
	return before, query
}
