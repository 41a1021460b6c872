package lint

import (
	"fmt"
	"slices"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	gatewayv1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"coalmine/lab/guardrail"
	"coalmine/lab/input/yamlpos"
)

// The rules of this file are about what Linkerd accepts and then ignores, or drops without a word.
// Their effects were recorded on edge-26.8.3; see docs/linkerd.md.

func linkerdRules() []Rule {
	const outbound = "linkerd2 policy-controller/k8s/index/src/outbound/index/http.rs"
	return []Rule{
		{Name: "dropped-route", object: checkDroppedRoute,
			Section: sectionPolicies,
			What:    "A route has a filter that Linkerd does not support.",
			Why: "Linkerd drops a whole HTTPRoute with a filter URLRewrite, RequestMirror or ExtensionRef, and its " +
				"status does not say so.",
			Source: outbound + ", convert_gateway_filter"},
		{Name: "zero-weights", object: checkZeroWeights,
			Section: sectionPolicies,
			What:    "All backends of a route have weight 0.",
			Why:     "With all weights 0 the proxy closes connections without an answer.",
			Source:  "recorded, weights-zero"},
		{Name: "backend-request-timeout", object: checkBackendRequestTimeout,
			Section: sectionPolicies,
			What:    "A route sets timeouts.backendRequest.",
			Why:     "Linkerd ignores timeouts.backendRequest.", Source: outbound + ", convert_gateway_rule"},
		{Name: "no-backend", needs: theScenario, object: checkUnknownServices,
			Section: sectionPolicies,
			What:    "A route refers to a Service or parent that does not exist.",
			Why: "A route's share to a Service that does not exist is answered 500, and a route of an " +
				"unknown parent has no effect.",
			Source: outbound + ", convert_backend"},
		{Name: "overriding-profile", object: checkOverridingProfile,
			Section: sectionPolicies,
			What:    "A ServiceProfile stands beside an HTTPRoute.",
			Why: "A proxy that begins to use a Service follows its ServiceProfile and ignores its HTTPRoutes, " +
				"also the one that Flagger creates, whose weights then have no effect: the canary gets nothing. " +
				"A proxy that uses the Service already does not notice.",
			Source: "linkerd2-proxy linkerd/app/outbound/src/sidecar.rs; recorded, serviceprofile"},
		{Name: "open-authorization", object: checkOpenAuthorization,
			Section: sectionPolicies,
			What:    "An AuthorizationPolicy requires no authentication.",
			Why:     "An AuthorizationPolicy without required authentications admits everybody.",
			Source:  "recorded, policy-unknown-ref"},
		{Name: "no-probe-route", whole: true, object: checkProbeRoute,
			Section: sectionPolicies,
			What:    "A Server has routes, and none for the probes.",
			Why: "A Server with an HTTPRoute has no default route for the kubelet's probes: pods whose probe " +
				"no route admits " +
				"become unready.",
			Source: "recorded, policy-route-noprobes; linkerd2 " +
				"policy-controller/k8s/index/src/inbound/index.rs, http_routes"},
		{Name: "opaque-http", needs: theScenario, object: checkOpaqueHTTP,
			Section: sectionPolicies,
			What:    "A port for HTTP is opaque.",
			Why: "On an opaque port proxies forward bytes: routes do not apply to a Service's, and servers count no " +
				"requests on a Server's.",
			Source: "recorded, opaque-service and opaque-server"},
	}
}

// route returns the object as a route, or nil.
func (p *pass) route() *gatewayv1.HTTPRoute {
	r, _ := p.object.Value.(*gatewayv1.HTTPRoute)
	return r
}

const droppedHint = "remove the filter"

