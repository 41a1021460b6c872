package sim

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
	"coalmine/lab/sim/bubble"
	"coalmine/lab/sim/dataplane"
)

// This file says Kubernetes objects in the mesh model's words.

func planeServices(list []corev1.Service) []dataplane.Service {
	var services []dataplane.Service
	for _, s := range list {
		if len(s.Spec.Ports) == 0 {
			continue
		}
		p := s.Spec.Ports[0]
		services = append(services, dataplane.Service{
			Name: s.Name, Namespace: s.Namespace, Selector: s.Spec.Selector, Port: int(p.Port), TargetPort: targetPort(p),
		})
	}
	return services
}

// targetPort is the number of the pods' port. The demo services name theirs http.
func targetPort(p corev1.ServicePort) int {
	switch {
	case p.TargetPort.Type == intstr.String && p.TargetPort.StrVal == portName:
		return 0
	case p.TargetPort.Type == intstr.String:
		return -1 // a name that no pod has
	case p.TargetPort.IntVal == 0:
		return int(p.Port) // the API's default
	}
	return int(p.TargetPort.IntVal)
}

func planeRoutes(list []v1beta1.HTTPRoute) []mesh.Route {
	var routes []mesh.Route
	for i := range list {
		r := &list[i]
		route := mesh.Route{Name: r.Name, Namespace: r.Namespace, Created: created(r)}
		for _, p := range r.Spec.ParentRefs {
			if value(p.Kind, "Gateway") != "Service" {
				continue // a Gateway's clients are outside the mesh
			}
			route.Parents = append(route.Parents, mesh.Parent{
				Service: string(p.Name), Namespace: string(value(p.Namespace, v1beta1.Namespace(r.Namespace))), Port: int(value(p.Port, 0)),
			})
		}
		for _, h := range r.Spec.Hostnames {
			route.Hostnames = append(route.Hostnames, string(h))
		}
		for _, rule := range r.Spec.Rules {
			route.Rules = append(route.Rules, planeRule(rule, r.Namespace))
		}
		routes = append(routes, route)
	}
	return routes
}

// created is when an object came to be; the fakes do not say, so what has no time counts as old as the run.
func created(o metav1.Object) time.Time {
	if t := o.GetCreationTimestamp(); !t.IsZero() {
		return t.Time
	}
	return bubble.Epoch
}

