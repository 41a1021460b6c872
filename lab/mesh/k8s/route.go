package k8s

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	gatewayv1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	"github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	"k8s.io/utils/ptr"

	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
)

// Upgrade converts a route of v1beta1, in which Flagger writes, to v1, which has all of its fields
// under the same names. Neither encoding nor decoding such a value can fail.
func Upgrade(r *v1beta1.HTTPRoute) *gatewayv1.HTTPRoute {
	data, _ := json.Marshal(r)
	upgraded := &gatewayv1.HTTPRoute{}
	_ = json.Unmarshal(data, upgraded)
	return upgraded
}

// Route converts an HTTPRoute, of the Gateway API or of Linkerd. Parents other than Services are
// left out, since a Gateway's clients are outside the mesh; [Policies] has those that are Servers.
// A route without a creation time stays without one; see [mesh.Route].
func Route(r *gatewayv1.HTTPRoute) mesh.Route {
	route := mesh.Route{Name: r.Name, Namespace: r.Namespace, Created: r.CreationTimestamp.Time}
	if group, _, _ := strings.Cut(r.APIVersion, "/"); group == guardrail.LinkerdGroup {
		route.Group = group
	}
	for _, p := range r.Spec.ParentRefs {
		if ptr.Deref(p.Kind, "Gateway") != "Service" {
			continue
		}
		route.Parents = append(route.Parents, mesh.Parent{
			Service: string(p.Name), Namespace: string(ptr.Deref(p.Namespace, gatewayv1.Namespace(r.Namespace))),
			Port: int(ptr.Deref(p.Port, 0)),
		})
	}
	for _, h := range r.Spec.Hostnames {
		route.Hostnames = append(route.Hostnames, string(h))
	}
	rules := r.Spec.Rules
	if rules == nil { // the API server's default, which matches every path
		rules = []gatewayv1.HTTPRouteRule{{}}
	}
	timeouts, errTimeouts := parseTimeouts(r.Annotations)
	retry, errRetry := parseRetry(r.Annotations)
	for _, err := range []error{errTimeouts, errRetry} {
		if err != nil {
			route.Dropped = err.Error()
		}
	}
	for _, rule := range rules {
		converted, dropped := routeRule(rule, &route)
		if dropped != "" {
			route.Dropped = dropped
		}
		converted.Retry = retry
		if fromRule := converted.Timeouts.Request; timeouts != (mesh.Timeouts{}) {
			converted.Timeouts = timeouts
			if timeouts.Request == 0 {
				converted.Timeouts.Request = fromRule
			}
		}
		route.Rules = append(route.Rules, converted)
	}
	return route
}

// routeRule converts a rule, or says why Linkerd drops its route.
func routeRule(r gatewayv1.HTTPRouteRule, of *mesh.Route) (mesh.Rule, string) {
	rule := mesh.Rule{}
	rule.RequestHeaders, rule.ResponseHeaders = headerFilters(r.Filters)
	if of.Group != "" {
		// Linkerd takes the response filter of its own HTTPRoute for a request filter (linkerd2,
		// policy-controller/k8s/index/src/outbound/index/http.rs, convert_linkerd_filter).
		rule.RequestHeaders = joinFilters(rule.RequestHeaders, rule.ResponseHeaders)
		rule.ResponseHeaders = mesh.HeaderFilter{}
	}
	rule.Redirect = redirect(r.Filters)
	for _, m := range r.Matches {
		rule.Matches = append(rule.Matches, routeMatch(m))
	}
	for _, b := range r.BackendRefs {
		rule.Backends = append(rule.Backends, backend(b, of.Namespace))
	}
	if r.Timeouts != nil && r.Timeouts.Request != nil {
		rule.Timeouts.Request = requestTimeout(string(*r.Timeouts.Request), of)
	}
	return rule, unsupportedFilter(r.Filters)
}

// requestTimeout reads timeouts.request; 0s means no timeout. Of a route of the Gateway API, Linkerd
// ignores a duration with several units, like 1m30s.
func requestTimeout(raw string, of *mesh.Route) time.Duration {
	if of.Group == "" {
		d, _ := duration(raw)
		return d
	}
	d, _ := time.ParseDuration(raw) // the API server refuses what does not parse
	return d
}

