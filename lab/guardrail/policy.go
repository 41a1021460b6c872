package guardrail

import (
	"strings"

	"coalmine/lab/input/yamlpos"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// checkServer checks the selector of a Server, which the API server takes as it is.
func (c *checker) checkServer(d *document, s *Server) {
	if _, err := metav1.LabelSelectorAsSelector(s.Spec.PodSelector); err != nil {
		c.fail(d, "spec.podSelector", Clip(err.Error()), "correct the selector")
	}
}

// checkServerVersion says in which version a field is that others do not have.
func (c *checker) checkServerVersion(d *document) {
	if version := apiVersion(d); version != ServerVersion && d.has("spec.accessPolicy") {
		c.fail(d, "spec.accessPolicy", "does not exist in "+version, "write apiVersion: "+ServerVersion)
	}
}

func (c *checker) checkAuthorizationPolicy(d *document, p *AuthorizationPolicy) {
	const path = "spec.requiredAuthenticationRefs"
	if !c.checkLength(d, path, len(p.Spec.RequiredAuthenticationRefs)) {
		return
	}
	for i, ref := range p.Spec.RequiredAuthenticationRefs {
		c.checkClient(d, yamlpos.Index(path, i), ref)
	}
}

func (c *checker) checkRateLimitPolicy(d *document, p *HTTPLocalRateLimitPolicy) {
	const path = "spec.overrides"
	if !c.checkLength(d, path, len(p.Spec.Overrides)) {
		return
	}
	for i, o := range p.Spec.Overrides {
		refs := yamlpos.Index(path, i) + ".clientRefs"
		if !c.checkLength(d, refs, len(o.ClientRefs)) {
			continue
		}
		for j, ref := range o.ClientRefs {
			c.checkClient(d, yamlpos.Index(refs, j), ref)
		}
	}
}

// checkClient checks a reference to clients. Those of other namespaces have identities, and no pods
// in the lab.
func (c *checker) checkClient(d *document, path string, ref AuthenticationRef) {
	if ref.Kind != "ServiceAccount" {
		c.checkNamespace(d, path+".namespace", ref.Namespace)
	}
}

func (c *checker) checkMeshTLS(d *document, a *MeshTLSAuthentication) {
	c.checkLength(d, "spec.identities", len(a.Spec.Identities))
	c.checkLength(d, "spec.identityRefs", len(a.Spec.IdentityRefs))
}

func (c *checker) checkNetworks(d *document, a *NetworkAuthentication) {
	const path = "spec.networks"
	if !c.checkLength(d, path, len(a.Spec.Networks)) {
		return
	}
	for i, n := range a.Spec.Networks {
		c.checkLength(d, yamlpos.Index(path, i)+".except", len(n.Except))
	}
}

// checkProfile checks that a ServiceProfile is one of the lab's Services.
func (c *checker) checkProfile(d *document, p *ServiceProfile) {
	name, domain, _ := strings.Cut(p.Name, ".")
	if domain != c.env.Namespace+".svc.cluster.local" {
		c.fail(d, "metadata.name", Clip(p.Name)+" is not the full name of a Service of the lab",
			"write SERVICE."+c.env.Namespace+".svc.cluster.local")
		return
	}
	c.checkServiceName(d, "metadata.name", name)
	if !c.checkLength(d, "spec.routes", len(p.Spec.Routes)) {
		return
	}
	for i, r := range p.Spec.Routes {
		c.checkProfileMatch(d, yamlpos.Index("spec.routes", i)+".condition", &r.Condition)
	}
}

func (c *checker) checkProfileMatch(d *document, path string, m *ProfileMatch) {
	if m.PathRegex != "" {
		c.checkRegex(d, path+".pathRegex", m.PathRegex)
	}
	for _, below := range []struct {
		name string
		list []ProfileMatch
	}{{"all", m.All}, {"any", m.Any}, {"not", m.Not}} {
		if !c.checkLength(d, path+"."+below.name, len(below.list)) {
			continue
		}
		for i := range below.list {
			c.checkProfileMatch(d, yamlpos.Index(path+"."+below.name, i), &below.list[i])
		}
	}
}
