package mesh

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Table holds routes by the Services that they attach to.
type Table struct {
	routes map[serviceName][]*attachedRoute
}

type serviceName struct{ namespace, name string }

// attachedRoute is a route with its compiled rules.
type attachedRoute struct {
	route *Route
	port  int
	rules []*CompiledRule
}

// CompiledRule is a rule that can match requests and pick backends.
type CompiledRule struct {
	Rule
	// Route is the rule's route, Index the rule's position in it.
	Route *Route
	Index int

	matchers []matcher
	// perRequest is set if conditions depend on headers or query, so that requests for one path may
	// differ.
	perRequest bool
}

// Compile makes a table. Routes that Linkerd drops are left out. The error names the rules whose
// regular expressions do not compile; their routes are left out, too.
func Compile(routes []Route) (*Table, error) {
	t := &Table{routes: map[serviceName][]*attachedRoute{}}
	var errs []error
	for i := range routes {
		route := &routes[i]
		if route.Dropped != "" {
			continue
		}
		rules, err := compileRules(route)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, p := range route.Parents {
			name := serviceName{p.Namespace, p.Service}
			t.routes[name] = append(t.routes[name], &attachedRoute{route, p.Port, rules})
		}
	}
	for _, set := range t.routes {
		slices.SortStableFunc(set, compareRoutes)
	}
	return t, errors.Join(errs...)
}

// compareRoutes orders routes by age and name (linkerd2, policy-controller/grpc/src/outbound.rs,
// timestamp_then_name). Routes without a creation time come last.
func compareRoutes(a, b *attachedRoute) int {
	if az, bz := a.route.Created.IsZero(), b.route.Created.IsZero(); az != bz {
		if bz {
			return -1
		}
		return 1
	}
	return cmp.Or(a.route.Created.Compare(b.route.Created), strings.Compare(a.route.Name, b.route.Name))
}

func compileRules(route *Route) ([]*CompiledRule, error) {
	rules := make([]*CompiledRule, 0, len(route.Rules))
	for i, r := range route.Rules {
		c := &CompiledRule{Rule: r, Route: route, Index: i}
		for j, m := range r.Matches {
			compiled, err := compileMatch(m)
			if err != nil {
				return nil, fmt.Errorf("HTTPRoute %s/%s: rules[%d].matches[%d]: %w", route.Namespace,
					route.Name, i, j, err)
			}
			c.matchers = append(c.matchers, compiled)
			c.perRequest = c.perRequest || len(m.Headers)+len(m.Query) > 0
		}
		rules = append(rules, c)
	}
	return rules, nil
}

// HasRoutes reports whether any route attaches to a port of a Service. Without one, clients'
// proxies balance over the Service's own endpoints; with one, a request that matches no rule is
// answered 404 (linkerd2-proxy, NoRoute).
func (t *Table) HasRoutes(namespace, service string, port int) bool {
	return slices.ContainsFunc(t.routes[serviceName{namespace, service}], func(a *attachedRoute) bool {
		return a.appliesTo(port)
	})
}

func (a *attachedRoute) appliesTo(port int) bool { return a.port == 0 || a.port == port }

// PerRequest reports whether the rule for a request to a Service depends on more than its method,
// host and path.
func (t *Table) PerRequest(namespace, service string, port int) bool {
	for _, r := range t.Rules(namespace, service, port) {
		if r.perRequest {
			return true
		}
	}
	return false
}

// Rules returns the rules for a port of a Service, ordered by route and rule.
func (t *Table) Rules(namespace, service string, port int) []*CompiledRule {
	var rules []*CompiledRule
	for _, a := range t.routes[serviceName{namespace, service}] {
		if a.appliesTo(port) {
			rules = append(rules, a.rules...)
		}
	}
	return rules
}

// Match returns the best rule for a request to a port of a Service, or nil if none matches. Of
// equally good rules the one of the oldest route wins, then the first by name, then the first in
// the route.
func (t *Table) Match(namespace, service string, port int, r *Request) *CompiledRule {
	var best *CompiledRule
	var bestScore score
	for _, a := range t.routes[serviceName{namespace, service}] {
		exact, length, ok := matchHost(a.route.Hostnames, r.Host)
		if !ok || !a.appliesTo(port) {
			continue
		}
		for _, rule := range a.rules {
			s, ok := rule.match(r)
			s.hostExact, s.host = exact, length
			if ok && (best == nil || s.beats(bestScore)) {
				best, bestScore = rule, s
			}
		}
	}
	return best
}

// match returns the score of the best alternative.
func (c *CompiledRule) match(r *Request) (score, bool) {
	if len(c.matchers) == 0 {
		return score{path: 1}, true
	}
	var bestScore score
	found := false
	for i := range c.matchers {
		s, ok := c.matchers[i].match(r)
		if ok && (!found || s.beats(bestScore)) {
			bestScore, found = s, true
		}
	}
	return bestScore, found
}

// Broken reports whether the weights of several backends are all 0. Then a client's proxy closes the
// connection instead of answering (linkerd2-proxy,
// linkerd/app/outbound/src/http/logical/policy/router.rs, which takes the distribution for valid).
func (c *CompiledRule) Broken() bool {
	return len(c.Backends) > 1 && !slices.ContainsFunc(c.Backends, func(b Backend) bool { return b.Weight > 0 })
}

// weight returns the weight of a backend. An only backend gets everything, whatever its weight
// (linkerd2-proxy, linkerd/distribute/src/params.rs, random_available).
func (c *CompiledRule) weight(i int) int {
	if len(c.Backends) == 1 {
		return 1
	}
	return c.Backends[i].Weight
}

// Pick chooses one of the available backends by weight and random bits, or returns -1 if none is
// available. As in linkerd2-proxy's RandomAvailable, a backend that fails fast leaves its share to
// the others (linkerd/distribute/src/service/random.rs). A backend whose Service does not exist
// counts as available: the proxy answers its share with 500.
func (c *CompiledRule) Pick(random uint64, available func(backend int) bool) int {
	if len(c.Backends) == 1 && available(0) {
		return 0
	}
	total := 0
	for i := range c.Backends {
		if w := c.weight(i); w > 0 && available(i) {
			total += w
		}
	}
	if total == 0 {
		return -1
	}
	at := below(random, total)
	for i := range c.Backends {
		w := c.weight(i)
		if w <= 0 || !available(i) {
			continue
		}
		if at -= w; at < 0 {
			return i
		}
	}
	return -1
}

// Share returns the share of the rule's requests that a backend receives now, from 0 to 1.
func (c *CompiledRule) Share(backend int, available func(backend int) bool) float64 {
	total := 0
	for i := range c.Backends {
		if w := c.weight(i); w > 0 && available(i) {
			total += w
		}
	}
	if w := c.weight(backend); total > 0 && w > 0 && available(backend) {
		return float64(w) / float64(total)
	}
	return 0
}