func checkDroppedRoute(p *pass) {
	if v, ok := p.object.Value.(*flaggerv1.Canary); ok {
		const effect = "Linkerd drops Flagger's whole route, so that weights and matches have no effect: every " +
			"request goes " +
			"to the Service's own endpoints"
		if v.Spec.Service.Rewrite != nil {
			p.warn("spec.service.rewrite", "becomes a filter URLRewrite: "+effect, "remove it")
		}
		if v.Spec.Analysis != nil && v.Spec.Analysis.Mirror {
			p.warn("spec.analysis.mirror", "becomes a filter RequestMirror: "+effect, "remove it")
		}
	}
	r := p.route()
	if r == nil {
		return
	}
	for i, rule := range r.Spec.Rules {
		at := yamlpos.Index("spec.rules", i)
		for j, f := range rule.Filters {
			if unsupported(f) {
				p.warn(yamlpos.Index(at+".filters", j), fmt.Sprintf("Linkerd does not support %s and drops the whole "+
					"HTTPRoute, though its status says Accepted: requests go to the Service's own endpoints", f.Type),
					droppedHint)
			}
		}
		for j, b := range rule.BackendRefs {
			for k, f := range b.Filters {
				if unsupported(f) {
					p.warn(yamlpos.Index(yamlpos.Index(at+".backendRefs", j)+".filters", k),
						fmt.Sprintf("Linkerd does not "+
							"support %s: the backend's share of the requests is answered 500", f.Type), droppedHint)
				}
			}
		}
	}
}

func unsupported(f gatewayv1.HTTPRouteFilter) bool {
	return f.RequestHeaderModifier == nil && f.ResponseHeaderModifier == nil && f.RequestRedirect == nil
}

func checkZeroWeights(p *pass) {
	r := p.route()
	if r == nil {
		return
	}
	for i, rule := range r.Spec.Rules {
		refs := rule.BackendRefs
		positive := slices.ContainsFunc(refs, func(b gatewayv1.HTTPBackendRef) bool {
			return ptr.Deref(b.Weight,
				1) > 0
		})
		field := yamlpos.Index("spec.rules", i) + ".backendRefs"
		switch {
		case positive || len(refs) == 0:
		case len(refs) == 1:
			p.warn(field, "the only backend has weight 0: Linkerd sends it every request", "remove the weight")
		default:
			p.warn(field, "all weights are 0: the proxy closes the client's connection without an answer, and after "+
				"other weights those stay in force", "give one backend a weight")
		}
	}
}

func checkBackendRequestTimeout(p *pass) {
	r := p.route()
	if r == nil {
		return
	}
	for i, rule := range r.Spec.Rules {
		if rule.Timeouts != nil && rule.Timeouts.BackendRequest != nil {
			p.warn(yamlpos.Index("spec.rules", i)+".timeouts.backendRequest", "Linkerd accepts it and ignores it",
				"write timeouts.request, or the annotation timeout.linkerd.io/response")
		}
	}
}

// checkUnknownServices reports references to what the lab does not have.
func checkUnknownServices(p *pass) {
	r := p.route()
	if r == nil {
		return
	}
	if len(r.Spec.ParentRefs) == 0 {
		p.warn("spec.parentRefs", "is missing: the route belongs to nothing and has no effect",
			"write the Service or Server that it belongs to")
	}
	for i, ref := range r.Spec.ParentRefs {
		at := yamlpos.Index("spec.parentRefs", i)
		switch parentKind(r, ref) {
		case "Server":
			p.checkReference(at+".name", "Server", string(ref.Name))
		case "Service":
			p.checkService(at+".name", string(ref.Name), "the route has no effect")
		default:
			p.warn(at, "refers to a "+guardrail.Clip(string(ptr.Deref(ref.Kind,
				"Gateway")))+", but the lab has no gateway: "+
				"the route has no effect",
				"write group: core, kind: Service, or group: policy.linkerd.io, kind: Server")
		}
	}
	for i, rule := range r.Spec.Rules {
		for j, b := range rule.BackendRefs {
			at := yamlpos.Index(yamlpos.Index("spec.rules", i)+".backendRefs", j)
			if ptr.Deref(b.Kind, "Service") != "Service" {
				p.warn(at+".kind", "is not a Service: Linkerd answers its share of the requests with 500",
					"write kind: Service")
				continue
			}
			p.checkService(at+".name", string(b.Name), "Linkerd answers its share of the requests with 500")
		}
	}
}

// parentKind returns Service, Server or "".
func parentKind(r *gatewayv1.HTTPRoute, ref gatewayv1.ParentReference) string {
	group, _, _ := strings.Cut(r.APIVersion, "/")
	if ref.Group != nil {
		group = string(*ref.Group)
	}
	kind := string(ptr.Deref(ref.Kind, "Gateway"))
	switch {
	case kind == "Service" && (group == "" || group == "core"), kind == "Server" && group == guardrail.LinkerdGroup:
		return kind
	}
	return ""
}

