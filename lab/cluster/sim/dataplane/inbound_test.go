package dataplane_test

import (
	"testing"
	"time"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/event"
	"coalmine/lab/mesh"
	"coalmine/loadgen"
)

const linkerdGroup = "policy.linkerd.io"

// openServer returns a Server of the backend's primary that admits everybody.
func openServer() mesh.Policies {
	return mesh.Policies{Servers: []mesh.Server{{
		Name: "mine", Namespace: "develop", Port: 8080, AccessPolicy: mesh.AllUnauthenticated,
		Selector: mesh.Selector{MatchLabels: map[string]string{"app": "backend-primary"}},
	}}}
}

// withRoute adds a route of the Server for the paths under a prefix.
func withRoute(p mesh.Policies, name, prefix string) mesh.Policies {
	p.Routes = append(p.Routes, mesh.InboundRoute{Group: linkerdGroup, Servers: []string{"mine"},
		Route: mesh.Route{Name: name, Namespace: "develop", Rules: []mesh.Rule{{
			Matches: []mesh.Match{{Path: mesh.PathMatch{Kind: mesh.PathPrefix, Value: prefix}}}}}}})
	return p
}

// TestRoutesOfServers sends requests for /, /cart and /pay to a Server with a route for /pay.
func TestRoutesOfServers(t *testing.T) {
	s := open(t, nil)
	s.SetPolicies(withRoute(openServer(), "pay", "/pay"), mesh.ServerRef("mine"))
	s.Advance(30 * time.Second)
	cells := s.Cells()
	pay := sum(only(cells, func(c event.Cell) bool { return c.Route == "pay" }))
	rest := sum(only(cells, func(c event.Cell) bool { return c.Route != "pay" }))
	if pay.N == 0 || pay.Bad != 0 || rest.Errors != rest.N || rest.ByMesh != rest.N {
		t.Errorf("pay %+v, rest %+v", pay, rest)
	}
	lost := s.series("__name__", "inbound_http_route_not_found_total", "deployment", "backend-primary")
	admitted := s.series("__name__", "inbound_http_requests_total", "deployment", "backend-primary", "route_name",
		"pay")
	if open := s.Totals().Open; lost < float64(rest.N) || admitted < float64(pay.N) ||
		lost+admitted > float64(rest.N+pay.N+open) {
		t.Errorf("%g without a route, %g on the route: want %d, %d, and %d are open", lost, admitted, rest.N, pay.N,
			open)
	}
}

// TestRateLimitPerPod sends 200 requests/s to two pods that admit 20 each.
func TestRateLimitPerPod(t *testing.T) {
	s := open(t, nil)
	p := openServer()
	p.RateLimits = []mesh.RateLimit{{Name: "rl", Namespace: "develop", Server: "mine", Total: 20}}
	s.SetPolicies(p, mesh.ServerRef("mine"), mesh.RateLimitRef("rl"))
	s.Advance(20 * time.Second)
	got := sum(s.Cells())
	ok := got.N - got.Limited
	// A burst of one second's worth, and 20 s at 20/s, in each of two pods.
	if ok < 800 || ok > 845 || got.ByMesh != got.Limited || got.Harm != 0 {
		t.Errorf("%d of %d were admitted: %+v", ok, got.N, got)
	}
	limited := s.series("__name__", "inbound_http_local_ratelimit_total", "ratelimit_scope", "total")
	if client := s.series("__name__", "response_total", "direction", "outbound", "status_code", "429", "dst_deployment",
		"backend-primary"); limited != client || limited < float64(got.Limited) {
		t.Errorf("limited %g, 429s of the client's proxy %g, of users %d", limited, client, got.Limited)
	}
}

