package mesh_test

import (
	"net/netip"
	"testing"
	"time"

	"coalmine/lab/mesh"
)

var (
	web     = mesh.Client{Identity: mesh.Identity("web", "develop"), Addr: netip.MustParseAddr("10.42.0.1")}
	other   = mesh.Client{Identity: mesh.Identity("web", "other"), Addr: netip.MustParseAddr("10.42.0.2")}
	bare    = mesh.Client{Addr: netip.MustParseAddr("10.42.0.3")}
	outside = mesh.Client{Addr: netip.MustParseAddr("203.0.113.9")}
)

func podOf(app, policy string) mesh.Workload {
	return mesh.Workload{
		Namespace: "develop", Labels: map[string]string{"app": app}, DefaultPolicy: policy,
		PortNames: map[string]int{"http": 8080}, ProbePaths: map[int][]string{8080: {"/healthz"}},
	}
}

func TestIdentity(t *testing.T) {
	if got := mesh.Identity("web", "develop"); got != "web.develop.serviceaccount.identity.linkerd.cluster.local" {
		t.Error(got)
	}
}

func TestDefaultPolicies(t *testing.T) {
	clients := []mesh.Client{web, bare, outside, {Identity: web.Identity, Addr: outside.Addr}}
	for policy, want := range map[string][4]bool{
		"":                          {true, true, true, true},
		mesh.AllUnauthenticated:     {true, true, true, true},
		mesh.AllAuthenticated:       {true, false, false, true},
		mesh.ClusterUnauthenticated: {true, true, false, false},
		mesh.ClusterAuthenticated:   {true, false, false, false},
		mesh.Deny:                   {false, false, false, false},
		mesh.Audit:                  {true, true, true, true},
		"typo":                      {false, false, false, false},
	} {
		for i, c := range clients {
			v := (&mesh.Policies{}).Decide(podOf("shop", policy), 8080, c)
			if v.Allowed != want[i] || v.Allowed == (v.Reason != "") {
				t.Errorf("policy %q, client %d: %+v", policy, i, v)
			}
			if policy != "" && (v.Server != mesh.Ref{Kind: "default", Name: policy}) {
				t.Errorf("policy %q: server %+v", policy, v.Server)
			}
		}
	}
	cluster := &mesh.Policies{Default: mesh.Deny}
	if cluster.Decide(podOf("shop", ""), 8080, web).Allowed ||
		!cluster.Decide(podOf("shop", mesh.Audit), 8080, web).Allowed {
		t.Error("the cluster's default must apply to exactly the pods without an annotation")
	}
}

// guarded has a Server on the pods with app: shop and one policy for it.
func guarded(required ...mesh.AuthenticationRef) *mesh.Policies {
	return &mesh.Policies{
		Servers: []mesh.Server{{
			Name: "shop-http", Namespace: "develop", Port: 8080,
			Selector: mesh.Selector{MatchLabels: map[string]string{"app": "shop"}},
		}},
		Authorizations: []mesh.AuthorizationPolicy{{
			Name: "shop-clients", Namespace: "develop", TargetKind: "Server", TargetName: "shop-http",
			Required: required,
		}},
		MeshTLS: []mesh.MeshTLSAuthentication{
			{Name: "web", Namespace: "develop", Identities: []string{web.Identity}},
			{Name: "all", Namespace: "develop", Identities: []string{"*"}},
			{Name: "suffix", Namespace: "develop",
				Identities: []string{"*.develop.serviceaccount.identity.linkerd.cluster.local"}},
			{Name: "account", Namespace: "develop", Refs: []mesh.IdentityRef{{Kind: "ServiceAccount", Name: "web"}}},
			{Name: "space", Namespace: "develop", Refs: []mesh.IdentityRef{{Kind: "Namespace", Name: "other"}}},
		},
		Networks: []mesh.NetworkAuthentication{
			{Name: "pods", Namespace: "develop", Networks: []mesh.Network{{
				CIDR:   netip.MustParsePrefix("10.42.0.0/16"),
				Except: []netip.Prefix{netip.MustParsePrefix("10.42.0.2/32")},
			}}},
		},
	}
}

func ref(kind, name string) mesh.AuthenticationRef {
	return mesh.AuthenticationRef{Kind: kind, Name: name}
}

