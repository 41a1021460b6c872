package proxy_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
)

// TestMetricsAreTheModels: both proxies count the same as the mesh model for the same traffic:
// names, labels and numbers of requests.
func TestMetricsAreTheModels(t *testing.T) {
	s := newShop(t)
	s.serveStatus()
	rule := mesh.Rule{Backends: []mesh.Backend{to("backend-canary", 1)}}
	s.change(route(rule))
	s.change(policies)
	stranger := s.add("stranger-0", "stranger", true)
	stranger.ready()
	strangers := stranger.client(s.backend)
	s.follow()
	ask(t, s.http, "GET", "/200", "") // existing handles and new ones
	beforeClient, beforeCanary := s.scrape(s.client), s.scrape(s.canary)
	for _, status := range []int{200, 200, 404, 503} {
		ask(t, s.http, "GET", fmt.Sprint("/", status), "")
	}
	ask(t, strangers, "GET", "/200", "")

	clientModel, canaryModel := mesh.NewRegistry(), mesh.NewRegistry()
	var snapshot wire.Snapshot
	s.change(func(now *wire.Snapshot) { snapshot = *now })
	parent, backend := mesh.ServicePort{Namespace: "develop", Name: "backend", Port: 80},
		mesh.ServicePort{Namespace: "develop", Name: "backend-canary", Port: 80}
	at := netip.AddrPortFrom(s.canary.IP, 8080)
	out := clientModel.Proxy(0, nil)
	edge := out.Outbound(mesh.Destination{
		Addr: at, Identity: mesh.Identity("canary", "develop"), Service: "backend-canary",
		Namespace: "develop", Port: 80,
		Pod: "canary-0", Deployment: "canary", ServiceAccount: "canary", TemplateHash: "hashcanary",
	})
	stats, backendStats := out.Route(parent, &snapshot.Routes[0]), out.Backend(parent, &snapshot.Routes[0], backend)
	in := canaryModel.Proxy(0, nil)
	asks := func(name string) (*mesh.Inbound, bool) {
		c := mesh.Client{Identity: mesh.Identity(name, "develop"), Addr: s.client.IP}
		v := snapshot.Policies.Decide(mesh.Workload{Namespace: "develop", Labels: s.canary.Labels}, 8080, c)
		return in.Inbound(at, c, v), v.Allowed
	}
	allowed, ok := asks("client")
	denied, refused := asks("stranger")
	if !ok || refused {
		t.Fatal("the model decides otherwise")
	}
	for _, status := range []int{200, 200, 404, 503} {
		edge.Request(0)
		backendStats.Request()
		allowed.Request(0)
		allowed.Response(0, status, 0)
		edge.Response(0, status, 0)
		backendStats.Response(status, "", 0)
		stats.Response(status, "", 0)
	}
	denied.Denied()
	out.CertificateExpires(time.Now())
	in.CertificateExpires(time.Now())

	compare(t, "client", clientModel, beforeClient, s.scrape(s.client))
	compare(t, "canary", canaryModel, beforeCanary, s.scrape(s.canary))
}

// compare compares the increases of all series that do not measure time.
func compare(t *testing.T, name string, reg *mesh.Registry, before, after map[string]float64) {
	t.Helper()
	want := map[string]float64{}
	reg.Collect(0, func(_ int, labels []mesh.Label, value float64) { want[seriesName(labels)] = value })
	for _, series := range slices.Sorted(maps.Keys(want)) {
		value, ok := after[series]
		timed := strings.Contains(series, "_bucket{") || strings.Contains(series, "_sum{") ||
			strings.Contains(series, "expiration")
		if rose := value - before[series]; !ok || !timed && rose != want[series] {
			t.Errorf("%s: %s rose by %g, want %g, there: %v", name, series, rose, want[series], ok)
		}
	}
	for _, series := range slices.Sorted(maps.Keys(after)) {
		if _, ok := want[series]; !ok && after[series] != before[series] {
			t.Errorf("%s: the model has no %s", name, series)
		}
	}
}

// seriesName is a series as text with sorted labels.
func seriesName(labels []mesh.Label) string {
	pairs := make([]string, 0, len(labels))
	for _, l := range labels[1:] {
		pairs = append(pairs, fmt.Sprintf("%s=%q", l.Name, l.Value))
	}
	slices.Sort(pairs)
	return labels[0].Value + "{" + strings.Join(pairs, ",") + "}"
}

// scrape reads a proxy's metrics with Prometheus's own parser.
func (s *shop) scrape(d *pod) map[string]float64 {
	s.t.Helper()
	text, err := d.admin("/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		s.t.Fatalf("%v\n%s", err, text)
	}
	all := map[string]float64{}
	for name, f := range families {
		for _, m := range f.Metric {
			labels := []mesh.Label{{Name: "__name__", Value: name}}
			for _, l := range m.Label {
				labels = append(labels, mesh.Label{Name: l.GetName(), Value: l.GetValue()})
			}
			all[seriesName(labels)] = m.GetUntyped().GetValue()
		}
	}
	return all
}

// serveStatus makes both pods respond with the status in the path.
func (s *shop) serveStatus() {
	for _, d := range []*pod{s.primary, s.canary} {
		d.serve(8080, func(w http.ResponseWriter, r *http.Request) {
			var status int
			_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
			w.Header().Set("Pod", d.Name)
			w.WriteHeader(status)
		})
	}
}
