package dataplane

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"coalmine/lab/mesh"
	"coalmine/loadgen"
)

// matchCache caches which rule of a Service a request matches, since regular expressions are slow.
// The cache is valid as long as the conditions of the rules stay the same; weights may change.
type matchCache struct {
	// conditions describes the conditions of all rules.
	conditions string
	perRequest bool
	// perTarget is set if conditions look at method, path or query, so that requests on one route
	// may differ.
	perTarget bool
	// byRoute, byCohort and byUser hold rule numbers + 1, or noRule if no rule matches.
	byRoute  []int16
	byCohort []int16
	byUser   map[uint64]int16
}

const noRule = -1

// maxCachedUsers bounds byUser, since every request may come from a new user.
const maxCachedUsers = 1 << 18

func (m *matchCache) reset(p *Plane, s *meshService) {
	conditions := describeConditions(s)
	if conditions == m.conditions && m.byRoute != nil {
		return
	}
	routes := len(p.workload.Routes)
	*m = matchCache{
		conditions: conditions,
		perRequest: p.table.PerRequest(s.namespace, s.name, s.port),
		perTarget:  s.matchesTarget(),
		byRoute:    make([]int16, routes),
		byCohort:   make([]int16, routes*len(p.workload.Cohorts)),
		byUser:     map[uint64]int16{},
	}
}

// describeConditions returns a text that differs whenever requests may match other rules.
func describeConditions(s *meshService) string {
	var b strings.Builder
	b.WriteString(strconv.FormatBool(s.hasRoutes))
	for _, r := range s.rules {
		if route := r.compiled.Route; route != nil {
			b.WriteString("|" + route.Namespace + "/" + route.Name + " " + route.Created.UTC().Format(time.RFC3339Nano))
			for _, h := range route.Hostnames {
				b.WriteString(" " + strconv.Quote(h))
			}
		}
		for _, m := range r.compiled.Matches {
			b.WriteString(";" + strconv.Quote(m.String()))
		}
	}
	return b.String()
}

// matchesTarget reports whether a condition of a rule looks at method, path or query. The prefix /
// does not count.
func (s *meshService) matchesTarget() bool {
	return slices.ContainsFunc(s.rules, func(r *rule) bool {
		return slices.ContainsFunc(r.compiled.Matches, func(m mesh.Match) bool {
			anyPath := m.Path.Kind == mesh.PathAny || m.Path.Kind == mesh.PathPrefix &&
				strings.Trim(m.Path.Value, "/") == ""
			return m.Method != "" || !anyPath || len(m.Query) > 0
		})
	})
}

// rule returns the rule for a hop, or nil if none matches.
func (p *Plane) rule(h *hop) *rule {
	s := h.service
	switch {
	case s.profile != nil:
		return s.profileRule(p.asked(h))
	case !s.hasRoutes:
		return s.rules[0]
	}
	n := p.ruleNumber(s, h)
	if n == noRule {
		return nil
	}
	return s.rules[n-1]
}

func (p *Plane) ruleNumber(s *meshService, h *hop) int16 {
	if p.ofLoadTest(h) {
		return p.match(s, h)
	}
	r, m := h.request, &s.cache
	var cached *int16
	c := &p.cohorts[r.Cohort]
	switch {
	case m.perTarget && c.varied[r.Route], m.perRequest && len(h.drops) > 0:
		p.hasCookies(r.User) // deletes expired ones
		return p.match(s, h)
	case !m.perRequest:
		cached = &m.byRoute[r.Route]
	case !p.hasCookies(r.User) && !c.perUser:
		cached = &m.byCohort[int(r.Cohort)*len(m.byRoute)+int(r.Route)]
	default:
		key := uint64(r.User)<<16 | uint64(r.Route)
		n, ok := m.byUser[key]
		if !ok {
			if len(m.byUser) >= maxCachedUsers {
				clear(m.byUser) // most of these users will not return
			}
			n = p.match(s, h)
			m.byUser[key] = n
		}
		return n
	}
	if *cached == 0 {
		*cached = p.match(s, h)
	}
	return *cached
}

// match evaluates the routing table.
func (p *Plane) match(s *meshService, h *hop) int16 {
	return s.match(p.table, p.asked(h))
}

// asked returns what the client's proxy sees of a request.
func (p *Plane) asked(h *hop) *mesh.Request {
	ask := p.requestFor(h)
	return &mesh.Request{
		Method: ask.method, Host: h.host(), Path: ask.path, Query: ask.query,
		Headers: p.headers(h, ask.path),
	}
}

// requestFor returns method, path and query of a hop.
func (p *Plane) requestFor(h *hop) requestTemplate {
	if p.ofLoadTest(h) {
		return h.root().load.template
	}
	r := &h.request
	a := p.templates[r.Route]
	if p.cohorts[r.Cohort].varied[r.Route] {
		planned := loadgen.Arrival{Seq: r.Seq, User: r.User, Cohort: r.Cohort, Route: r.Route, Item: h.item}
		a.path, a.query = splitPath(p.cfg.Plan.Target(planned))
		a.method = cmp.Or(p.cfg.Plan.Method(planned), a.method)
	}
	return a
}

func (s *meshService) match(t *mesh.Table, r *mesh.Request) int16 {
	found := t.Match(s.namespace, s.name, s.port, r)
	if found == nil {
		return noRule
	}
	i := slices.IndexFunc(s.rules, func(r *rule) bool {
		return r.compiled.Route == found.Route && r.compiled.Index == found.Index
	})
	return int16(i + 1)
}

// headers returns the headers that a user sends with a request for a path: those of the plan, with
// the jar's cookies in the Cookie header. Inner hops have those of the user's request that the
// services on the way send on.
func (p *Plane) headers(h *hop, path string) []mesh.Header {
	drops := h.drops
	h = h.root()
	if h.load != nil {
		return h.load.Headers
	}
	var list []mesh.Header
	for _, x := range p.cfg.Plan.RequestHeaders(p.arrivalOf(h)) {
		list = append(list, mesh.Header{Name: x.Name, Value: x.Value})
	}
	list = withCookies(list, p.jars[h.request.User], h.host(), path)
	if len(drops) == 0 {
		return list
	}
	return slices.DeleteFunc(list, func(x mesh.Header) bool {
		return slices.ContainsFunc(drops, func(name string) bool { return strings.EqualFold(name, x.Name) })
	})
}

// sentHeaders are the headers of a call that lacks some of the user's. It implements
// [service.RequestHeaders].
type sentHeaders []mesh.Header

func (s sentHeaders) Header(name string) string {
	for _, x := range s {
		if strings.EqualFold(x.Name, name) {
			return x.Value
		}
	}
	return ""
}

func (s sentHeaders) Cookie(name string) string {
	for pair := range strings.SplitSeq(s.Header("Cookie"), ";") {
		if key, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && key == name {
			return value
		}
	}
	return ""
}

// root returns the request that a hop is a part of.
func (h *hop) root() *hop {
	for h.parent != nil {
		h = h.parent
	}
	return h
}

// host is the name by which a hop's service is called.
func (h *hop) host() string {
	if h.load != nil && h.load.Host != "" {
		return h.load.Host
	}
	return h.service.name + "." + h.service.namespace
}