// TestPolicyKillsItsOwnProbes plays the recording policy-route-noprobes: a route without one for
// probes takes the pods out within three probes, and its end brings them back.
func TestPolicyKillsItsOwnProbes(t *testing.T) {
	s := open(t, nil)
	probed := s.pod("backend-0", "backend", "backend", "v2", "canary", backend())
	probed.ProbePath = "/healthz"
	s.AddPod(probed)
	s.SetReady("backend-0", 0)
	s.weigh(100)
	policies := openServer()
	policies.Servers[0].Selector.MatchLabels["app"] = "backend"
	s.SetPolicies(policies)
	s.Advance(3 * time.Second)
	if s.Cells(); len(s.ReadinessChanges()) != 0 {
		t.Fatal("probes fail without a route")
	}
	probes := s.series("__name__", "response_total", "route_name", "probe", "deployment", "backend")
	if probes < 3 || probes > 4 {
		t.Errorf("%g probes are in the series after 3 s", probes)
	}
	s.SetPolicies(withRoute(policies, "all", "/pay"))
	s.Advance(5500 * time.Millisecond)
	if changes := s.ReadinessChanges(); len(changes) != 0 {
		t.Errorf("unready after two probes: %v", changes)
	}
	s.Advance(6500 * time.Millisecond)
	if changes := s.ReadinessChanges(); len(changes) != 1 || changes[0].Ready || changes[0].Pod != "backend-0" {
		t.Errorf("after three probes: %v", changes)
	}
	s.Cells()
	s.Advance(12 * time.Second)
	if got := sum(s.Cells()); got.N == 0 || got.Errors != got.N {
		t.Errorf("without an endpoint: %+v", got)
	}
	s.SetPolicies(policies)
	s.Advance(14 * time.Second)
	if changes := s.ReadinessChanges(); len(changes) != 1 || !changes[0].Ready {
		t.Errorf("after the route has gone: %v", changes)
	}
	s.Cells()
	s.Advance(20 * time.Second)
	if got := sum(s.Cells()); got.N == 0 || got.Errors != 0 {
		t.Errorf("with endpoints again: %+v", got)
	}
}

// TestPolicyOfTheRelease: the release's policy that takes pods out is the fault's doing, a policy of
// the guardrails is not, nor is one from before the release.
func TestPolicyOfTheRelease(t *testing.T) {
	for name, x := range map[string]struct {
		released, own, fault bool
	}{
		"with the release":        {true, false, true},
		"of the guardrails":       {true, true, false},
		"from before the release": {false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, nil)
			probed := s.pod("backend-0", "backend", "backend", "v2", "canary", backend())
			probed.ProbePath = "/healthz"
			s.AddPod(probed)
			s.SetReady("backend-0", 0)
			s.weigh(100)
			if x.released {
				s.MarkRollout()
			}
			policies := withRoute(openServer(), "all", "/pay")
			policies.Servers[0].Selector.MatchLabels["app"] = "backend"
			if x.own {
				s.SetPolicies(policies, mesh.ServerRef("mine"))
			} else {
				s.SetPolicies(policies)
			}
			s.Advance(8 * time.Second)
			s.Cells()
			s.Advance(20 * time.Second)
			got := sum(s.Cells())
			harm, byMesh := 0, got.N
			if x.fault {
				harm, byMesh = got.N, 0
			}
			if got.N == 0 || got.Bad != got.N || got.Harm != harm || got.ByMesh != byMesh {
				t.Errorf("without an endpoint: %+v", got)
			}
		})
	}
}

// TestNewPodNeverGetsReady starts a pod whose probes policy turns away.
func TestNewPodNeverGetsReady(t *testing.T) {
	s := open(t, nil)
	policies := openServer()
	policies.Servers[0].Selector.MatchLabels["app"] = "backend"
	s.SetPolicies(withRoute(policies, "pay", "/pay"))
	probed := s.pod("backend-0", "backend", "backend", "v2", "canary", backend())
	probed.ProbePath = "/healthz"
	s.AddPod(probed)
	s.SetReady("backend-0", 0)
	s.Advance(5 * time.Second)
	if changes := s.ReadinessChanges(); len(changes) != 1 || changes[0].Ready {
		t.Errorf("%v", changes)
	}
}

// TestOpaqueServerCountsNoRequests compares with the recording opaque-server.
func TestOpaqueServerCountsNoRequests(t *testing.T) {
	s := open(t, nil)
	p := openServer()
	p.Servers[0].Protocol = mesh.ServerOpaque
	s.SetPolicies(p)
	s.Advance(10 * time.Second)
	got := sum(s.Cells())
	out := s.series("__name__", "response_total", "direction", "outbound", "dst_deployment", "backend-primary")
	in := s.series("__name__", "response_total", "direction", "inbound", "deployment", "backend-primary")
	if got.Errors != 0 || out == 0 || in != 0 {
		t.Errorf("%+v, outbound %g, inbound %g", got, out, in)
	}
}

