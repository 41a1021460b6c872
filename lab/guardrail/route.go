package guardrail

import (
	"slices"
	"strings"

	"coalmine/lab/input/yamlpos"

	gatewayv1beta1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
)

// checkRoute checks an HTTPRoute, which must not be one that Flagger creates.
func (c *checker) checkRoute(d *document, r *gatewayv1beta1.HTTPRoute) {
	if slices.Contains(c.env.Targets, r.Name) {
		c.fail(d, "metadata.name", "Flagger creates HTTPRoute "+Clip(r.Name), "use another name, or remove it")
	}
	if len(r.Spec.ParentRefs) == 0 {
		c.fail(d, "spec.parentRefs", "is missing", "write the Service or Server that the route belongs to")
	}
	if !c.checkLength(d, "spec.parentRefs", len(r.Spec.ParentRefs)) ||
		!c.checkLength(d, "spec.rules", len(r.Spec.Rules)) {
		return
	}
	for i, ref := range r.Spec.ParentRefs {
		c.checkParentRef(d, yamlpos.Index("spec.parentRefs", i), ref)
	}
	for i, rule := range r.Spec.Rules {
		c.checkRule(d, yamlpos.Index("spec.rules", i), rule)
	}
}

func (c *checker) checkParentRef(d *document, path string, ref gatewayv1beta1.ParentReference) {
	if ref.Namespace != nil && !c.checkNamespace(d, path+".namespace", string(*ref.Namespace)) {
		return
	}
	g, k := "gateway.networking.k8s.io", "Gateway"
	if ref.Group != nil {
		g = canonicalGroup(string(*ref.Group))
	}
	if ref.Kind != nil {
		k = string(*ref.Kind)
	}
	switch {
	case g == LinkerdGroup && k == "Server":
	case g == "" && k == "Service":
		c.checkServiceName(d, path+".name", string(ref.Name))
	default:
		c.fail(d, path, "refers to a "+Clip(k)+", but the lab has no gateway",
			"write group: core, kind: Service, or group: policy.linkerd.io, kind: Server")
	}
}

// checkServiceName checks that a Service is one of the lab's, or one that Flagger creates for them.
func (c *checker) checkServiceName(d *document, path, name string) {
	base := strings.TrimSuffix(strings.TrimSuffix(name, "-primary"), "-canary")
	if !slices.Contains(c.env.Targets, name) && !slices.Contains(c.env.Targets, base) {
		c.fail(d, path, "the lab has no Service "+Clip(name), "available: "+strings.Join(c.env.Targets, ", "))
	}
}

func (c *checker) checkRule(d *document, path string, rule gatewayv1beta1.HTTPRouteRule) {
	if !c.checkLength(d, path+".matches", len(rule.Matches)) || !c.checkLength(d, path+".backendRefs",
		len(rule.BackendRefs)) {
		return
	}
	for i, m := range rule.Matches {
		match := yamlpos.Index(path+".matches", i)
		if !c.checkLength(d, match+".headers", len(m.Headers)) ||
			!c.checkLength(d, match+".queryParams", len(m.QueryParams)) {
			return
		}
		if m.Path != nil {
			c.checkRoutePath(d, match+".path.value", *m.Path)
		}
		for j, h := range m.Headers {
			if h.Type != nil && *h.Type == gatewayv1beta1.HeaderMatchRegularExpression {
				c.checkRegex(d, yamlpos.Index(match+".headers", j)+".value", h.Value)
			}
		}
		for j, q := range m.QueryParams {
			if q.Type != nil && *q.Type == gatewayv1beta1.QueryParamMatchRegularExpression {
				c.checkRegex(d, yamlpos.Index(match+".queryParams", j)+".value", q.Value)
			}
		}
	}
	c.checkFilters(d, path+".filters", rule.Filters)
	for i, b := range rule.BackendRefs {
		c.checkBackendRef(d, yamlpos.Index(path+".backendRefs", i), b)
	}
}

func (c *checker) checkRoutePath(d *document, field string, p gatewayv1beta1.HTTPPathMatch) {
	switch {
	case p.Value == nil:
	case p.Type != nil && *p.Type == gatewayv1beta1.PathMatchRegularExpression:
		c.checkRegex(d, field, *p.Value)
	default:
		c.checkAbsolutePath(d, field, *p.Value)
	}
}

// checkFilters refuses filters that Linkerd or the lab does not apply.
// Source: linkerd2 policy-controller/k8s/index/src/outbound/index/http.rs, convert_gateway_filter.
func (c *checker) checkFilters(d *document, path string, filters []gatewayv1beta1.HTTPRouteFilter) {
	if !c.checkLength(d, path, len(filters)) {
		return
	}
	for i, f := range filters {
		filter := yamlpos.Index(path, i)
		switch f.Type {
		case gatewayv1beta1.HTTPRouteFilterRequestHeaderModifier, gatewayv1beta1.HTTPRouteFilterResponseHeaderModifier:
		case gatewayv1beta1.HTTPRouteFilterRequestMirror:
			c.fail(d, filter, "the lab does not support mirroring", "remove it")
		case gatewayv1beta1.HTTPRouteFilterRequestRedirect:
			c.fail(d, filter, "the lab does not support redirects", "remove it")
		case gatewayv1beta1.HTTPRouteFilterURLRewrite:
			c.fail(d, filter, "makes Linkerd drop the whole route, since it does not support URLRewrite", "remove it")
		default:
			c.fail(d, filter, Clip(string(f.Type))+" is not a filter that Linkerd supports",
				"use RequestHeaderModifier or ResponseHeaderModifier")
		}
	}
}

func (c *checker) checkBackendRef(d *document, path string, b gatewayv1beta1.HTTPBackendRef) {
	if b.Namespace != nil && !c.checkNamespace(d, path+".namespace", string(*b.Namespace)) {
		return
	}
	if b.Kind != nil && *b.Kind != "Service" {
		c.fail(d, path+".kind", Clip(string(*b.Kind))+" is not a backend", "write kind: Service")
		return
	}
	c.checkServiceName(d, path+".name", string(b.Name))
	if b.Port == nil || *b.Port == 0 {
		c.fail(d, path+".port", "is missing: Linkerd refuses a route to a Service without a port",
			"write the Service's port")
	}
	c.checkFilters(d, path+".filters", b.Filters)
	if b.Weight != nil {
		c.checkRange(d, path+".weight", int(*b.Weight), 0, 1_000_000)
	}
}
