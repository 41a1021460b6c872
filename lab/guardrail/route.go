package guardrail

import (
	"slices"
	"strings"

	"coalmine/lab/input/yamlpos"

	gatewayv1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
)

// checkRoute checks an HTTPRoute, which must not be one that Flagger creates. The API server's
// limits on lists hold already.
func (c *checker) checkRoute(d *document, r *gatewayv1.HTTPRoute) {
	if slices.Contains(c.env.Targets, r.Name) && keyOf(d).kind != linkerdRoute {
		c.fail(d, "metadata.name", "Flagger creates HTTPRoute "+Clip(r.Name), "use another name, or remove it")
	}
	for i, ref := range r.Spec.ParentRefs {
		c.checkParentRef(d, yamlpos.Index("spec.parentRefs", i), ref)
	}
	for i, rule := range r.Spec.Rules {
		c.checkRule(d, yamlpos.Index("spec.rules", i), rule)
	}
}

func (c *checker) checkParentRef(d *document, path string, ref gatewayv1.ParentReference) {
	if ref.Namespace != nil {
		c.checkNamespace(d, path+".namespace", string(*ref.Namespace))
	}
}

// checkServiceName checks that a Service is one of the lab's, or one that Flagger creates for them.
func (c *checker) checkServiceName(d *document, path, name string) {
	base := strings.TrimSuffix(strings.TrimSuffix(name, "-primary"), "-canary")
	if !slices.Contains(c.env.Targets, name) && !slices.Contains(c.env.Targets, base) {
		c.fail(d, path, "the lab has no Service "+Clip(name), "available: "+strings.Join(c.env.Targets, ", "))
	}
}

func (c *checker) checkRule(d *document, path string, rule gatewayv1.HTTPRouteRule) {
	for i, m := range rule.Matches {
		match := yamlpos.Index(path+".matches", i)
		if p := m.Path; p != nil && p.Type != nil && *p.Type == gatewayv1.PathMatchRegularExpression && p.Value != nil {
			c.checkRouteRegex(d, match+".path.value", *p.Value)
		}
		for j, h := range m.Headers {
			if h.Type != nil && *h.Type == gatewayv1.HeaderMatchRegularExpression {
				c.checkRouteRegex(d, yamlpos.Index(match+".headers", j)+".value", h.Value)
			}
		}
		for j, q := range m.QueryParams {
			if q.Type != nil && *q.Type == gatewayv1.QueryParamMatchRegularExpression {
				c.checkRouteRegex(d, yamlpos.Index(match+".queryParams", j)+".value", q.Value)
			}
		}
	}
	c.checkMirrors(d, path+".filters", rule.Filters)
	for i, b := range rule.BackendRefs {
		c.checkBackendRef(d, yamlpos.Index(path+".backendRefs", i), b)
	}
}

// checkMirrors checks that mirrors, which Linkerd does not play, stay in the lab.
func (c *checker) checkMirrors(d *document, path string, filters []gatewayv1.HTTPRouteFilter) {
	for i, f := range filters {
		if f.RequestMirror == nil {
			continue
		}
		ref := yamlpos.Index(path, i) + ".requestMirror.backendRef"
		if b := f.RequestMirror.BackendRef; b.Namespace != nil {
			c.checkNamespace(d, ref+".namespace", string(*b.Namespace))
		}
	}
}

func (c *checker) checkBackendRef(d *document, path string, b gatewayv1.HTTPBackendRef) {
	if b.Namespace != nil {
		c.checkNamespace(d, path+".namespace", string(*b.Namespace))
	}
	c.checkMirrors(d, path+".filters", b.Filters)
}