func (p *pass) checkService(field, name, effect string) {
	targets := p.set.Environment.Targets
	if p.isService(name) {
		return
	}
	p.warn(field, "the lab has no Service "+guardrail.Clip(name)+": "+effect, "available: "+strings.Join(targets, ", "))
}

// isService reports whether a Service is one of the lab's, or one that Flagger creates for them.
func (p *pass) isService(name string) bool {
	base := strings.TrimSuffix(strings.TrimSuffix(name, "-primary"), "-canary")
	return slices.Contains(p.set.Environment.Targets, name) || slices.Contains(p.set.Environment.Targets, base)
}

func checkOverridingProfile(p *pass) {
	profile, ok := p.object.Value.(*guardrail.ServiceProfile)
	if !ok {
		return
	}
	service, _, _ := strings.Cut(profile.Name, ".")
	const effect = ": clients' proxies follow the ServiceProfile in its place, so weights, matches and " +
		"annotations have no effect, and there are no series outbound_http_route_*"
	if p.hasCanary(service) {
		p.warn("metadata.name", "Flagger creates an HTTPRoute for Service "+guardrail.Clip(service)+effect,
			"annotate the Service in place of the ServiceProfile: retry.linkerd.io/http, timeout.linkerd.io/request")
		return
	}
	for _, o := range p.set.Objects {
		r, ok := o.Value.(*gatewayv1.HTTPRoute)
		if ok && slices.ContainsFunc(r.Spec.ParentRefs, func(ref gatewayv1.ParentReference) bool {
			return parentKind(r, ref) == "Service" && string(ref.Name) == service
		}) {
			p.warn("metadata.name",
				"Service "+guardrail.Clip(service)+" has the HTTPRoute "+guardrail.Clip(r.Name)+effect,
				"keep one of them")
			return
		}
	}
}

func checkOpenAuthorization(p *pass) {
	policy, ok := p.object.Value.(*guardrail.AuthorizationPolicy)
	if ok && len(policy.Spec.RequiredAuthenticationRefs) == 0 {
		p.warn("spec.requiredAuthenticationRefs", "is empty: every client is admitted, also those outside the mesh",
			"list an authentication, or write accessPolicy: all-unauthenticated in the Server")
	}
}

// opaquePorts is Linkerd's annotation for ports on which its proxies forward bytes.
const opaquePorts = "config.linkerd.io/opaque-ports"

const (
	opaqueRoutes = "makes Linkerd's proxies forward bytes: routes, weights and matches have no effect, and " +
		"there are no " +
		"HTTP metrics"
	opaqueCounts = " makes the server's proxy forward bytes: it counts no requests and checks connections, not " +
		"requests; " +
		"clients still follow routes"
)

func checkOpaqueHTTP(p *pass) {
	switch v := p.object.Value.(type) {
	case *corev1.Namespace:
		p.checkOpaquePorts("metadata.annotations", v.Annotations)
	case *guardrail.Server:
		http := v.Spec.Port.Type == intstr.String ||
			containsValue(p.set.Environment.TargetPorts, int(v.Spec.Port.IntVal))
		if protocol := v.Spec.ProxyProtocol; http && (protocol == "opaque" || protocol == "TLS") {
			p.warn("spec.proxyProtocol", protocol+opaqueCounts, "write HTTP/1")
		}
	case *flaggerv1.Canary:
		s := v.Spec.Service
		switch s.AppProtocol {
		case "linkerd.io/opaque", "linkerd.io/tcp":
			p.warn("spec.service.appProtocol", s.AppProtocol+" "+opaqueRoutes, "remove it")
		case "kubernetes.io/h2c":
			p.warn("spec.service.appProtocol", "the lab's clients speak HTTP/1: every answer to them is broken",
				"remove it")
		}
		for _, m := range []struct {
			field    string
			metadata *flaggerv1.CustomMetadata
		}{{"apex", s.Apex}, {"primary", s.Primary}, {"canary", s.Canary}} {
			if m.metadata != nil {
				p.checkOpaquePorts("spec.service."+m.field+".annotations", m.metadata.Annotations)
			}
		}
	}
}

func (p *pass) checkOpaquePorts(field string, annotations map[string]string) {
	if strings.TrimSpace(annotations[opaquePorts]) != "" {
		p.warn(field, opaquePorts+" "+opaqueRoutes, "remove the annotation")
	}
}

func containsValue(m map[string]int, v int) bool {
	for _, x := range m {
		if x == v {
			return true
		}
	}
	return false
}
