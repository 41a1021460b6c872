package guardrail

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"coalmine/lab/guardrail/crd"
	"coalmine/lab/input/yamlpos"
)

const kindServerAuthorization = "ServerAuthorization"

// expandServerAuthorizations replaces each ServerAuthorization by what Linkerd's policy controller
// makes of it: an AuthorizationPolicy for each of its Servers, whose clients must come from one of the
// networks and have one of the identities.
// Source: linkerd2 policy-controller/k8s/index/src/inbound/server_authorization.rs.
func (c *checker) expandServerAuthorizations() {
	for _, d := range c.serverAuthorizations {
		value, err := jsonValue(d.root)
		if err != nil {
			c.refuse(d, d.finding("", Clip(err.Error()), "correct the value"))
			continue
		}
		object, _ := value.(map[string]any)
		var findings []Finding
		for _, p := range crd.Check(context.Background(), object) {
			message, hint := refusal(p)
			findings = append(findings, d.finding(p.Field, message, hint))
		}
		if len(findings) > 0 {
			c.refuse(d, findings...)
			continue
		}
		c.expandServerAuthorization(d)
	}
}

func (c *checker) expandServerAuthorization(d *document) {
	name := d.text("metadata", "name") + ".serverauthorization"
	namespace := cmp.Or(d.text("metadata", "namespace"), c.env.Namespace)
	var refs []*yaml.Node
	add := func(kind string, spec *yaml.Node) {
		c.addExpanded(d, kind, name, namespace, spec)
		refs = append(refs, yamlMap("group", yamlText(LinkerdGroup), "kind", yamlText(kind), "name", yamlText(name)))
	}
	root := yamlpos.Root(d.root)
	if networks, ok := root.Find("spec", "client", "networks"); ok && len(networks.Items()) > 0 {
		add("NetworkAuthentication", yamlMap("networks", networks.Value))
	}
	if spec := tlsClients(root, namespace); spec != nil {
		add("MeshTLSAuthentication", spec)
	}
	servers := c.serversOf(d)
	if len(servers) == 0 {
		c.note(d, "spec.server", "there is no such Server among the guardrails: it admits no one", "")
	}
	for _, server := range servers {
		c.addExpanded(d, "AuthorizationPolicy", name+suffixOf(servers, server), namespace, yamlMap(
			"targetRef", yamlMap("group", yamlText(LinkerdGroup), "kind", yamlText("Server"), "name", yamlText(server)),
			"requiredAuthenticationRefs", &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: refs}))
	}
	c.note(d, "", "is played as the AuthorizationPolicy and authentications that say the same", "")
}

// suffixOf tells the policies for several Servers apart.
func suffixOf(servers []string, server string) string {
	if len(servers) == 1 {
		return ""
	}
	return "." + server
}

// tlsClients returns the spec of a MeshTLSAuthentication, or nil if clients need no identity.
func tlsClients(root yamlpos.Field, namespace string) *yaml.Node {
	tls, ok := root.Find("spec", "client", "meshTLS")
	if !ok {
		return nil
	}
	if any, ok := tls.Child("unauthenticatedTLS"); ok && any.Value.Value == "true" {
		return yamlMap("identities", yamlList(yamlText("*")))
	}
	spec := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if identities, ok := tls.Child("identities"); ok && len(identities.Items()) > 0 {
		spec.Content = append(spec.Content, yamlText("identities"), identities.Value)
	}
	accounts, _ := tls.Child("serviceAccounts")
	var refs []*yaml.Node
	for _, a := range accounts.Items() {
		ref := yamlMap("kind", yamlText("ServiceAccount"))
		ref.Content = append(ref.Content, a.Value.Content...)
		of, ok := a.Child("namespace")
		if !ok {
			of.Value = yamlText(namespace)
			ref.Content = append(ref.Content, yamlText("namespace"), of.Value)
		}
		refs = append(refs, ref)
		if name, ok := a.Child("name"); ok && len(spec.Content) > 0 { // one of the two fields may be set
			spec.Content[1] = yamlList(append(slices.Clone(spec.Content[1].Content), yamlText(name.Value.Value+"."+
				of.Value.Value+".serviceaccount.identity.linkerd.cluster.local"))...)
		}
	}
	if len(refs) > 0 && len(spec.Content) == 0 {
		spec.Content = append(spec.Content, yamlText("identityRefs"), yamlList(refs...))
	}
	return spec
}