// TestAdmitsAsksForEveryRoute denies one of three routes: a client of the service is not admitted
// then, and a stranger is.
func TestAdmitsAsksForEveryRoute(t *testing.T) {
	s := open(t, nil)
	client := dataplane.ProbeRequest{Client: "frontend", Pod: "backend-primary-0"}
	stranger := dataplane.ProbeRequest{Identity: mesh.Identity("nobody", "develop"), Pod: "backend-primary-0"}
	for name, x := range map[string]struct {
		policies         mesh.Policies
		client, stranger bool
	}{
		"open":          {openServer(), true, true},
		"route for pay": {withRoute(openServer(), "pay", "/pay"), false, true},
		"closed":        {mesh.Policies{Default: mesh.Deny}, false, false},
	} {
		s.SetPolicies(x.policies)
		got, reason, err := s.Admits(client)
		other, _, otherErr := s.Admits(stranger)
		if err != nil || otherErr != nil || got != x.client || other != x.stranger || !got && reason == "" {
			t.Errorf("%s: client %v (%q, %v), stranger %v (%v)", name, got, reason, err, other, otherErr)
		}
	}
}

// TestCertificatesEnd plays what the recordings identity-down and certificate-expired show: open
// connections go on when certificates have ended, new ones fail, and new pods do not start.
func TestCertificatesEnd(t *testing.T) {
	s := open(t, func(_ *loadgen.Workload, c *dataplane.Config) {
		c.CertificateLife, c.IdentityDownAfter = 2*time.Minute, time.Minute
	})
	s.Advance(90 * time.Second)
	s.canary() // its proxy gets no certificate
	if changes := s.ReadinessChanges(); len(changes) != 1 || changes[0].Ready || changes[0].Pod != "backend-0" {
		t.Errorf("a pod that starts without an identity service: %v", changes)
	}
	s.Advance(5 * time.Minute)
	if got := sum(s.Cells()); got.N < 50000 || got.Bad-got.Slow != 0 {
		t.Errorf("on open connections: %+v", got)
	}
	s.weigh(100)
	s.Advance(5*time.Minute + 5*time.Second)
	s.Cells()
	s.Advance(6 * time.Minute)
	if got := sum(s.Cells()); got.N == 0 || got.Errors != got.N {
		t.Errorf("all requests to a pod that has not started: %+v", got)
	}
}

// TestNewConnectionsFail ends the certificate of a pod before a client calls it for the first time.
func TestNewConnectionsFail(t *testing.T) {
	s := open(t, func(_ *loadgen.Workload, c *dataplane.Config) {
		c.CertificateLife, c.IdentityDownAfter = 2*time.Minute, time.Minute
	})
	s.canary()
	s.Advance(4 * time.Minute)
	s.weigh(50)
	s.Cells()
	s.Advance(5 * time.Minute)
	canary := sum(only(s.Cells(), onCanary))
	if canary.N < 1000 || canary.Errors != canary.N || canary.ByMesh != canary.N {
		t.Errorf("on new connections: %+v", canary)
	}
}

// TestIssuerOfTheRelease: certificates of the new version's pods end with the issuer that it brought,
// and a pod that starts later waits in its init container, which is the fault's doing.
func TestIssuerOfTheRelease(t *testing.T) {
	s := open(t, func(_ *loadgen.Workload, c *dataplane.Config) { c.IssuerLife = time.Minute })
	s.MarkRollout()
	s.AddPod(s.pod("backend-0", "backend", "backend", "v2", "canary", backend()))
	s.Advance(10 * time.Second)
	s.SetReady("backend-0", 10*time.Second)
	if left, life := s.CertificateLeft("backend-0"); left != 50*time.Second || life != 24*time.Hour {
		t.Errorf("the new pod's certificate is valid for %v of %v, want 50 s of 24 h", left, life)
	}
	if left, _ := s.CertificateLeft("backend-primary-0"); left < 23*time.Hour {
		t.Errorf("the old pod's certificate is valid for %v, want a day", left)
	}
	s.weigh(100)
	s.Advance(70 * time.Second)
	s.Cells()
	s.Advance(90 * time.Second)
	if got := sum(s.Cells()); got.N == 0 || got.Errors != 0 {
		t.Errorf("open connections end with the certificate: %+v", got)
	}
	s.RemovePod("backend-0")
	s.AddPod(s.pod("backend-1", "backend", "backend", "v2", "canary", backend()))
	s.SetReady("backend-1", 95*time.Second)
	s.Advance(100 * time.Second)
	s.Cells()
	s.Advance(110 * time.Second)
	if got := sum(s.Cells()); got.N == 0 || got.Harm != got.N {
		t.Errorf("without a pod that starts: %+v", got)
	}
}
