package mesh

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	clientID   = "client.probe.serviceaccount.identity.linkerd.cluster.local"
	strangerID = "stranger.probe.serviceaccount.identity.linkerd.cluster.local"
)

// routePolicies are those of the recording policy-route-probes.
func routePolicies() *Policies {
	any := NetworkAuthentication{Name: "any", Namespace: "probe",
		Networks: []Network{{CIDR: netip.MustParsePrefix("0.0.0.0/0")}}}
	route := func(name, prefix string) InboundRoute {
		rule := Rule{Matches: []Match{{Path: PathMatch{Kind: PathPrefix, Value: prefix}}}}
		return InboundRoute{Group: policyGroup, Servers: []string{"server-http"},
			Route: Route{Name: name, Namespace: "probe", Rules: []Rule{rule}}}
	}
	policy := func(name, target string, refs ...AuthenticationRef) AuthorizationPolicy {
		return AuthorizationPolicy{Name: name, Namespace: "probe", TargetGroup: policyGroup, TargetKind: "HTTPRoute",
			TargetName: target, Required: refs}
	}
	return &Policies{
		Servers:  []Server{{Name: "server-http", Namespace: "probe", PortName: "http"}},
		Routes:   []InboundRoute{route("probes", "/healthz"), route("api", "/api")},
		MeshTLS:  []MeshTLSAuthentication{{Name: "clients", Namespace: "probe", Identities: []string{clientID}}},
		Networks: []NetworkAuthentication{any},
		Authorizations: []AuthorizationPolicy{
			policy("probes", "probes", AuthenticationRef{Kind: "NetworkAuthentication", Name: "any"}),
			policy("clients", "api", AuthenticationRef{Kind: "MeshTLSAuthentication", Name: "clients"}),
		},
	}
}

func probeWorkload() Workload {
	return Workload{Namespace: "probe", PortNames: map[string]int{"http": 8080},
		ProbePaths: map[int][]string{8080: {"/healthz"}}}
}

// TestInboundRoutes compares with the recording policy-route-probes: a route open to every network,
// one open to one client, and 404 for what no route matches.
func TestInboundRoutes(t *testing.T) {
	p := routePolicies()
	addr := netip.MustParseAddr("10.1.0.1")
	client, stranger, outsider := Client{clientID, addr}, Client{strangerID, addr}, Client{Addr: addr}
	for _, x := range []struct {
		path   string
		client Client
		want   int
		route  string
	}{
		{"/api", client, 0, "api"}, {"/api/x", client, 0, "api"}, {"/", client, 404, ""}, {"/healthz", client, 0,
			"probes"},
		{"/api", stranger, 403, "api"}, {"/", stranger, 404, ""}, {"/healthz", stranger, 0, "probes"},
		{"/api", outsider, 403, "api"}, {"/", outsider, 404, ""}, {"/healthz", outsider, 0, "probes"},
	} {
		v := p.Probe(probeWorkload(), 8080, x.client, "GET", x.path)
		if v.Status != x.want || v.Allowed != (x.want == 0) || v.Route.Name != x.route {
			t.Errorf("%s for %q: got %+v", x.path, x.client.Identity, v)
		}
	}
}

// TestRoutesReplaceProbes checks what policy-route recorded: a Server with a route has no default
// route for probes, whatever the route is.
func TestRoutesReplaceProbes(t *testing.T) {
	kubelet := Client{Addr: netip.MustParseAddr("10.0.0.1")}
	p := routePolicies()
	p.Routes = p.Routes[1:]
	if v := p.Probe(probeWorkload(), 8080, kubelet, "GET", "/healthz"); v.Status != 404 {
		t.Errorf("without a route for probes: got %+v", v)
	}
	p.Servers[0].AccessPolicy = AllUnauthenticated
	if v := p.Probe(probeWorkload(), 8080, kubelet, "GET", "/healthz"); v.Status != 404 {
		t.Errorf("with an open Server: got %+v", v)
	}
	p.Routes = nil
	p.Servers[0].AccessPolicy = Deny
	if v := p.Probe(probeWorkload(), 8080, kubelet, "GET", "/healthz"); !v.Allowed || v.Route.Name != "probe" {
		t.Errorf("without routes: got %+v", v)
	}
}

