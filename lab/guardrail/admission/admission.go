// Package admission decides what a real cluster would refuse: what the API server does by the
// schemas of the CRDs, and Linkerd's validating webhook after it. The reasons are theirs, word for
// word where they depend on nothing else, so that a search for them finds their documentation.
//
// The schemas are written by hand from the CRDs: the Gateway API's standard channel v1.2.1 and the
// charts of Linkerd edge-26.8.3. No Go module embeds these CRDs, and validating with the API
// server's own code would take CEL's interpreter into every binary.
package admission

import (
	"strings"
)

// Refusal is one reason for which a cluster refuses an object.
type Refusal struct {
	// Field is the path of the field, for example spec.rules[0].matches.
	Field string
	// Reason is what the API server or the webhook says.
	Reason string
	// Webhook is set if Linkerd's webhook refuses the object, not the API server.
	Webhook bool
	// Hint says what to write instead.
	Hint string
}

// String says who refuses the object and why.
func (r Refusal) String() string {
	if r.Webhook {
		return "Linkerd refuses it: " + r.Reason
	}
	return "Kubernetes refuses it: " + r.Reason
}

// Check returns why a cluster would refuse an object, given as decoded JSON. It knows the kinds of
// the Gateway API and of Linkerd that guardrails may have, and admits all others. As in a cluster,
// the webhook is asked only about what the API server admits.
func Check(object map[string]any) []Refusal {
	group, version, _ := strings.Cut(text(object["apiVersion"]), "/")
	kind := text(object["kind"])
	s := schemaOf(group, version, kind)
	if s == nil {
		return nil
	}
	c := &check{}
	c.visit(s, object, "")
	if len(c.refusals) == 0 {
		c.visitRules(s, object, "")
	}
	if len(c.refusals) == 0 {
		w := &webhook{namespace: text(field(object, "metadata", "namespace"))}
		w.review(group, kind, object)
		return w.refusals
	}
	return c.refusals
}

// schemaOf returns the schema of a kind, or nil for kinds that the package does not know.
func schemaOf(group, version, kind string) *schema {
	var spec *schema
	switch group + "/" + kind {
	case gatewayGroup + "/HTTPRoute":
		spec = httpRoute()
	case policyGroup + "/HTTPRoute":
		spec = linkerdHTTPRoute()
	case policyGroup + "/Server":
		spec = server(version)
	case policyGroup + "/AuthorizationPolicy":
		spec = authorizationPolicy()
	case policyGroup + "/MeshTLSAuthentication":
		spec = meshTLSAuthentication()
	case policyGroup + "/NetworkAuthentication":
		spec = networkAuthentication()
	case policyGroup + "/HTTPLocalRateLimitPolicy":
		spec = rateLimitPolicy()
	case "linkerd.io/ServiceProfile":
		return mapping(fields{"spec": serviceProfile()})
	default:
		return nil
	}
	return mapping(fields{"spec": spec}).requires("spec")
}

// text returns a string, or "" for any other value.
func text(v any) string {
	s, _ := v.(string)
	return s
}

// field returns a nested field, or nil.
func field(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// items returns the items of a list, or nil for any other value.
func items(v any) []any {
	list, _ := v.([]any)
	return list
}
