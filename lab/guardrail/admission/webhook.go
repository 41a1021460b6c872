package admission

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"coalmine/lab/input/yamlpos"
)

// webhook reviews objects as Linkerd's validating webhook does (linkerd2,
// policy-controller/runtime/src/admission.rs). It stops at the first reason.
type webhook struct {
	namespace string
	refusals  []Refusal
}

// deny adds the refusal, unless there is one.
func (w *webhook) deny(path, reason, hint string) {
	if len(w.refusals) == 0 {
		w.refusals = append(w.refusals, Refusal{Field: path, Reason: reason, Hint: hint, Webhook: true})
	}
}

func (w *webhook) review(group, kind string, object map[string]any) {
	spec := object["spec"]
	switch group + "/" + kind {
	case policyGroup + "/Server":
		w.server(spec)
	case policyGroup + "/AuthorizationPolicy":
		w.authorizationPolicy(spec)
	case policyGroup + "/MeshTLSAuthentication":
		w.meshTLSAuthentication(spec)
	case policyGroup + "/NetworkAuthentication":
		w.networkAuthentication(spec)
	case policyGroup + "/HTTPLocalRateLimitPolicy":
		w.rateLimitPolicy(spec)
	case policyGroup + "/HTTPRoute":
		w.route(object)
		w.linkerdRules(spec)
	case gatewayGroup + "/HTTPRoute":
		w.route(object)
		w.gatewayRules(spec)
	}
}

// AccessPolicies returns the values of a Server's accessPolicy and of the default policy (linkerd2,
// policy-controller/k8s/index/src/defaults.rs).
func AccessPolicies() []string {
	return []string{"all-authenticated", "all-unauthenticated", "audit", "cluster-authenticated",
		"cluster-unauthenticated",
		"deny"}
}

func (w *webhook) server(spec any) {
	protocols := []string{"unknown", "HTTP/1", "HTTP/2", "gRPC", "opaque", "TLS"}
	if v := field(spec, "proxyProtocol"); v != nil && !slices.Contains(protocols, text(v)) {
		w.deny("spec.proxyProtocol", fmt.Sprintf("unknown variant `%s`, expected one of `%s`", clip(text(v)),
			strings.Join(protocols, "`, `")), "use one of these")
	}
	if n, ok := number(field(spec, "port")); ok && (n < 1 || n > 65535) {
		w.deny("spec.port", "data did not match any variant of untagged enum Port",
			"write a port from 1 to 65535, or the name of a container port")
	}
	if v := field(spec, "accessPolicy"); v != nil && !slices.Contains(AccessPolicies(), text(v)) {
		w.deny("spec.accessPolicy", fmt.Sprintf("Invalid 'accessPolicy' field: invalid mode: %s",
			strconv.Quote(clip(text(v)))), "use one of "+strings.Join(AccessPolicies(), ", "))
	}
}

// refersTo reports whether a reference is to a kind. Linkerd compares them without regard to case,
// and takes an empty group for core.
func refersTo(ref any, group, kind string) bool {
	g := text(field(ref, "group"))
	if g == "" {
		g = "core"
	}
	return strings.EqualFold(g, group) && strings.EqualFold(text(field(ref, "kind")), kind)
}

// kindOf returns the kind of a reference with its group, as in Linkerd's messages.
func kindOf(ref any) string {
	if g := text(field(ref, "group")); g != "" {
		return clip(text(field(ref, "kind"))) + "." + clip(g)
	}
	return clip(text(field(ref, "kind")))
}

func (w *webhook) authorizationPolicy(spec any) {
	target := field(spec, "targetRef")
	if name := text(field(target, "name")); refersTo(target, "core", "Namespace") && name != w.namespace {
		w.deny("spec.targetRef.name", "cannot target another namespace: "+clip(name), "write "+w.namespace)
	}
	w.authentications(items(field(spec, "requiredAuthenticationRefs")))
	for _, known := range []struct{ group, kind string }{
		{policyGroup, "Server"}, {"core", "Namespace"}, {policyGroup, "HTTPRoute"}, {gatewayGroup, "HTTPRoute"},
		{gatewayGroup, "GRPCRoute"},
	} {
		if refersTo(target, known.group, known.kind) {
			return
		}
	}
	w.deny("spec.targetRef", "unsupported authorization target type: "+kindOf(target),
		"write group: policy.linkerd.io, kind: Server and its name")
}