func TestAuthorizations(t *testing.T) {
	tls := func(name string) mesh.AuthenticationRef { return ref("MeshTLSAuthentication", name) }
	for name, c := range map[string]struct {
		required          []mesh.AuthenticationRef
		web, other, plain bool
	}{
		"nothing required":       {nil, true, true, true},
		"one identity":           {[]mesh.AuthenticationRef{tls("web")}, true, false, false},
		"every identity":         {[]mesh.AuthenticationRef{tls("all")}, true, true, false},
		"suffix":                 {[]mesh.AuthenticationRef{tls("suffix")}, true, false, false},
		"service account":        {[]mesh.AuthenticationRef{tls("account")}, true, false, false},
		"namespace":              {[]mesh.AuthenticationRef{tls("space")}, false, true, false},
		"service account by ref": {[]mesh.AuthenticationRef{ref("ServiceAccount", "web")}, true, false, false},
		"network with a hole":    {[]mesh.AuthenticationRef{ref("NetworkAuthentication", "pods")}, true, false, true},
		"network and identity": {[]mesh.AuthenticationRef{tls("all"), ref("NetworkAuthentication", "pods")}, true,
			false, false},
		"missing authentication":  {[]mesh.AuthenticationRef{tls("typo")}, false, false, false},
		"two identities: ignored": {[]mesh.AuthenticationRef{tls("all"), tls("web")}, false, false, false},
		"two networks: ignored": {[]mesh.AuthenticationRef{ref("NetworkAuthentication", "pods"),
			ref("NetworkAuthentication", "pods")}, false, false, false},
		"unknown kind: ignored": {[]mesh.AuthenticationRef{ref("MeshTlsAuthentication", "all")}, false, false, false},
	} {
		p := guarded(c.required...)
		got := [3]bool{}
		for i, client := range []mesh.Client{web, other, bare} {
			got[i] = p.Decide(podOf("shop", ""), 8080, client).Allowed
		}
		if got != [3]bool{c.web, c.other, c.plain} {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestVerdictLabels(t *testing.T) {
	p := guarded(ref("MeshTLSAuthentication", "web"))
	v := p.Decide(podOf("shop", ""), 8080, web)
	want := mesh.Verdict{
		Allowed: true, Port: 8080, Server: mesh.Ref{Group: "policy.linkerd.io", Kind: "server", Name: "shop-http"},
		Route: mesh.Ref{Kind: "default", Name: "default"},
		Authz: mesh.Ref{Group: "policy.linkerd.io", Kind: "authorizationpolicy", Name: "shop-clients"},
	}
	if v != want {
		t.Errorf("verdict %+v", v)
	}
}

// A Server for app: shop covers only the canary, since Flagger's primary has app: shop-primary.
func TestServerCoversSelectedPortsOnly(t *testing.T) {
	p := guarded(ref("MeshTLSAuthentication", "web"))
	for _, c := range []struct {
		pod  string
		port int
		want bool
	}{{"shop", 8080, false}, {"shop", 9090, true}, {"shop-primary", 8080, true}} {
		if got := p.Decide(podOf(c.pod, ""), c.port, bare).Allowed; got != c.want {
			t.Errorf("%s:%d: %v", c.pod, c.port, got)
		}
	}
	p.Servers[0].Port, p.Servers[0].PortName = 0, "http"
	if p.Decide(podOf("shop", ""), 8080, bare).Allowed || !p.Decide(podOf("shop", ""), 8081, bare).Allowed {
		t.Error("a named port selects another port")
	}
	elsewhere := podOf("shop", "")
	elsewhere.Namespace = "other"
	if !p.Decide(elsewhere, 8080, bare).Allowed {
		t.Error("a Server selects pods of another namespace")
	}
}

func TestServersOfOnePort(t *testing.T) {
	p := guarded()
	older := p.Servers[0]
	older.Name, older.Created = "z", time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	p.Servers[0].Created = time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	p.Servers = append(p.Servers, older)
	if got := p.Decide(podOf("shop", ""), 8080, web).Server.Name; got != "z" {
		t.Errorf("Server %s applies, want the older", got)
	}
}

func TestAccessPolicyAndNamespaceTarget(t *testing.T) {
	p := guarded(ref("MeshTLSAuthentication", "web"))
	p.Servers[0].AccessPolicy = mesh.Audit
	if v := p.Decide(podOf("shop", ""), 8080, bare); !v.Allowed || v.Authz.Name != mesh.Audit {
		t.Errorf("audit: %+v", v)
	}
	p = guarded(ref("MeshTLSAuthentication", "web"))
	p.Authorizations[0].TargetKind, p.Authorizations[0].TargetName = "Namespace", "develop"
	if !p.Decide(podOf("shop", ""), 8080, web).Allowed {
		t.Error("a policy for the namespace does not apply to its Server")
	}
	p.Authorizations[0].TargetKind = "HTTPRoute"
	if p.Decide(podOf("shop", ""), 8080, web).Allowed {
		t.Error("a policy for a route applies to the whole Server")
	}
}

func TestProbesPassEveryPolicy(t *testing.T) {
	p := &mesh.Policies{}
	pod := podOf("shop", mesh.Deny)
	if v := p.Probe(pod, 8080, bare, "GET", "/healthz"); !v.Allowed || v.Authz.Name != "probe" {
		t.Errorf("probe: %+v", v)
	}
	if p.Probe(pod, 8080, bare, "POST", "/healthz").Allowed || p.Probe(pod, 8080, bare, "GET", "/other").Allowed {
		t.Error("a request other than the probe passes")
	}
}

func TestSelector(t *testing.T) {
	labels := map[string]string{"app": "shop", "tier": "web"}
	for _, c := range []struct {
		key, op string
		values  []string
		want    bool
	}{
		{"app", "In", []string{"a", "shop"}, true}, {"app", "In", []string{"a"}, false},
		{"x", "In", []string{"a"}, false},
		{"app", "NotIn", []string{"shop"}, false}, {"x", "NotIn", []string{"shop"}, true},
		{"app", "Exists", nil, true}, {"x", "Exists", nil, false},
		{"x", "DoesNotExist", nil, true}, {"app", "DoesNotExist", nil, false},
		{"app", "Equals", []string{"shop"}, false},
	} {
		s := mesh.Selector{MatchLabels: map[string]string{"tier": "web"},
			MatchExpressions: []mesh.Requirement{{Key: c.key, Operator: c.op, Values: c.values}}}
		if got := s.Matches(labels); got != c.want {
			t.Errorf("%s %s %v: %v", c.key, c.op, c.values, got)
		}
	}
}