// TestServerPolicyCoversRoutes checks what policy-route recorded last: policies of the Server admit
// to its routes, and that of the route is counted first.
func TestServerPolicyCoversRoutes(t *testing.T) {
	p := routePolicies()
	p.Authorizations = append(p.Authorizations, AuthorizationPolicy{Name: "all", Namespace: "probe",
		TargetKind: "Server",
		TargetName: "server-http", Required: []AuthenticationRef{{Kind: "NetworkAuthentication", Name: "any"}}})
	addr := netip.MustParseAddr("10.1.0.1")
	for id, want := range map[string]string{clientID: "clients", strangerID: "all", "": "all"} {
		v := p.Probe(probeWorkload(), 8080, Client{id, addr}, "GET", "/api")
		if !v.Allowed || v.Authz.Name != want {
			t.Errorf("%q: got %+v", id, v)
		}
	}
}

// TestRateLimit compares with the recording ratelimit: 50 requests/s for 4 s, with a burst of one
// second's worth.
func TestRateLimit(t *testing.T) {
	limit := &RateLimit{Total: 100, Identity: 5, Overrides: []RateOverride{
		{RequestsPerSecond: 20, Identities: []string{strangerID}}}}
	for id, want := range map[string]int{clientID: 24, strangerID: 99, "": 24} {
		l, admitted := NewLimiter(limit), 0
		for i := range 200 {
			if l.Take(time.Duration(i)*20*time.Millisecond, id) == "" {
				admitted++
			}
		}
		if admitted != want {
			t.Errorf("%q: %d were admitted, want %d", id, admitted, want)
		}
	}
}

func TestLimitsAreShared(t *testing.T) {
	l := NewLimiter(&RateLimit{Total: 3, Identity: 2})
	var got []string
	for _, id := range []string{"a", "a", "a", "b", "b"} {
		got = append(got, l.Take(0, id))
	}
	// The third of a counts for the total, though it is over its own limit.
	want := []string{"", "", ScopeIdentity, ScopeTotal, ScopeTotal}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestInboundSeries checks names and labels as in the recordings policy-route-probes and ratelimit.
func TestInboundSeries(t *testing.T) {
	reg, p := NewRegistry(), routePolicies()
	recorder := reg.Proxy(1, nil)
	target, c := netip.MustParseAddrPort("10.1.0.2:8080"), Client{Identity: clientID,
		Addr: netip.MustParseAddr("10.1.0.1")}
	count := func(path string) *Inbound {
		return recorder.Inbound(target, c, p.Probe(probeWorkload(), 8080, c, "GET", path))
	}
	in := count("/api")
	in.Request(0)
	in.Response(0, 200, 0)
	in.Limited(&RateLimit{Name: "rl"}, ScopeTotal)
	count("/").Denied()
	got := map[string]float64{}
	reg.Collect(0, func(_ int, labels []Label, value float64) {
		text := labels[0].Value
		for _, l := range labels[1:] {
			if l.Name != "target_ip" && l.Name != "target_port" {
				text += " " + l.Name + "=" + l.Value
			}
		}
		if name := labels[0].Value; name[:12] == "inbound_http" && !strings.Contains(name, "duration") {
			got[text] = value
		}
	})
	const (
		srv   = " srv_group=policy.linkerd.io srv_kind=server srv_name=server-http srv_port=8080"
		at    = " target_addr=10.1.0.2:8080" + srv
		par   = " parent_group=policy.linkerd.io parent_kind=server parent_name=server-http parent_port=8080"
		route = " route_group=policy.linkerd.io route_kind=HTTPRoute route_name=api"
		authz = " authz_group=policy.linkerd.io authz_kind=authorizationpolicy authz_name=clients"
		tls   = " tls=true client_id=" + clientID
	)
	want := map[string]float64{
		"inbound_http_authz_allow_total" + at + route + authz + tls: 2,
		"inbound_http_route_not_found_total" + at + tls:             1,
		"inbound_http_requests_total" + par + route:                 1,
		"inbound_http_statuses_total" + par + route + " status=200": 1,
		"inbound_http_local_ratelimit_total" + at + " ratelimit_group=policy.linkerd.io " +
			"ratelimit_kind=HTTPLocalRateLimitPolicy ratelimit_name=rl ratelimit_scope=total" + tls: 1,
		"inbound_http_errors_total error=unexpected target_addr=10.1.0.2:4143" + srv: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Of routes of one age and name, the group decides.
func TestRoutesOfOneNameAreRankedByGroup(t *testing.T) {
	p := routePolicies()
	other := p.Routes[1]
	other.Group = "gateway.networking.k8s.io"
	p.Routes = append(p.Routes, other)
	v := p.ForPort(probeWorkload(), 8080).Decide(Client{Identity: clientID}, &Request{Method: "GET", Path: "/api"})
	if v.Route.Group != other.Group || v.Allowed {
		t.Errorf("%+v", v)
	}
}