func value[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func planeRule(r v1beta1.HTTPRouteRule, namespace string) mesh.Rule {
	rule := mesh.Rule{}
	rule.RequestHeaders, rule.ResponseHeaders = headerFilters(r.Filters)
	for _, m := range r.Matches {
		rule.Matches = append(rule.Matches, planeMatch(m))
	}
	for _, b := range r.BackendRefs {
		backend := mesh.Backend{
			Service: string(b.Name), Namespace: string(value(b.Namespace, v1beta1.Namespace(namespace))),
			Port: int(value(b.Port, 0)), Weight: int(value(b.Weight, 1)),
		}
		backend.RequestHeaders, backend.ResponseHeaders = headerFilters(b.Filters)
		rule.Backends = append(rule.Backends, backend)
	}
	return rule
}

func planeMatch(m v1beta1.HTTPRouteMatch) mesh.Match {
	match := mesh.Match{Method: string(value(m.Method, ""))}
	if p := m.Path; p != nil {
		kinds := map[v1beta1.PathMatchType]mesh.PathKind{
			v1beta1.PathMatchExact: mesh.PathExact, v1beta1.PathMatchPathPrefix: mesh.PathPrefix, v1beta1.PathMatchRegularExpression: mesh.PathRegex,
		}
		match.Path = mesh.PathMatch{Kind: kinds[value(p.Type, v1beta1.PathMatchPathPrefix)], Value: value(p.Value, "/")}
	}
	for _, h := range m.Headers {
		regex := value(h.Type, v1beta1.HeaderMatchExact) == v1beta1.HeaderMatchRegularExpression
		match.Headers = append(match.Headers, mesh.ValueMatch{Name: string(h.Name), Value: h.Value, Regex: regex})
	}
	for _, q := range m.QueryParams {
		regex := value(q.Type, v1beta1.QueryParamMatchExact) == v1beta1.QueryParamMatchRegularExpression
		match.Query = append(match.Query, mesh.ValueMatch{Name: string(q.Name), Value: q.Value, Regex: regex})
	}
	return match
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
	headers := func(list []v1beta1.HTTPHeader) []mesh.Header {
		var hs []mesh.Header
		for _, h := range list {
			hs = append(hs, mesh.Header{Name: string(h.Name), Value: h.Value})
		}
		return hs
	}
	return mesh.HeaderFilter{Set: headers(f.Set), Add: headers(f.Add), Remove: f.Remove}
}

// planePolicies translates the Linkerd policies in force. They are ordered by age as they were applied.
func planePolicies(list []guardrail.Object) (mesh.Policies, error) {
	var p mesh.Policies
	var errs []error
	for i, o := range list {
		switch v := o.Value.(type) {
		case *guardrail.Server:
			p.Servers = append(p.Servers, planeServer(v, bubble.Epoch.Add(time.Duration(i))))
		case *guardrail.AuthorizationPolicy:
			a := mesh.AuthorizationPolicy{Name: v.Name, Namespace: v.Namespace, TargetKind: v.Spec.TargetRef.Kind, TargetName: v.Spec.TargetRef.Name}
			for _, r := range v.Spec.RequiredAuthenticationRefs {
				a.Required = append(a.Required, mesh.AuthenticationRef{Kind: r.Kind, Name: r.Name, Namespace: r.Namespace})
			}
			p.Authorizations = append(p.Authorizations, a)
		case *guardrail.MeshTLSAuthentication:
			m := mesh.MeshTLSAuthentication{Name: v.Name, Namespace: v.Namespace, Identities: v.Spec.Identities}
			for _, r := range v.Spec.IdentityRefs {
				m.Refs = append(m.Refs, mesh.IdentityRef{Kind: r.Kind, Name: r.Name, Namespace: r.Namespace})
			}
			p.MeshTLS = append(p.MeshTLS, m)
		case *guardrail.NetworkAuthentication:
			n, err := planeNetworks(v)
			errs = append(errs, err)
			p.Networks = append(p.Networks, n)
		default:
			errs = append(errs, fmt.Errorf("%s: the sim does not model %s", o.Source, o.Kind))
		}
	}
	return p, errors.Join(errs...)
}

func planeServer(v *guardrail.Server, created time.Time) mesh.Server {
	s := mesh.Server{Name: v.Name, Namespace: v.Namespace, Created: created, AccessPolicy: v.Spec.AccessPolicy}
	if v.Spec.Port.Type == intstr.String {
		s.PortName = v.Spec.Port.StrVal
	} else {
		s.Port = v.Spec.Port.IntValue()
	}
	if sel := v.Spec.PodSelector; sel != nil {
		s.Selector.MatchLabels = sel.MatchLabels
		for _, e := range sel.MatchExpressions {
			s.Selector.MatchExpressions = append(s.Selector.MatchExpressions, mesh.Requirement{Key: e.Key, Operator: string(e.Operator), Values: e.Values})
		}
	}
	return s
}

func planeNetworks(v *guardrail.NetworkAuthentication) (mesh.NetworkAuthentication, error) {
	n := mesh.NetworkAuthentication{Name: v.Name, Namespace: v.Namespace}
	for _, net := range v.Spec.Networks {
		cidr, err := prefix(net.CIDR)
		if err != nil {
			return n, fmt.Errorf("NetworkAuthentication %s: %w", v.Name, err)
		}
		network := mesh.Network{CIDR: cidr}
		for _, e := range net.Except {
			except, err := prefix(e)
			if err != nil {
				return n, fmt.Errorf("NetworkAuthentication %s: %w", v.Name, err)
			}
			network.Except = append(network.Except, except)
		}
		n.Networks = append(n.Networks, network)
	}
	return n, nil
}

// prefix reads a CIDR or a single address.
func prefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}
