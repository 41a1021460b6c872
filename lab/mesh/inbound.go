package mesh

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

// InboundRoute is an HTTPRoute, of the Gateway API or of Linkerd, that belongs to Servers. Of its
// rules only matches count; backends have no effect.
type InboundRoute struct {
	Route
	// Group is the route's API group.
	Group string
	// Servers are in the route's namespace.
	Servers []string
}

// Protocols of a Server that its proxy does not read.
const (
	ServerOpaque = "opaque"
	ServerTLS    = "TLS"
)

// PortPolicy is what a pod's proxy enforces on one port of the pod.
type PortPolicy struct {
	policies *Policies
	server   Ref
	port     int
	// opaque is set if the proxy forwards bytes.
	opaque bool
	// routes are those of the Server, the oldest first. Without any, the default routes apply: one
	// for each probe path and one for everything else.
	routes []*portRoute
	probes []string
	authz  []*AuthorizationPolicy
	// access is the policy for clients without an authorization.
	access string
	// denied says why such clients are denied.
	denied string
	limit  *RateLimit
}

type portRoute struct {
	ref       Ref
	hostnames []string
	rules     []*CompiledRule
	authz     []*AuthorizationPolicy
}

// ForPort returns what the proxy of a pod enforces on a port (linkerd2,
// policy-controller/k8s/index/src/inbound/index.rs, inbound_server and default_inbound_server).
func (p *Policies) ForPort(w Workload, port int) *PortPolicy {
	pp := &PortPolicy{policies: p, port: port, probes: w.ProbePaths[port]}
	server := p.server(w, port)
	if server == nil {
		pp.access = cmp.Or(w.DefaultPolicy, p.Default, AllUnauthenticated)
		pp.server, pp.denied = DefaultRef(pp.access), "the default policy of the pod is "+pp.access
		return pp
	}
	pp.server, pp.access = ServerRef(server.Name), cmp.Or(server.AccessPolicy, Deny)
	pp.opaque = server.Protocol == ServerOpaque || server.Protocol == ServerTLS
	pp.authz = p.authorizations(server)
	pp.denied = "no AuthorizationPolicy for Server " + server.Name + " admits the client"
	pp.routes = p.routesOf(server)
	pp.limit = p.rateLimitOf(server)
	return pp
}

// routesOf returns the routes of a Server (linkerd2, policy-controller/grpc/src/inbound/http.rs,
// to_route_list).
func (p *Policies) routesOf(s *Server) []*portRoute {
	var found []*InboundRoute
	for i := range p.Routes {
		if r := &p.Routes[i]; r.Namespace == s.Namespace && slices.Contains(r.Servers, s.Name) {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, func(a, b *InboundRoute) int {
		return cmp.Or(compareTimes(a.Created, b.Created), strings.Compare(a.Name, b.Name),
			strings.Compare(a.Group, b.Group))
	})
	var routes []*portRoute
	for _, r := range found {
		rules, err := compileRules(&r.Route)
		if err != nil {
			continue // dropped; admission refuses it
		}
		routes = append(routes, &portRoute{
			ref: RouteRef(r.Group, r.Name), hostnames: r.Hostnames, rules: rules, authz: p.routeAuthorizations(r),
		})
	}
	return routes
}

// compareTimes orders times, the zero time last.
func compareTimes(a, b time.Time) int {
	switch {
	case a.IsZero() == b.IsZero():
		return a.Compare(b)
	case a.IsZero():
		return 1
	}
	return -1
}

// routeAuthorizations returns the policies that target a route, sorted by name.
func (p *Policies) routeAuthorizations(r *InboundRoute) []*AuthorizationPolicy {
	var found []*AuthorizationPolicy
	for i := range p.Authorizations {
		a := &p.Authorizations[i]
		if a.Namespace == r.Namespace && strings.EqualFold(a.TargetKind, "HTTPRoute") &&
			strings.EqualFold(a.TargetGroup, r.Group) && a.TargetName == r.Name {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b *AuthorizationPolicy) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// Opaque reports whether the proxy forwards the port's bytes. Then it decides once for each
// connection and has no series for requests.
func (pp *PortPolicy) Opaque() bool { return pp.opaque }

// PerRequest reports whether the decision depends on the request, not on the client alone.
func (pp *PortPolicy) PerRequest() bool { return len(pp.routes) > 0 || len(pp.probes) > 0 }

// Limit returns the rate limit of the port, or nil.
func (pp *PortPolicy) Limit() *RateLimit { return pp.limit }

// Decide returns the decision about a request (linkerd2-proxy, linkerd/app/inbound/src/policy/http.rs):
// a request that no route matches is answered 404, one without an authorization 403. The rate limit
// is checked after it, for requests that are admitted; see [Limiter].
//
// Linkerd keeps authorizations in a hash map, so which of several appears in authz_* is random.
// Here it is the first by name; those of the route come before those of the Server, and the access
// policy comes last.
func (pp *PortPolicy) Decide(c Client, r *Request) Verdict {
	v := Verdict{Server: pp.server, Port: pp.port, Status: http.StatusForbidden, Route: DefaultRef("default")}
	if len(pp.routes) > 0 {
		route := pp.match(r)
		if route == nil {
			v.Status, v.Route = http.StatusNotFound, Ref{}
			v.Reason = "no HTTPRoute of Server " + pp.server.Name + " matches the request"
			return v
		}
		v.Route = route.ref
		if pp.authorize(&v, route.authz, c) {
			return v
		}
	} else if r.Method == http.MethodGet && slices.Contains(pp.probes, r.Path) {
		v.allow(DefaultRef("probe"))
		v.Route = DefaultRef("probe")
		return v
	}
	if pp.authorize(&v, pp.authz, c) {
		return v
	}
	return pp.policies.applyDefault(v, pp.access, c, pp.denied)
}

// authorize admits the client by one of the policies.
func (pp *PortPolicy) authorize(v *Verdict, policies []*AuthorizationPolicy, c Client) bool {
	for _, a := range policies {
		if pp.policies.admits(a, c) {
			v.allow(Ref{policyGroup, "authorizationpolicy", a.Name})
			return true
		}
	}
	return false
}

// match returns the route with the best match, or nil.
func (pp *PortPolicy) match(r *Request) *portRoute {
	var best *portRoute
	var bestScore score
	for _, route := range pp.routes {
		exact, length, ok := matchHost(route.hostnames, r.Host)
		if !ok {
			continue
		}
		for _, rule := range route.rules {
			s, ok := rule.match(r)
			s.hostExact, s.host = exact, length
			if ok && (best == nil || s.beats(bestScore)) {
				best, bestScore = route, s
			}
		}
	}
	return best
}
