package k8s

import (
	"github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	"k8s.io/utils/ptr"

	"coalmine/lab/mesh"
)

// Routes converts HTTPRoutes, keeping their order. Parents other than Services are left out, since
// a Gateway's clients are outside the mesh. A route without a creation time stays without one; see
// [mesh.Route].
func Routes(list []v1beta1.HTTPRoute) []mesh.Route {
	var routes []mesh.Route
	for i := range list {
		routes = append(routes, Route(&list[i]))
	}
	return routes
}

// Route converts an HTTPRoute.
func Route(r *v1beta1.HTTPRoute) mesh.Route {
	route := mesh.Route{Name: r.Name, Namespace: r.Namespace, Created: r.CreationTimestamp.Time}
	for _, p := range r.Spec.ParentRefs {
		if ptr.Deref(p.Kind, "Gateway") != "Service" {
			continue
		}
		route.Parents = append(route.Parents, mesh.Parent{
			Service: string(p.Name), Namespace: string(ptr.Deref(p.Namespace, v1beta1.Namespace(r.Namespace))),
			Port: int(ptr.Deref(p.Port, 0)),
		})
	}
	for _, h := range r.Spec.Hostnames {
		route.Hostnames = append(route.Hostnames, string(h))
	}
	rules := r.Spec.Rules
	if rules == nil { // the API server's default, which matches every path
		rules = []v1beta1.HTTPRouteRule{{}}
	}
	for _, rule := range rules {
		route.Rules = append(route.Rules, routeRule(rule, r.Namespace))
	}
	return route
}

func routeRule(r v1beta1.HTTPRouteRule, namespace string) mesh.Rule {
	rule := mesh.Rule{}
	rule.RequestHeaders, rule.ResponseHeaders = headerFilters(r.Filters)
	for _, m := range r.Matches {
		rule.Matches = append(rule.Matches, routeMatch(m))
	}
	for _, b := range r.BackendRefs {
		backend := mesh.Backend{
			Service: string(b.Name), Namespace: string(ptr.Deref(b.Namespace, v1beta1.Namespace(namespace))),
			Port: int(ptr.Deref(b.Port, 0)), Weight: int(ptr.Deref(b.Weight, 1)),
		}
		backend.RequestHeaders, backend.ResponseHeaders = headerFilters(b.Filters)
		rule.Backends = append(rule.Backends, backend)
	}
	return rule
}

func routeMatch(m v1beta1.HTTPRouteMatch) mesh.Match {
	match := mesh.Match{Method: string(ptr.Deref(m.Method, ""))}
	if p := m.Path; p != nil {
		match.Path = mesh.PathMatch{Kind: pathKind(ptr.Deref(p.Type, v1beta1.PathMatchPathPrefix)),
			Value: ptr.Deref(p.Value, "/")}
	}
	for _, h := range m.Headers {
		regex := ptr.Deref(h.Type, v1beta1.HeaderMatchExact) == v1beta1.HeaderMatchRegularExpression
		match.Headers = append(match.Headers, mesh.ValueMatch{Name: string(h.Name), Value: h.Value, Regex: regex})
	}
	for _, q := range m.QueryParams {
		regex := ptr.Deref(q.Type, v1beta1.QueryParamMatchExact) == v1beta1.QueryParamMatchRegularExpression
		match.Query = append(match.Query, mesh.ValueMatch{Name: string(q.Name), Value: q.Value, Regex: regex})
	}
	return match
}

func pathKind(t v1beta1.PathMatchType) mesh.PathKind {
	switch t {
	case v1beta1.PathMatchExact:
		return mesh.PathExact
	case v1beta1.PathMatchPathPrefix:
		return mesh.PathPrefix
	case v1beta1.PathMatchRegularExpression:
		return mesh.PathRegex
	}
	return mesh.PathAny
}

func headerFilters(filters []v1beta1.HTTPRouteFilter) (request, response mesh.HeaderFilter) {
	for _, f := range filters {
		if f.RequestHeaderModifier != nil {
			request = headerFilter(f.RequestHeaderModifier)
		}
		if f.ResponseHeaderModifier != nil {
			response = headerFilter(f.ResponseHeaderModifier)
		}
	}
	return request, response
}

func headerFilter(f *v1beta1.HTTPHeaderFilter) mesh.HeaderFilter {
	return mesh.HeaderFilter{Set: headers(f.Set), Add: headers(f.Add), Remove: f.Remove}
}

func headers(list []v1beta1.HTTPHeader) []mesh.Header {
	var hs []mesh.Header
	for _, h := range list {
		hs = append(hs, mesh.Header{Name: string(h.Name), Value: h.Value})
	}
	return hs
}
