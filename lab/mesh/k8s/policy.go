package k8s

import (
	"errors"
	"fmt"
	"net/netip"

	v1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
)

// Policies converts Linkerd policies, the types of package guardrail, and HTTPRoutes of Servers; other
// HTTPRoutes are left out. Objects that cannot be
// converted are left out and named in the error; the other policies are returned nevertheless.
// Servers have the creation times set by the API server.
func Policies(list []runtime.Object) (mesh.Policies, error) {
	var p mesh.Policies
	var errs []error
	for _, o := range list {
		errs = append(errs, addPolicy(&p, o))
	}
	return p, errors.Join(errs...)
}

func addPolicy(p *mesh.Policies, o runtime.Object) error {
	switch v := o.(type) {
	case *guardrail.Server:
		if v.Spec.PodSelector == nil {
			return nil // of workloads outside the cluster
		}
		p.Servers = append(p.Servers, server(v))
	case *guardrail.AuthorizationPolicy:
		p.Authorizations = append(p.Authorizations, authorization(v))
	case *guardrail.MeshTLSAuthentication:
		p.MeshTLS = append(p.MeshTLS, meshTLS(v))
	case *guardrail.NetworkAuthentication:
		n, err := networks(v)
		if err != nil {
			return fmt.Errorf("NetworkAuthentication %s/%s: %w", v.Namespace, v.Name, err)
		}
		p.Networks = append(p.Networks, n)
	case *guardrail.HTTPLocalRateLimitPolicy:
		p.RateLimits = append(p.RateLimits, rateLimit(v))
	case *v1.HTTPRoute:
		if route, ok := inboundRoute(v); ok {
			p.Routes = append(p.Routes, route)
		}
	case *guardrail.ServiceProfile:
		// of clients
	default:
		return fmt.Errorf("%T is not a policy that the mesh enforces", o)
	}
	return nil
}

func server(v *guardrail.Server) mesh.Server {
	s := mesh.Server{Name: v.Name, Namespace: v.Namespace, Created: v.CreationTimestamp.Time,
		Protocol: v.Spec.ProxyProtocol, AccessPolicy: v.Spec.AccessPolicy}
	if v.Spec.Port.Type == intstr.String {
		s.PortName = v.Spec.Port.StrVal
	} else {
		s.Port = v.Spec.Port.IntValue()
	}
	if sel := v.Spec.PodSelector; sel != nil {
		s.Selector.MatchLabels = sel.MatchLabels
		for _, e := range sel.MatchExpressions {
			s.Selector.MatchExpressions = append(s.Selector.MatchExpressions,
				mesh.Requirement{Key: e.Key, Operator: string(e.Operator), Values: e.Values})
		}
	}
	return s
}

func authorization(v *guardrail.AuthorizationPolicy) mesh.AuthorizationPolicy {
	a := mesh.AuthorizationPolicy{Name: v.Name, Namespace: v.Namespace, TargetGroup: v.Spec.TargetRef.Group,
		TargetKind: v.Spec.TargetRef.Kind, TargetName: v.Spec.TargetRef.Name}
	for _, r := range v.Spec.RequiredAuthenticationRefs {
		a.Required = append(a.Required, mesh.AuthenticationRef{Kind: r.Kind, Name: r.Name, Namespace: r.Namespace})
	}
	return a
}

func meshTLS(v *guardrail.MeshTLSAuthentication) mesh.MeshTLSAuthentication {
	m := mesh.MeshTLSAuthentication{Name: v.Name, Namespace: v.Namespace, Identities: v.Spec.Identities}
	for _, r := range v.Spec.IdentityRefs {
		m.Refs = append(m.Refs, mesh.IdentityRef{Kind: r.Kind, Name: r.Name, Namespace: r.Namespace})
	}
	return m
}

func networks(v *guardrail.NetworkAuthentication) (mesh.NetworkAuthentication, error) {
	n := mesh.NetworkAuthentication{Name: v.Name, Namespace: v.Namespace}
	for _, net := range v.Spec.Networks {
		cidr, err := parsePrefix(net.CIDR)
		if err != nil {
			return n, err
		}
		network := mesh.Network{CIDR: cidr}
		for _, e := range net.Except {
			except, err := parsePrefix(e)
			if err != nil {
				return n, err
			}
			network.Except = append(network.Except, except)
		}
		n.Networks = append(n.Networks, network)
	}
	return n, nil
}

// parsePrefix parses a CIDR or a single address.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}
