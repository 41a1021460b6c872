package k8s

import (
	"encoding/json"

	v1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	"github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	"k8s.io/utils/ptr"

	"coalmine/lab/mesh"
)

// Upgrade converts a route of v1beta1, in which Flagger writes, to v1, which has all of its fields
// under the same names. Neither encoding nor decoding such a value can fail.
func Upgrade(r *v1beta1.HTTPRoute) *v1.HTTPRoute {
	data, _ := json.Marshal(r)
	upgraded := &v1.HTTPRoute{}
	_ = json.Unmarshal(data, upgraded)
	return upgraded
}

// Route converts an HTTPRoute, of the Gateway API or of Linkerd. Parents other than Services are
// left out, since a Gateway's clients are outside the mesh; [Policies] has those that are Servers.
// A route without a creation time stays without one; see [mesh.Route].
func Route(r *v1.HTTPRoute) mesh.Route {
	route := mesh.Route{Name: r.Name, Namespace: r.Namespace, Created: r.CreationTimestamp.Time}
	for _, p := range r.Spec.ParentRefs {
		if ptr.Deref(p.Kind, "Gateway") != "Service" {
			continue
		}
		route.Parents = append(route.Parents, mesh.Parent{
			Service: string(p.Name), Namespace: string(ptr.Deref(p.Namespace, v1.Namespace(r.Namespace))),
			Port: int(ptr.Deref(p.Port, 0)),
		})
	}
	for _, h := range r.Spec.Hostnames {
		route.Hostnames = append(route.Hostnames, string(h))
	}
	rules := r.Spec.Rules
	if rules == nil { // the API server's default, which matches every path
		rules = []v1.HTTPRouteRule{{}}
	}
	for _, rule := range rules {
		route.Rules = append(route.Rules, routeRule(rule, r.Namespace))
	}
	return route
}

func routeRule(r v1.HTTPRouteRule, namespace string) mesh.Rule {
	rule := mesh.Rule{}
	rule.RequestHeaders, rule.ResponseHeaders = headerFilters(r.Filters)
	for _, m := range r.Matches {
		rule.Matches = append(rule.Matches, routeMatch(m))
	}
	for _, b := range r.BackendRefs {
		backend := mesh.Backend{
			Service: string(b.Name), Namespace: string(ptr.Deref(b.Namespace, v1.Namespace(namespace))),
			Port: int(ptr.Deref(b.Port, 0)), Weight: int(ptr.Deref(b.Weight, 1)),
		}
		backend.RequestHeaders, backend.ResponseHeaders = headerFilters(b.Filters)
		rule.Backends = append(rule.Backends, backend)
	}
	return rule
}

func routeMatch(m v1.HTTPRouteMatch) mesh.Match {
	match := mesh.Match{Method: string(ptr.Deref(m.Method, ""))}
	if p := m.Path; p != nil {
		match.Path = mesh.PathMatch{Kind: pathKind(ptr.Deref(p.Type, v1.PathMatchPathPrefix)),
			Value: ptr.Deref(p.Value, "/")}
	}
	for _, h := range m.Headers {
		regex := ptr.Deref(h.Type, v1.HeaderMatchExact) == v1.HeaderMatchRegularExpression
		match.Headers = append(match.Headers, mesh.ValueMatch{Name: string(h.Name), Value: h.Value, Regex: regex})
	}
	for _, q := range m.QueryParams {
		regex := ptr.Deref(q.Type, v1.QueryParamMatchExact) == v1.QueryParamMatchRegularExpression
		match.Query = append(match.Query, mesh.ValueMatch{Name: string(q.Name), Value: q.Value, Regex: regex})
	}
	return match
}

func pathKind(t v1.PathMatchType) mesh.PathKind {
	switch t {
	case v1.PathMatchExact:
		return mesh.PathExact
	case v1.PathMatchPathPrefix:
		return mesh.PathPrefix
	case v1.PathMatchRegularExpression:
		return mesh.PathRegex
	}
	return mesh.PathAny
}

func headerFilters(filters []v1.HTTPRouteFilter) (request, response mesh.HeaderFilter) {
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

func headerFilter(f *v1.HTTPHeaderFilter) mesh.HeaderFilter {
	return mesh.HeaderFilter{Set: headers(f.Set), Add: headers(f.Add), Remove: f.Remove}
}

func headers(list []v1.HTTPHeader) []mesh.Header {
	var hs []mesh.Header
	for _, h := range list {
		hs = append(hs, mesh.Header{Name: string(h.Name), Value: h.Value})
	}
	return hs
}
