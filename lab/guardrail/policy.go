package guardrail

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	gatewayv1beta1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

// identityPattern is the CRD's pattern of a mesh identity.
// Source: linkerd2 charts/linkerd-crds/templates/policy/meshtls-authentication.yaml.
var identityPattern = regexp.MustCompile(`^(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

func proxyProtocols() []string {
	return []string{"unknown", "HTTP/1", "HTTP/2", "gRPC", "opaque", "TLS"}
}

// accessPolicies are those of a Server, and of the annotation config.linkerd.io/default-inbound-policy.
func accessPolicies() []string {
	return []string{"all-authenticated", "all-unauthenticated", "audit", "cluster-authenticated", "cluster-unauthenticated", "deny"}
}

func (c *checker) checkServer(d *document, s *Server) {
	if s.Spec.PodSelector == nil {
		c.fail(d, "spec.podSelector", "is missing", "say which pods the Server is about; {} selects all of the namespace")
	} else if _, err := metav1.LabelSelectorAsSelector(s.Spec.PodSelector); err != nil {
		c.fail(d, "spec.podSelector", clip(err.Error()), "correct the selector")
	}
	switch port := s.Spec.Port; {
	case !d.has("spec.port"):
		c.fail(d, "spec.port", "is missing", "write the container's port, by number or name")
	case port.Type == intstr.Int && (port.IntVal < 1 || port.IntVal > 65535):
		c.fail(d, "spec.port", fmt.Sprintf("%d is no port", port.IntVal), "write the container's port")
	case port.Type == intstr.String && len(validation.IsValidPortName(port.StrVal)) > 0:
		c.fail(d, "spec.port", clip(port.StrVal)+" is no port's name", "write the container's port, by number or name")
	}
	if p := s.Spec.ProxyProtocol; p != "" && !slices.Contains(proxyProtocols(), p) {
		c.fail(d, "spec.proxyProtocol", clip(p)+" is no protocol that Linkerd knows", oneOf(proxyProtocols()))
	}
	if !slices.Contains(accessPolicies(), s.Spec.AccessPolicy) {
		c.fail(d, "spec.accessPolicy", clip(s.Spec.AccessPolicy)+" is no access policy", oneOf(accessPolicies()))
	}
	if _, version := child(d.root, "apiVersion"); version.Value != ServerVersion && d.has("spec.accessPolicy") {
		c.fail(d, "spec.accessPolicy", "is unknown to "+version.Value, "write apiVersion: "+ServerVersion)
	}
}

func (c *checker) checkAuthorizationPolicy(d *document, p *AuthorizationPolicy) {
	t := p.Spec.TargetRef
	switch kind := canonicalGroup(t.Group) + "/" + t.Kind; kind {
	case LinkerdGroup + "/Server", "gateway.networking.k8s.io/HTTPRoute":
		if t.Name == "" {
			c.fail(d, "spec.targetRef.name", "is missing", "name the "+t.Kind)
		}
	case "/Namespace":
		if t.Name != c.env.Namespace {
			c.fail(d, "spec.targetRef.name", clip(t.Name)+" is not the lab's namespace", "write "+c.env.Namespace)
		}
	default:
		c.fail(d, "spec.targetRef", clip(kind)+" is nothing that a policy applies to", "write group: policy.linkerd.io, kind: Server and its name")
	}
	const path = "spec.requiredAuthenticationRefs"
	if !d.has(path) {
		c.fail(d, path, "is missing", "name the authentications that a client needs")
	}
	if !c.checkLength(d, path, len(p.Spec.RequiredAuthenticationRefs)) {
		return
	}
	for i, ref := range p.Spec.RequiredAuthenticationRefs {
		c.checkAuthenticationRef(d, indexPath(path, i), ref)
	}
}

// canonicalGroup writes the two spellings of the core group as one.
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
			c.fail(d, path+".name", "is missing", "name the "+ref.Kind)
		}
	default:
		c.fail(d, path, clip(kind)+" is no authentication", "write group: policy.linkerd.io, kind: MeshTLSAuthentication and its name")
	}
}

func (c *checker) checkMeshTLS(d *document, a *MeshTLSAuthentication) {
	ids, refs := d.has("spec.identities"), d.has("spec.identityRefs")
	if ids == refs {
		c.fail(d, "spec", "must have either identities or identityRefs", "keep one of them")
	}
	if !c.checkLength(d, "spec.identities", len(a.Spec.Identities)) || !c.checkLength(d, "spec.identityRefs", len(a.Spec.IdentityRefs)) {
		return
	}
	for i, id := range a.Spec.Identities {
		if len(id) > 253 || !identityPattern.MatchString(id) {
			c.fail(d, indexPath("spec.identities", i), clip(id)+" is no mesh identity",
				"write *, or SERVICEACCOUNT."+c.env.Namespace+".serviceaccount.identity.linkerd.cluster.local")
		}
	}
	for i, ref := range a.Spec.IdentityRefs {
		c.checkIdentityRef(d, indexPath("spec.identityRefs", i), ref)
	}
}

// checkIdentityRef checks the kinds that Linkerd resolves: a ServiceAccount, or a Namespace for all of its accounts.
func (c *checker) checkIdentityRef(d *document, path string, ref AuthenticationRef) {
	if !c.checkNamespace(d, path+".namespace", ref.Namespace) {
		return
	}
	kind := canonicalGroup(ref.Group) + "/" + ref.Kind
	switch {
	case kind == "/Namespace" && ref.Name != "" && ref.Name != c.env.Namespace:
		c.fail(d, path+".name", "refers to namespace "+clip(ref.Name), "guardrails are confined to "+c.env.Namespace)
	case kind != "/ServiceAccount" && kind != "/Namespace":
		c.fail(d, path, clip(kind)+" has no identity", "write kind: ServiceAccount and its name")
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
		at := indexPath(path, i)
		if _, err := netip.ParsePrefix(n.CIDR); err != nil {
			c.fail(d, at+".cidr", clip(n.CIDR)+" is no network", "write it as in 10.0.0.0/8")
		}
		for j, except := range n.Except[:min(len(n.Except), MaxItems)] {
			_, err := netip.ParsePrefix(except)
			if _, addrErr := netip.ParseAddr(except); err != nil && addrErr != nil {
				c.fail(d, indexPath(at+".except", j), clip(except)+" is neither a network nor an address", "write it as in 10.1.0.0/16")
			}
		}
		c.checkLength(d, at+".except", len(n.Except))
	}
}

// checkRoute checks a route of the learner's own.
func (c *checker) checkRoute(d *document, r *gatewayv1beta1.HTTPRoute) {
	if slices.Contains(c.env.Targets, r.Name) {
		c.fail(d, "metadata.name", "Flagger itself writes HTTPRoute "+clip(r.Name), "name yours otherwise, or leave it out")
	}
	if len(r.Spec.ParentRefs) == 0 {
		c.fail(d, "spec.parentRefs", "is missing", "name the Service or the Server that the route hangs on")
	}
	if !c.checkLength(d, "spec.parentRefs", len(r.Spec.ParentRefs)) || !c.checkLength(d, "spec.rules", len(r.Spec.Rules)) {
		return
	}
	for i, ref := range r.Spec.ParentRefs {
		c.checkParentRef(d, indexPath("spec.parentRefs", i), ref)
	}
	for i, rule := range r.Spec.Rules {
		c.checkRule(d, indexPath("spec.rules", i), rule)
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
		c.fail(d, path, "refers to a "+clip(k)+"; the lab has no gateway", "write group: core, kind: Service, or group: policy.linkerd.io, kind: Server")
	}
}

// checkServiceName knows the lab's Services and those that Flagger makes of them.
func (c *checker) checkServiceName(d *document, path, name string) {
	base := strings.TrimSuffix(strings.TrimSuffix(name, "-primary"), "-canary")
	if !slices.Contains(c.env.Targets, name) && !slices.Contains(c.env.Targets, base) {
		c.fail(d, path, "the lab has no Service "+clip(name), "there is "+strings.Join(c.env.Targets, ", "))
	}
}

func (c *checker) checkRule(d *document, path string, rule gatewayv1beta1.HTTPRouteRule) {
	if !c.checkLength(d, path+".matches", len(rule.Matches)) || !c.checkLength(d, path+".backendRefs", len(rule.BackendRefs)) {
		return
	}
	for i, m := range rule.Matches {
		at := indexPath(path+".matches", i)
		if !c.checkLength(d, at+".headers", len(m.Headers)) {
			return
		}
		if m.Path != nil && m.Path.Type != nil && *m.Path.Type == gatewayv1beta1.PathMatchRegularExpression && m.Path.Value != nil {
			c.checkRegex(d, at+".path.value", *m.Path.Value)
		}
		for j, h := range m.Headers {
			if h.Type != nil && *h.Type == gatewayv1beta1.HeaderMatchRegularExpression {
				c.checkRegex(d, indexPath(at+".headers", j)+".value", h.Value)
			}
		}
	}
	for i, f := range rule.Filters {
		if f.Type == gatewayv1beta1.HTTPRouteFilterRequestMirror {
			c.fail(d, indexPath(path+".filters", i), "mirroring is not modelled yet", "take it out")
		}
	}
	for i, b := range rule.BackendRefs {
		c.checkBackendRef(d, indexPath(path+".backendRefs", i), b)
	}
}

func (c *checker) checkBackendRef(d *document, path string, b gatewayv1beta1.HTTPBackendRef) {
	if b.Namespace != nil && !c.checkNamespace(d, path+".namespace", string(*b.Namespace)) {
		return
	}
	if b.Kind != nil && *b.Kind != "Service" {
		c.fail(d, path+".kind", clip(string(*b.Kind))+" is no backend", "write kind: Service")
		return
	}
	c.checkServiceName(d, path+".name", string(b.Name))
	if b.Weight != nil && (*b.Weight < 0 || *b.Weight > 1_000_000) {
		c.fail(d, path+".weight", fmt.Sprintf("%d is not between 0 and 1000000", *b.Weight), "correct it")
	}
}

// checkRegex checks an expression that a proxy would match with.
func (c *checker) checkRegex(d *document, path, expr string) {
	if len(expr) > MaxRegexLength {
		c.fail(d, path, fmt.Sprintf("is longer than %d bytes", MaxRegexLength), "shorten it")
		return
	}
	if _, err := regexp.Compile(expr); err != nil {
		c.fail(d, path, clip(strings.TrimPrefix(err.Error(), "error parsing regexp: ")), "write an RE2 expression")
	}
}