// authentications allows one identity and one network.
func (w *webhook) authentications(refs []any) {
	const path = "spec.requiredAuthenticationRefs"
	var tls, accounts, networks int
	var unknown []string
	for i, ref := range refs {
		at := yamlpos.Index(path, i)
		const one = "write one MeshTLSAuthentication that lists the identities, or one policy for each: a " +
			"client needs all"
		switch {
		case refersTo(ref, policyGroup, "MeshTLSAuthentication"):
			if tls++; tls > 1 {
				w.deny(at, "only a single MeshTLSAuthentication may be set", one)
			}
		case refersTo(ref, "core", "ServiceAccount"):
			if accounts++; accounts > 1 {
				w.deny(at, "only a single ServiceAccount may be set", one)
			}
		case refersTo(ref, policyGroup, "NetworkAuthentication"):
			if networks++; networks > 1 && tls+accounts <= 1 {
				w.deny(at, "only a single NetworkAuthentication may be set", "write one that lists the networks")
			}
		default:
			unknown = append(unknown, kindOf(ref))
		}
	}
	if tls+accounts > 1 {
		w.deny(path, "a MeshTLSAuthentication and ServiceAccount may not be set together",
			"list the ServiceAccount in the MeshTLSAuthentication")
	}
	if len(unknown) > 0 {
		w.deny(path, "unsupported authentication kind(s): "+strings.Join(unknown, ", "),
			"write group: policy.linkerd.io, kind: MeshTLSAuthentication and its name")
	}
}

func (w *webhook) meshTLSAuthentication(spec any) {
	for i, id := range items(field(spec, "identities")) {
		if reason := identityProblem(text(id)); reason != "" {
			w.deny(yamlpos.Index("spec.identities", i), "id "+clip(text(id))+" is invalid: "+reason,
				"write *, or SERVICEACCOUNT."+w.namespace+".serviceaccount.identity.linkerd.cluster.local")
		}
	}
	for i, ref := range items(field(spec, "identityRefs")) {
		at := yamlpos.Index("spec.identityRefs", i)
		switch {
		case field(ref, "name") == nil:
			w.deny(at, "missing field `name`", "write the name of the "+clip(text(field(ref, "kind"))))
		case refersTo(ref, "core", "ServiceAccount"):
		case !refersTo(ref, "core", "Namespace"):
			w.deny(at, "invalid identity target kind: "+kindOf(ref), "write kind: ServiceAccount and its name")
		case field(ref, "namespace") != nil:
			w.deny(at+".namespace", "Namespace identity_ref is cluster-scoped and cannot have a namespace", "remove it")
		}
	}
}

func (w *webhook) networkAuthentication(spec any) {
	networks := items(field(spec, "networks"))
	if len(networks) == 0 {
		w.deny("spec.networks", "at least one network must be specified", "write a list of networks, each with a cidr")
	}
	for i, n := range networks {
		w.network(yamlpos.Index("spec.networks", i), n)
	}
}

func (w *webhook) network(path string, n any) {
	const noVariant = "data did not match any variant of untagged enum Cidr"
	cidr, ok := parseNetwork(text(field(n, "cidr")))
	if !ok {
		w.deny(path+".cidr", noVariant, "write a CIDR such as 10.0.0.0/8, or an address")
	}
	for i, e := range items(field(n, "except")) {
		at := yamlpos.Index(path+".except", i)
		except, valid := parseNetwork(text(e))
		switch {
		case !valid:
			w.deny(at, noVariant, "write a CIDR such as 10.1.0.0/16, or an address")
		case !ok:
		case except.Bits() <= cidr.Bits() && except.Contains(cidr.Addr()):
			w.deny(at, fmt.Sprintf("cidr '%s' is completely negated by exception '%s'", clip(text(field(n, "cidr"))),
				clip(text(e))),
				"write a part of the network")
		case except.Bits() < cidr.Bits() || !cidr.Contains(except.Addr()):
			w.deny(at, fmt.Sprintf("cidr '%s' does not include exception '%s'", clip(text(field(n, "cidr"))),
				clip(text(e))),
				"write a part of the network, or remove it")
		}
	}
}

// parseNetwork parses a CIDR or an address.
func parseNetwork(s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err == nil
}

func (w *webhook) rateLimitPolicy(spec any) {
	if target := field(spec, "targetRef"); !refersTo(target, policyGroup, "Server") {
		w.deny("spec.targetRef", "invalid targetRef kind: "+kindOf(target),
			"write group: policy.linkerd.io, kind: Server and its name")
	}
	total, identity, overrides := field(spec, "total"), field(spec, "identity"), items(field(spec, "overrides"))
	for _, limit := range append([]any{total, identity}, overrides...) {
		if n, ok := number(field(limit, "requestsPerSecond")); ok && (n < 0 || n > 1<<32-1) {
			w.deny("spec", fmt.Sprintf("invalid value: integer `%d`, expected u32", n), "write a positive number")
		}
	}
	if total != nil {
		w.notAbove(total, identity, overrides)
	}
	w.positive("spec.identity", "identity", identity)
	for i, o := range overrides {
		at := yamlpos.Index("spec.overrides", i)
		w.positive(at, "override", o)
		for j, ref := range items(field(o, "clientRefs")) {
			if !refersTo(ref, "core", "ServiceAccount") {
				w.deny(yamlpos.Index(at+".clientRefs", j), "overrides.clientRefs must target a ServiceAccount",
					"write kind: ServiceAccount and its name")
			}
		}
	}
}

func (w *webhook) positive(path, name string, limit any) {
	if n, ok := number(field(limit, "requestsPerSecond")); ok && n == 0 {
		w.deny(path+".requestsPerSecond", name+".requestsPerSecond must be greater than 0", "write a positive number")
	}
}