// backend converts a backend. One that Linkerd does not support gets its share, which is answered 500
// (linkerd2, policy-controller/k8s/index/src/outbound/index/http.rs, convert_backend).
func backend(b gatewayv1.HTTPBackendRef, namespace string) mesh.Backend {
	backend := mesh.Backend{
		Service: string(b.Name), Namespace: string(ptr.Deref(b.Namespace, gatewayv1.Namespace(namespace))),
		Port: int(ptr.Deref(b.Port, 0)), Weight: int(ptr.Deref(b.Weight, 1)), Redirect: redirect(b.Filters),
	}
	backend.RequestHeaders, backend.ResponseHeaders = headerFilters(b.Filters)
	group, kind := string(ptr.Deref(b.Group, "")), string(ptr.Deref(b.Kind, "Service"))
	switch unsupported := unsupportedFilter(b.Filters); {
	case kind != "Service" || group != "" && group != "core":
		backend.Invalid = fmt.Sprintf("unsupported backend type %s %s", cmp.Or(group, "core"), kind)
	case unsupported != "":
		backend.Invalid = "unsupported backend filter: " + unsupported
	case backend.Port == 0:
		backend.Invalid = "missing port for backend Service " + backend.Service
	}
	return backend
}

func joinFilters(a, b mesh.HeaderFilter) mesh.HeaderFilter {
	return mesh.HeaderFilter{Set: slices.Concat(a.Set, b.Set), Add: slices.Concat(a.Add, b.Add),
		Remove: slices.Concat(a.Remove, b.Remove)}
}

// unsupportedFilter says which filter makes Linkerd drop the whole route, or "" (linkerd2,
// policy-controller/k8s/index/src/outbound/index/http.rs, convert_gateway_filter).
func unsupportedFilter(filters []gatewayv1.HTTPRouteFilter) string {
	for _, f := range filters {
		switch f.Type {
		case gatewayv1.HTTPRouteFilterRequestMirror, gatewayv1.HTTPRouteFilterURLRewrite,
			gatewayv1.HTTPRouteFilterExtensionRef:
			return fmt.Sprintf("%s filter is not supported", f.Type)
		}
	}
	return ""
}

func redirect(filters []gatewayv1.HTTPRouteFilter) *mesh.Redirect {
	for _, f := range filters {
		r := f.RequestRedirect
		if r == nil {
			continue
		}
		to := &mesh.Redirect{
			Scheme: ptr.Deref(r.Scheme, ""), Host: string(ptr.Deref(r.Hostname, "")), Port: int(ptr.Deref(r.Port, 0)),
			Status: ptr.Deref(r.StatusCode, http.StatusFound),
		}
		if r.Path != nil {
			to.FullPath, to.PrefixPath = r.Path.ReplaceFullPath, r.Path.ReplacePrefixMatch
		}
		return to
	}
	return nil
}

func routeMatch(m gatewayv1.HTTPRouteMatch) mesh.Match {
	match := mesh.Match{Method: string(ptr.Deref(m.Method, ""))}
	if p := m.Path; p != nil {
		match.Path = mesh.PathMatch{Kind: pathKind(ptr.Deref(p.Type, gatewayv1.PathMatchPathPrefix)),
			Value: ptr.Deref(p.Value, "/")}
	}
	for _, h := range m.Headers {
		regex := ptr.Deref(h.Type, gatewayv1.HeaderMatchExact) == gatewayv1.HeaderMatchRegularExpression
		match.Headers = append(match.Headers, mesh.ValueMatch{Name: string(h.Name), Value: h.Value, Regex: regex})
	}
	for _, q := range m.QueryParams {
		regex := ptr.Deref(q.Type, gatewayv1.QueryParamMatchExact) == gatewayv1.QueryParamMatchRegularExpression
		match.Query = append(match.Query, mesh.ValueMatch{Name: string(q.Name), Value: q.Value, Regex: regex})
	}
	return match
}

func pathKind(t gatewayv1.PathMatchType) mesh.PathKind {
	switch t {
	case gatewayv1.PathMatchExact:
		return mesh.PathExact
	case gatewayv1.PathMatchPathPrefix:
		return mesh.PathPrefix
	case gatewayv1.PathMatchRegularExpression:
		return mesh.PathRegex
	}
	return mesh.PathAny
}

func headerFilters(filters []gatewayv1.HTTPRouteFilter) (request, response mesh.HeaderFilter) {
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

func headerFilter(f *gatewayv1.HTTPHeaderFilter) mesh.HeaderFilter {
	return mesh.HeaderFilter{Set: headers(f.Set), Add: headers(f.Add), Remove: f.Remove}
}

func headers(list []gatewayv1.HTTPHeader) []mesh.Header {
	var hs []mesh.Header
	for _, h := range list {
		hs = append(hs, mesh.Header{Name: string(h.Name), Value: h.Value})
	}
	return hs
}
