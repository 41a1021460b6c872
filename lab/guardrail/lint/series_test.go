package lint

import (
	"net/netip"
	"testing"
	"time"

	"coalmine/lab/guardrail/series"
	"coalmine/lab/mesh"
)

// TestTableHasWhatTheMeshExports compares the table of series with the mesh model.
func TestTableHasWhatTheMeshExports(t *testing.T) {
	all := series.Families()
	check := func(name string, labels []string) {
		f, ok := series.Find(all, name)
		if !ok {
			t.Errorf("%s is not in the table", name)
			return
		}
		for _, l := range labels {
			if !f.HasLabel(l, nil) {
				t.Errorf("%s has label %s, which is not in the table", name, l)
			}
		}
	}
	exported := map[string]bool{}
	exporting().Collect(time.Minute, func(_ int, labels []mesh.Label, _ float64) {
		var names []string
		for _, l := range labels[1:] {
			names = append(names, l.Name)
		}
		exported[labels[0].Value] = true
		check(labels[0].Value, names)
	})
	if len(exported) < 20 {
		t.Errorf("the mesh model exports only %d series", len(exported))
	}
}

// exporting returns a registry in which everything has happened once.
func exporting() *mesh.Registry {
	reg, addr := mesh.NewRegistry(), netip.MustParseAddrPort("10.0.0.1:8080")
	labels := mesh.PodLabels("linkerd-proxy", "develop", "backend-1", "backend", map[string]string{"app": "backend"})
	p := reg.Proxy(1, labels)
	p.CertificateExpires(time.Unix(1, 0))
	ref := mesh.Ref{Group: "policy.linkerd.io", Kind: "server", Name: "s"}
	allowed := mesh.Verdict{Allowed: true, Port: 8080, Server: ref, Route: ref, Authz: ref}
	in := p.Inbound(addr, mesh.Client{Identity: "a"}, allowed)
	in.Request(0)
	in.Response(0, 200, time.Millisecond)
	in.Failed(0)
	in.Limited(&mesh.RateLimit{Name: "limit"}, "total")
	p.Inbound(addr, mesh.Client{}, mesh.Verdict{Port: 8080, Server: ref, Route: ref, Status: 403}).Denied()
	p.Inbound(addr, mesh.Client{}, mesh.Verdict{Port: 8080, Server: ref, Route: ref, Status: 404}).Denied()
	out := p.Outbound(mesh.Destination{Addr: addr, Identity: "b", Service: "backend", Namespace: "develop", Port: 80,
		Pod: "p", Deployment: "backend", ServiceAccount: "default", TemplateHash: "abc"})
	out.Request(0)
	out.Response(0, 503, time.Millisecond)
	parent := mesh.ServicePort{Namespace: "develop", Name: "backend", Port: 80}
	route := p.Route(parent, nil)
	route.Response(0, mesh.ErrorFailFast, time.Second)
	route.Retry()
	route.RetrySuccess()
	route.RetryLimit()
	backend := p.Backend(parent, nil, parent)
	backend.Request()
	backend.Response(200, "", time.Millisecond)
	reg.App(2, labels, "item", "shoppers", "r-1").Response(200, time.Millisecond)
	return reg
}
