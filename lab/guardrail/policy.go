package guardrail

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"

	"coalmine/lab/input/yamlpos"

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
	c.checkProxyProtocol(d, s)
	if !slices.Contains(accessPolicies(), s.Spec.AccessPolicy) {
		c.fail(d, "spec.accessPolicy", Clip(s.Spec.AccessPolicy)+" is not an access policy", oneOf(accessPolicies()))
	}
	if version, _ := d.child("apiVersion"); version.Value != ServerVersion && d.has("spec.accessPolicy") {
		c.fail(d, "spec.accessPolicy", "does not exist in "+version.Value, "write apiVersion: "+ServerVersion)
	}
}

// checkProxyProtocol checks that the port of the lab's services stays an HTTP port: with opaque or
// TLS, the server's proxy counts no requests, so that no check has a value.
func (c *checker) checkProxyProtocol(d *document, s *Server) {
	const field = "spec.proxyProtocol"
	switch p := s.Spec.ProxyProtocol; {
	case p != "" && !slices.Contains(proxyProtocols(), p):
		c.fail(d, field, Clip(p)+" is not a protocol of Linkerd", oneOf(proxyProtocols()))
	case p != "opaque" && p != "TLS":
	case s.Spec.Port.Type == intstr.String, slices.Contains(slices.Collect(maps.Values(c.env.TargetPorts)),
		int(s.Spec.Port.IntVal)):
		c.fail(d, field, p+" makes the proxy forward bytes: it counts no requests, and no check has a value",
			"write HTTP/1")
	}
}

func (c *checker) checkAuthorizationPolicy(d *document, p *AuthorizationPolicy) {
	t := p.Spec.TargetRef
	switch kind := canonicalGroup(t.Group) + "/" + t.Kind; kind {
	case LinkerdGroup + "/Server":
		if t.Name == "" {
			c.fail(d, "spec.targetRef.name", "is missing", "write the name of the "+t.Kind)
		}
	case "gateway.networking.k8s.io/HTTPRoute", LinkerdGroup + "/HTTPRoute":
		// The proxies would deny what no route allows; the lab's gates and model decide by Server.
		c.fail(d, "spec.targetRef", "is an HTTPRoute: the lab does not support policy for single routes",
			"write group: policy.linkerd.io, kind: Server and its name")
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
	c.checkAuthenticationKinds(d, path, p.Spec.RequiredAuthenticationRefs)
}

// checkAuthenticationKinds allows one authentication by identity and one by network.
// Source: linkerd2 policy-controller/runtime/src/admission.rs.
func (c *checker) checkAuthenticationKinds(d *document, path string, refs []AuthenticationRef) {
	count := map[string]int{}
	for i, ref := range refs {
		kind := ref.Kind
		if kind == "ServiceAccount" {
			kind = "MeshTLSAuthentication"
		}
		if count[kind]++; count[kind] != 2 {
			continue
		}
		switch kind {
		case "MeshTLSAuthentication":
			c.fail(d, yamlpos.Index(path, i), "is the second identity: a client would need both, so Linkerd refuses "+
				"the policy",
				"write one MeshTLSAuthentication that lists the identities, or one policy for each")
		case "NetworkAuthentication":
			c.fail(d, yamlpos.Index(path, i), "is the second NetworkAuthentication: a client would need both, so "+
				"Linkerd refuses the policy",
				"write one NetworkAuthentication that lists the networks")
		}
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
	case kind == "/Namespace" && ref.Namespace != "":
		c.fail(d, path+".namespace", "a Namespace is not in a namespace: Linkerd refuses the reference", "remove it")
	case kind == "/Namespace" && ref.Name != "" && ref.Name != c.env.Namespace:
		c.fail(d, path+".name", "refers to namespace "+Clip(ref.Name), "only "+c.env.Namespace+" is allowed")
	case kind != "/ServiceAccount" && kind != "/Namespace":
		c.fail(d, path, Clip(kind)+" has no identity", "write kind: ServiceAccount and its name")
	}
}

// checkException checks that an exception is part of its network but not all of it.
// Source: linkerd2 policy-controller/runtime/src/admission.rs, validate_networks.
func (c *checker) checkException(d *document, field string, cidr netip.Prefix, text string) {
	except, err := netip.ParsePrefix(text)
	if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
		except, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	switch cidr = cidr.Masked(); {
	case err != nil:
		c.fail(d, field, Clip(text)+" is neither a CIDR nor an address", "write a CIDR such as 10.1.0.0/16")
	case except.Bits() <= cidr.Bits() && except.Contains(cidr.Addr()):
		c.fail(d, field, Clip(text)+" excludes all of "+cidr.String()+": Linkerd refuses it",
			"write a part of the network")
	case !cidr.Contains(except.Addr()):
		c.fail(d, field, Clip(text)+" is outside of "+cidr.String()+": Linkerd refuses it",
			"write a part of the network, or remove it")
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
		cidr, err := netip.ParsePrefix(n.CIDR)
		if err != nil {
			c.fail(d, network+".cidr", Clip(n.CIDR)+" is not a CIDR", "write a CIDR such as 10.0.0.0/8")
			continue
		}
		for j, except := range n.Except[:min(len(n.Except), MaxItems)] {
			c.checkException(d, yamlpos.Index(network+".except", j), cidr, except)
		}
		c.checkLength(d, network+".except", len(n.Except))
	}
}