// notAbove checks that no limit is above the total.
func (w *webhook) notAbove(total, identity any, overrides []any) {
	w.positive("spec.total", "total", total)
	most, _ := number(field(total, "requestsPerSecond"))
	if n, ok := number(field(identity, "requestsPerSecond")); ok && n > most {
		w.deny("spec.identity.requestsPerSecond",
			"identity.requestsPerSecond must be less than or equal to total.requestsPerSecond", "lower it")
	}
	for i, o := range overrides {
		if n, ok := number(field(o, "requestsPerSecond")); ok && n > most {
			w.deny(yamlpos.Index("spec.overrides", i)+".requestsPerSecond",
				"override.requestsPerSecond must be less than or equal to total.requestsPerSecond", "lower it")
		}
	}
}

// route reviews what both kinds of HTTPRoutes have in common: parents and, for routes of Services,
// annotations.
func (w *webhook) route(object map[string]any) {
	ofService := false
	for i, p := range items(field(object, "spec", "parentRefs")) {
		egress := refersTo(p, policyGroup, "EgressNetwork")
		if egress && field(p, "port") == nil {
			w.deny(yamlpos.Index("spec.parentRefs", i), "cannot target an EgressNetwork without specifying a port",
				"add port")
		}
		ofService = ofService || egress || refersTo(p, "core", "Service")
	}
	if annotations, _ := field(object, "metadata", "annotations").(map[string]any); ofService {
		w.annotations(annotations)
	}
}

func (w *webhook) linkerdRules(spec any) {
	for i, r := range items(field(spec, "rules")) {
		at := yamlpos.Index("spec.rules", i)
		w.matches(at, r)
		for j, f := range items(field(r, "filters")) {
			w.filter(yamlpos.Index(at+".filters", j), f, true)
		}
		request, err := time.ParseDuration(text(field(r, "timeouts", "request")))
		backend, backendErr := time.ParseDuration(text(field(r, "timeouts", "backendRequest")))
		switch {
		case backendErr == nil && backend < 0:
			w.deny(at+".timeouts", "backendRequest timeout must not be negative", "write a positive duration")
		case err == nil && request < 0:
			w.deny(at+".timeouts", "request timeout must not be negative", "write a positive duration")
		case err == nil && backendErr == nil && request < backend:
			w.deny(at+".timeouts",
				fmt.Sprintf("backendRequest timeout (%s) must not be greater than request timeout (%s)",
					backend, request), "lower backendRequest")
		}
	}
}

func (w *webhook) gatewayRules(spec any) {
	for i, r := range items(field(spec, "rules")) {
		at := yamlpos.Index("spec.rules", i)
		w.matches(at, r)
		for j, f := range items(field(r, "filters")) {
			w.filter(yamlpos.Index(at+".filters", j), f, false)
		}
		for j, b := range items(field(r, "backendRefs")) {
			service := orDefault(field(b, "kind"), "Service") == "Service" &&
				(text(field(b, "group")) == "" || text(field(b, "group")) == "core")
			if n, _ := number(field(b, "port")); service && n == 0 {
				w.deny(yamlpos.Index(at+".backendRefs", j), "invalid backendRef", "write the Service's port")
			}
		}
	}
}

// matches reviews what schemas leave open: paths of Linkerd's own HTTPRoutes. Regular expressions
// are compiled by the caller, which bounds their cost.
func (w *webhook) matches(path string, rule any) {
	for i, m := range items(field(rule, "matches")) {
		value := orDefault(field(m, "path", "value"), "/")
		if text(field(m, "path", "type")) != "RegularExpression" && !strings.HasPrefix(value, "/") {
			w.deny(yamlpos.Index(path+".matches", i)+".path", fmt.Sprintf(
				"HttpPathMatch paths must be absolute (begin with `/`); %q is not an absolute path", clip(value)),
				"start it with /")
		}
	}
}

// filter reviews a redirect, and for Linkerd's own HTTPRoutes that the field of the type is there.
func (w *webhook) filter(path string, f any, linkerd bool) {
	if kind := text(field(f, "type")); linkerd && kind != "" {
		if name := strings.ToLower(kind[:1]) + kind[1:]; field(f, name) == nil {
			w.deny(path, "missing field `"+name+"`", "add it")
		}
	}
	target := field(f, "requestRedirect", "path")
	if target == nil {
		return
	}
	full, prefix := field(target, "replaceFullPath"), field(target, "replacePrefixMatch")
	if full == nil && prefix == nil {
		w.deny(path, "RequestRedirect filter must contain either replace_full_path or replace_prefix_match",
			"add one of them")
		return
	}
	if value := orDefault(full, text(prefix)); !strings.HasPrefix(value, "/") {
		w.deny(path, fmt.Sprintf("RequestRedirect filters may only contain absolute paths (starting with '/'); "+
			"%q is not "+
			"an absolute path", clip(value)), "start it with /")
	}
}
