package guardrail

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"coalmine/lab/yamlpos"

	gatewayv1beta1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// identityPattern is the pattern of mesh identities in Linkerd's CRD.
// Source: linkerd2 charts/linkerd-crds/templates/policy/meshtls-authentication.yaml.
var identityPattern = regexp.MustCompile(`^(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

func proxyProtocols() []string {
	return []string{"unknown", "HTTP/1", "HTTP/2", "gRPC", "opaque", "TLS"}
}

// accessPolicies returns the values of a Server's accessPolicy.
func accessPolicies() []string {
	return []string{"all-authenticated", "all-unauthenticated", "audit", "cluster-authenticated",
		"cluster-unauthenticated", "deny"}
}

func (c *checker) checkServer(d *document, s *Server) {
	if s.Spec.PodSelector == nil {
		c.fail(d, "spec.podSelector", "is missing", "select the pods of the Server; {} selects all in the namespace")
	} else if _, err := metav1.LabelSelectorAsSelector(s.Spec.PodSelector); err != nil {
		c.fail(d, "spec.podSelector", Clip(err.Error()), "correct the selector")
	}
	switch port := s.Spec.Port; {
	case !d.has("spec.port"):
		c.fail(d, "spec.port", "is missing", "write the number or name of the container port")
	case port.Type == intstr.Int && (port.IntVal < 1 || port.IntVal > 65535):
		c.fail(d, "spec.port", fmt.Sprintf("%d is not a port number", port.IntVal), "write the container port")
	case port.Type == intstr.String && len(validation.IsValidPortName(port.StrVal)) > 0:
		c.fail(d, "spec.port", Clip(port.StrVal)+" is not a valid port name",
			"write the number or name of the container port")
	}
	if p := s.Spec.ProxyProtocol; p != "" && !slices.Contains(proxyProtocols(), p) {
		c.fail(d, "spec.proxyProtocol", Clip(p)+" is not a protocol of Linkerd", oneOf(proxyProtocols()))
	}
	if !slices.Contains(accessPolicies(), s.Spec.AccessPolicy) {
		c.fail(d, "spec.accessPolicy", Clip(s.Spec.AccessPolicy)+" is not an access policy", oneOf(accessPolicies()))
	}
	if version, _ := d.child("apiVersion"); version.Value != ServerVersion && d.has("spec.accessPolicy") {
		c.fail(d, "spec.accessPolicy", "does not exist in "+version.Value, "write apiVersion: "+ServerVersion)
	}
}

func (c *checker) checkAuthorizationPolicy(d *document, p *AuthorizationPolicy) {
	t := p.Spec.TargetRef
	switch kind := canonicalGroup(t.Group) + "/" + t.Kind; kind {
	case LinkerdGroup + "/Server", "gateway.networking.k8s.io/HTTPRoute":
		if t.Name == "" {
			c.fail(d, "spec.targetRef.name", "is missing", "write the name of the "+t.Kind)
		}
	case "/Namespace":
		if t.Name != c.env.Namespace {
			c.fail(d, "spec.targetRef.name", Clip(t.Name)+" is not the lab's namespace", "write "+c.env.Namespace)
		}
	default:
		c.fail(d, "spec.targetRef", Clip(kind)+" cannot be the target of a policy",
			"write group: policy.linkerd.io, kind: Server and its name")
	}
	const path = "spec.requiredAuthenticationRefs"
	if !d.has(path) {
		c.fail(d, path, "is missing", "list the authentications that a client needs")
	}
	if !c.checkLength(d, path, len(p.Spec.RequiredAuthenticationRefs)) {
		return
	}
	for i, ref := range p.Spec.RequiredAuthenticationRefs {
		c.checkAuthenticationRef(d, yamlpos.Index(path, i), ref)
	}
}

// canonicalGroup returns "" for both spellings of the core group.
func canonicalGroup(g string) string {
	if g == "core" {
		return ""
	}
	return g
}

func (c *checker) checkAuthenticationRef(d *document, path string, ref AuthenticationRef) {
	if !c.checkNamespace(d, path+".namespace", ref.Namespace) {
		return
	}
	switch kind := canonicalGroup(ref.Group) + "/" + ref.Kind; kind {
	case LinkerdGroup + "/MeshTLSAuthentication", LinkerdGroup + "/NetworkAuthentication", "/ServiceAccount":
		if ref.Name == "" {
			c.fail(d, path+".name", "is missing", "write the name of the "+ref.Kind)
		}
	default:
		c.fail(d, path, Clip(kind)+" is not an authentication",
			"write group: policy.linkerd.io, kind: MeshTLSAuthentication and its name")
	}
}

func (c *checker) checkMeshTLS(d *document, a *MeshTLSAuthentication) {
	ids, refs := d.has("spec.identities"), d.has("spec.identityRefs")
	if ids == refs {
		c.fail(d, "spec", "must have either identities or identityRefs", "keep one of them")
	}
	if !c.checkLength(d, "spec.identities", len(a.Spec.Identities)) || !c.checkLength(d, "spec.identityRefs",
		len(a.Spec.IdentityRefs)) {
		return
	}
	for i, id := range a.Spec.Identities {
		if len(id) > 253 || !identityPattern.MatchString(id) {
			c.fail(d, yamlpos.Index("spec.identities", i), Clip(id)+" is not a mesh identity",
				"write *, or SERVICEACCOUNT."+c.env.Namespace+".serviceaccount.identity.linkerd.cluster.local")
		}
	}
	for i, ref := range a.Spec.IdentityRefs {
		c.checkIdentityRef(d, yamlpos.Index("spec.identityRefs", i), ref)
	}
}

// checkIdentityRef checks that a reference is one that Linkerd resolves: a ServiceAccount, or a
// Namespace for all of its ServiceAccounts.
func (c *checker) checkIdentityRef(d *document, path string, ref AuthenticationRef) {
	if !c.checkNamespace(d, path+".namespace", ref.Namespace) {
		return
	}
	kind := canonicalGroup(ref.Group) + "/" + ref.Kind
	switch {
	case kind == "/Namespace" && ref.Name != "" && ref.Name != c.env.Namespace:
		c.fail(d, path+".name", "refers to namespace "+Clip(ref.Name), "only "+c.env.Namespace+" is allowed")
	case kind != "/ServiceAccount" && kind != "/Namespace":
		c.fail(d, path, Clip(kind)+" has no identity", "write kind: ServiceAccount and its name")
	}
}

func (c *checker) checkNetworks(d *document, a *NetworkAuthentication) {
	const path = "spec.networks"
	if len(a.Spec.Networks) == 0 {
		c.fail(d, path, "is missing", "write a list of networks, each with a cidr")
	}
	if !c.checkLength(d, path, len(a.Spec.Networks)) {
		return
	}
	for i, n := range a.Spec.Networks {
		network := yamlpos.Index(path, i)
		if _, err := netip.ParsePrefix(n.CIDR); err != nil {
			c.fail(d, network+".cidr", Clip(n.CIDR)+" is not a CIDR", "write a CIDR such as 10.0.0.0/8")
		}
		for j, except := range n.Except[:min(len(n.Except), MaxItems)] {
			_, err := netip.ParsePrefix(except)
			if _, addrErr := netip.ParseAddr(except); err != nil && addrErr != nil {
				c.fail(d, yamlpos.Index(network+".except", j), Clip(except)+" is neither a CIDR nor an address",
					"write a CIDR such as 10.1.0.0/16")
			}
		}
		c.checkLength(d, network+".except", len(n.Except))
	}
}

// checkRoute checks an HTTPRoute, which must not be one that Flagger creates.
func (c *checker) checkRoute(d *document, r *gatewayv1beta1.HTTPRoute) {
	if slices.Contains(c.env.Targets, r.Name) {
		c.fail(d, "metadata.name", "Flagger creates HTTPRoute "+Clip(r.Name), "use another name, or remove it")
	}
	if len(r.Spec.ParentRefs) == 0 {
		c.fail(d, "spec.parentRefs", "is missing", "write the Service or Server that the route belongs to")
	}
	if !c.checkLength(d, "spec.parentRefs", len(r.Spec.ParentRefs)) || !c.checkLength(d, "spec.rules", len(r.Spec.Rules)) {
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
		if !c.checkLength(d, match+".headers", len(m.Headers)) {
			return
		}
		p := m.Path
		if p != nil && p.Type != nil && *p.Type == gatewayv1beta1.PathMatchRegularExpression && p.Value != nil {
			c.checkRegex(d, match+".path.value", *p.Value)
		}
		for j, h := range m.Headers {
			if h.Type != nil && *h.Type == gatewayv1beta1.HeaderMatchRegularExpression {
				c.checkRegex(d, yamlpos.Index(match+".headers", j)+".value", h.Value)
			}
		}
	}
	for i, f := range rule.Filters {
		if f.Type == gatewayv1beta1.HTTPRouteFilterRequestMirror {
			c.fail(d, yamlpos.Index(path+".filters", i), "the lab does not support mirroring", "remove it")
		}
	}
	for i, b := range rule.BackendRefs {
		c.checkBackendRef(d, yamlpos.Index(path+".backendRefs", i), b)
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
	if b.Weight != nil {
		c.checkRange(d, path+".weight", int(*b.Weight), 0, 1_000_000)
	}
}

// checkRegex checks a regular expression that a proxy would evaluate.
func (c *checker) checkRegex(d *document, path, expr string) {
	if len(expr) > MaxRegexLength {
		c.fail(d, path, fmt.Sprintf("is longer than %d bytes", MaxRegexLength), "shorten it")
		return
	}
	if _, err := regexp.Compile(expr); err != nil {
		c.fail(d, path, Clip(strings.TrimPrefix(err.Error(), "error parsing regexp: ")),
			"write a regular expression in RE2 syntax")
	}
}
