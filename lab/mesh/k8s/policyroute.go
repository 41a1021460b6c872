package k8s

import (
	"strings"

	v1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	"k8s.io/utils/ptr"

	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
)

// inboundRoute converts an HTTPRoute that belongs to Servers; ok is false if it belongs to none, or
// if Linkerd drops it because of a filter.
func inboundRoute(r *v1.HTTPRoute) (route mesh.InboundRoute, ok bool) {
	route.Group, _, _ = strings.Cut(r.APIVersion, "/")
	for _, p := range r.Spec.ParentRefs {
		group := string(ptr.Deref(p.Group, v1.Group(route.Group)))
		local := string(ptr.Deref(p.Namespace, v1.Namespace(r.Namespace))) == r.Namespace
		if group == guardrail.LinkerdGroup && ptr.Deref(p.Kind, "Gateway") == "Server" && local {
			route.Servers = append(route.Servers, string(p.Name))
		}
	}
	for _, rule := range r.Spec.Rules {
		for _, f := range rule.Filters {
			if f.RequestMirror != nil || f.URLRewrite != nil || f.ExtensionRef != nil {
				return route, false
			}
		}
	}
	if len(route.Servers) == 0 {
		return route, false
	}
	route.Route = Route(r)
	route.Parents = nil
	return route, true
}

func rateLimit(p *guardrail.HTTPLocalRateLimitPolicy) mesh.RateLimit {
	l := mesh.RateLimit{Name: p.Name, Namespace: p.Namespace, Created: p.CreationTimestamp.Time,
		Server: p.Spec.TargetRef.Name}
	if p.Spec.Total != nil {
		l.Total = int(p.Spec.Total.RequestsPerSecond)
	}
	if p.Spec.Identity != nil {
		l.Identity = int(p.Spec.Identity.RequestsPerSecond)
	}
	for _, o := range p.Spec.Overrides {
		converted := mesh.RateOverride{RequestsPerSecond: int(o.RequestsPerSecond)}
		for _, ref := range o.ClientRefs {
			namespace := ref.Namespace
			if namespace == "" {
				namespace = p.Namespace
			}
			converted.Identities = append(converted.Identities, mesh.Identity(ref.Name, namespace))
		}
		l.Overrides = append(l.Overrides, converted)
	}
	return l
}
