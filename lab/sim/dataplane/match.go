package dataplane

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"coalmine/lab/mesh"
)

// matches remembers which rule of a Service a request takes, since regular expressions are slow. What it remembers holds for
// as long as the conditions of the rules stay the same; weights may change.
type matches struct {
	// conditions are those of all rules, in words.
	conditions string
	perRequest bool
	// byRoute, byCohort and byUser hold rule numbers + 1; a request that no rule matches has noRule.
	byRoute  []int16
	byCohort []int16
	byUser   map[uint64]int16
}

const noRule = -1

func (m *matches) renew(p *Plane, s *service) {
	conditions := conditionsOf(s)
	if conditions == m.conditions && m.byRoute != nil {
		return
	}
	routes := len(p.workload.Routes)
	*m = matches{
		conditions: conditions,
		perRequest: p.table.PerRequest(s.namespace, s.name, s.port),
		byRoute:    make([]int16, routes),
		byCohort:   make([]int16, routes*len(p.workload.Cohorts)),
		byUser:     map[uint64]int16{},
	}
}

// conditionsOf tells all that decides which rule is taken.
func conditionsOf(s *service) string {
	var b strings.Builder
	b.WriteString(strconv.FormatBool(s.attached))
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

// rule returns the rule for a hop, nil when none matches.
func (p *Plane) rule(h *hop) *rule {
	s := h.asked
	if !s.attached {
		return s.rules[0]
	}
	n := p.ruleNumber(s, h)
	if n == noRule {
		return nil
	}
	return s.rules[n-1]
}

func (p *Plane) ruleNumber(s *service, h *hop) int16 {
	r, m := h.request, &s.matched
	var known *int16
	switch {
	case !m.perRequest:
		known = &m.byRoute[r.Route]
	case !p.hasCookies(r.User) && !p.perUser[r.Cohort]:
		known = &m.byCohort[int(r.Cohort)*len(m.byRoute)+int(r.Route)]
	default:
		key := uint64(r.User)<<16 | uint64(r.Route)
		n, ok := m.byUser[key]
		if !ok {
			n = p.match(s, h)
			m.byUser[key] = n
		}
		return n
	}
	if *known == 0 {
		*known = p.match(s, h)
	}
	return *known
}

// match asks the table.
func (p *Plane) match(s *service, h *hop) int16 {
	ask := &p.asks[h.request.Route]
	return s.match(p.table, &mesh.Request{
		Method: ask.method, Host: s.name + "." + s.namespace, Path: ask.path, Query: ask.query,
		Headers: p.headers(h.request.Cohort, h.request.User),
	})
}

func (s *service) match(t *mesh.Table, r *mesh.Request) int16 {
	found := t.Match(s.namespace, s.name, s.port, r)
	if found == nil {
		return noRule
	}
	i := slices.IndexFunc(s.rules, func(r *rule) bool {
		return r.compiled.Route == found.Route && r.compiled.Index == found.Index
	})
	return int16(i + 1)
}

// headers returns what a user sends: the plan's headers, with the jar's cookies in the Cookie header.
func (p *Plane) headers(cohort uint16, user uint32) []mesh.Header {
	var list []mesh.Header
	for _, h := range p.cfg.Plan.Headers(cohort, user) {
		list = append(list, mesh.Header{Name: h.Name, Value: h.Value})
	}
	return withCookies(list, p.jars[user])
}

// cookie is what a Set-Cookie header sets.
type cookie struct {
	name, value string
	// life is Max-Age; 0 lasts for the run, a negative one takes the cookie away (RFC 6265, section 5.2.2).
	life time.Duration
	// until is when the cookie in a jar ends; 0 is never.
	until time.Duration
}

// setCookies returns the cookies that a response filter sets.
func setCookies(f mesh.HeaderFilter) []cookie {
	var list []cookie
	for _, h := range slices.Concat(f.Set, f.Add) {
		if !strings.EqualFold(h.Name, "Set-Cookie") {
			continue
		}
		pair, attributes, _ := strings.Cut(h.Value, ";")
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if ok {
			list = append(list, cookie{name: name, value: value, life: maxAge(attributes)})
		}
	}
	return list
}

func maxAge(attributes string) time.Duration {
	for a := range strings.SplitSeq(attributes, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(a), "=")
		seconds, err := strconv.Atoi(value)
		if strings.EqualFold(name, "Max-Age") && err == nil {
			if seconds <= 0 {
				return -1
			}
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}

// keep puts the cookies of an answer into the user's jar.
func (p *Plane) keep(user uint32, set []cookie) {
	jar := p.jars[user]
	changed := false
	for _, c := range set {
		at := slices.IndexFunc(jar, func(have cookie) bool { return have.name == c.name })
		if c.life > 0 {
			c.until = p.now + c.life
		}
		switch {
		case c.life < 0 && at >= 0:
			jar, changed = slices.Delete(jar, at, at+1), true
		case c.life < 0:
		case at < 0:
			jar, changed = append(jar, c), true
		default:
			changed = changed || jar[at].value != c.value
			jar[at] = c
		}
	}
	p.jars[user] = jar
	if changed {
		p.forget(user)
	}
}

// hasCookies tells whether a user has a cookie in the jar. Those that have ended are taken out first.
func (p *Plane) hasCookies(user uint32) bool {
	jar, ok := p.jars[user]
	if !ok {
		return false
	}
	ended := func(c cookie) bool { return c.until > 0 && c.until <= p.now }
	if slices.ContainsFunc(jar, ended) {
		jar = slices.DeleteFunc(jar, ended)
		p.jars[user] = jar
		p.forget(user)
	}
	return len(jar) > 0
}

// forget drops what is known of a user's matches.
func (p *Plane) forget(user uint32) {
	for _, s := range p.inOrder {
		for route := range p.workload.Routes {
			delete(s.matched.byUser, uint64(user)<<16|uint64(route))
		}
	}
}

func withCookies(headers []mesh.Header, jar []cookie) []mesh.Header {
	if len(jar) == 0 {
		return headers
	}
	at := slices.IndexFunc(headers, func(h mesh.Header) bool { return strings.EqualFold(h.Name, "Cookie") })
	if at < 0 {
		headers, at = append(headers, mesh.Header{Name: "Cookie"}), len(headers)
	}
	for _, c := range jar {
		if headers[at].Value != "" {
			headers[at].Value += "; "
		}
		headers[at].Value += c.name + "=" + c.value
	}
	return headers
}