// serversOf returns the names of the Servers that a ServerAuthorization is for.
func (c *checker) serversOf(d *document) []string {
	if name := d.text("spec", "server", "name"); name != "" {
		return []string{name}
	}
	var selector metav1.LabelSelector
	if f, ok := yamlpos.Root(d.root).Find("spec", "server", "selector"); !ok || f.Value.Decode(&selector) != nil {
		return nil
	}
	matches, err := metav1.LabelSelectorAsSelector(&selector)
	if err != nil {
		return nil
	}
	var names []string
	for _, s := range c.found {
		var set map[string]string
		if f, ok := yamlpos.Root(s.root).Find("metadata", "labels"); ok && f.Value.Decode(&set) != nil {
			continue
		}
		if s.kind.name == "Server" && s.text("metadata", "namespace") == d.text("metadata", "namespace") &&
			matches.Matches(labels.Set(set)) {
			names = append(names, s.text("metadata", "name"))
		}
	}
	return names
}

// addExpanded adds an object at the place of a document.
func (c *checker) addExpanded(d *document, kindName, name, namespace string, spec *yaml.Node) {
	meta := yamlMap("name", yamlText(name))
	if d.text("metadata", "namespace") != "" {
		meta = yamlMap("name", yamlText(name), "namespace", yamlText(namespace))
	}
	root := yamlMap("apiVersion", yamlText(AuthorizationVersion), "kind", yamlText(kindName), "metadata", meta,
		"spec", spec)
	placeAt(root, d.root)
	all := kinds()
	i := slices.IndexFunc(all, func(k kind) bool { return k.name == kindName })
	c.found = append(c.found, &document{file: d.file, root: root, origin: d.origin, kind: all[i]})
}

// placeAt gives new nodes the place of the document that they come from.
func placeAt(n, at *yaml.Node) {
	if n.Line == 0 {
		n.Line, n.Column = at.Line, at.Column
	}
	for _, child := range n.Content {
		placeAt(child, at)
	}
}

func yamlText(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}

func yamlList(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: items}
}

// yamlMap returns a mapping of keys and nodes.
func yamlMap(pairs ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for i := 0; i+1 < len(pairs); i += 2 {
		n.Content = append(n.Content, yamlText(pairs[i].(string)), pairs[i+1].(*yaml.Node))
	}
	return n
}

// unplayedKinds says what follows for kinds that a Linkerd cluster reads and the lab does not play.
func unplayedKinds() map[string]string {
	return map[string]string{
		"GRPCRoute.gateway.networking.k8s.io": "the lab's services speak HTTP/1.1 and have no gRPC methods to route",
		"TLSRoute.gateway.networking.k8s.io":  "the lab's clients send no TLS of their own that could be routed",
		"TCPRoute.gateway.networking.k8s.io":  "the lab plays requests, not connections",
		"EgressNetwork.policy.linkerd.io":     "the lab's services call nothing outside the cluster",
		"HTTPLocalConcurrencyLimitPolicy.policy.linkerd.io": "the lab does not limit the requests in progress at a " +
			"Server",
	}
}

// noteUnplayed names each object of a kind that the lab does not play.
func (c *checker) noteUnplayed(d *document, apiVersion, kind string) {
	if reason := unplayedKinds()[kind+"."+group(apiVersion)]; reason != "" {
		c.note(d, "", kind+" "+Clip(d.text("metadata", "name"))+" is not played: "+strings.TrimSpace(reason), "")
	}
}
