package mesh_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"coalmine/lab/mesh"
)

// scrape renders series whose name begins with prefix as Prometheus does, sorted.
func scrape(r *mesh.Registry, now time.Duration, prefix string) []string {
	var lines []string
	r.Collect(now, func(_ int, labels []mesh.Label, v float64) {
		if !strings.HasPrefix(labels[0].Value, prefix) {
			return
		}
		var parts []string
		for _, l := range labels[1:] {
			parts = append(parts, fmt.Sprintf("%s=%q", l.Name, l.Value))
		}
		slices.Sort(parts)
		lines = append(lines, fmt.Sprintf("%s{%s} %g", labels[0].Value, strings.Join(parts, ","), v))
	})
	slices.Sort(lines)
	return lines
}

func verdict(allowed bool) mesh.Verdict {
	v := mesh.Verdict{
		Allowed: allowed, Port: 8080, Server: mesh.Ref{Group: "policy.linkerd.io", Kind: "server", Name: "s"},
		Route: mesh.Ref{Kind: "default", Name: "default"},
	}
	if allowed {
		v.Authz = mesh.Ref{Group: "policy.linkerd.io", Kind: "authorizationpolicy", Name: "a"}
	}
	return v
}

var target = netip.MustParseAddrPort("10.42.0.9:8080")

func TestInboundSeries(t *testing.T) {
	r := mesh.NewRegistry()
	p := r.Proxy(1, mesh.PodLabels("linkerd-proxy", "develop", "shop-0", "shop",
		map[string]string{"app": "shop", "pod": "x"}))
	in := p.Inbound(target, web, verdict(true))
	if got := scrape(r, 0, ""); len(got) != 0 {
		t.Errorf("series before the first request: %v", got)
	}
	in.Request(0)
	in.Response(0, 200, 4900*time.Microsecond)
	const pod = `app="shop",authz_group="policy.linkerd.io",authz_kind="authorizationpolicy",authz_name="a",`
	const tail = `job="linkerd-proxy",namespace="develop",pod="shop-0",route_kind="default",route_name="default",` +
		`srv_group="policy.linkerd.io",srv_kind="server",srv_name="s",srv_port="8080",`
	const addr = `target_addr="10.42.0.9:8080",target_ip="10.42.0.9",target_port="8080",tls="true"}`
	want := []string{`response_total{` + pod +
		`classification="success",client_id="web.develop.serviceaccount.identity.linkerd.cluster.local",` +
		`deployment="shop",direction="inbound",` + tail + `status_code="200",` + addr + ` 1`}
	if got := scrape(r, 0, "response_total"); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want[0])
	}
	if got := scrape(r, 0, "inbound_http_authz_allow_total"); len(got) != 1 || strings.Contains(got[0], "direction") {
		t.Errorf("%v", got)
	}
	buckets := scrape(r, 0, "response_latency_ms_bucket")
	if len(buckets) != 26 {
		t.Errorf("%d buckets", len(buckets))
	}
	for _, b := range buckets { // 4.9 ms are 4 whole milliseconds
		low := strings.Contains(b, `le="1"`) || strings.Contains(b, `le="2"`) || strings.Contains(b, `le="3"`)
		if strings.HasSuffix(b, " 0") != low {
			t.Error(b)
		}
	}
}

func TestDeniedRequestsAreNotResponses(t *testing.T) {
	r := mesh.NewRegistry()
	p := r.Proxy(1, nil)
	p.Inbound(target, bare, verdict(false)).Denied()
	want := []string{`inbound_http_authz_deny_total{no_tls_reason="no_tls_from_remote",route_kind="default",route_name="default",` +
		`srv_group="policy.linkerd.io",srv_kind="server",srv_name="s",srv_port="8080",` +
		`target_addr="10.42.0.9:8080",target_ip="10.42.0.9",target_port="8080",tls="no_identity"} 1`}
	if got := scrape(r, 0, ""); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestOutboundSeries(t *testing.T) {
	r := mesh.NewRegistry()
	p := r.Proxy(1, nil)
	o := p.Outbound(mesh.Destination{
		Addr: target, Identity: mesh.Identity("shop", "develop"), Service: "shop-canary",
		Namespace: "develop", Port: 80,
		Pod: "shop-0", Deployment: "shop", ServiceAccount: "shop",
	})
	o.Request(0)
	o.Response(0, 403, 0)
	want := []string{`response_total{authority="shop-canary.develop.svc.cluster.local",classification="success",direction="outbound",` +
		`dst_control_plane_ns="linkerd",dst_deployment="shop",dst_namespace="develop",dst_pod="shop-0",dst_service="shop-canary",` +
		`dst_serviceaccount="shop",dst_zone_locality="unknown",server_id="shop.develop.serviceaccount.identity.linkerd.cluster.local",status_code="403",` +
		`target_addr="10.42.0.9:8080",target_ip="10.42.0.9",target_port="8080",tls="true"} 1`}
	if got := scrape(r, 0, "response_total"); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestRouteSeries(t *testing.T) {
	r := mesh.NewRegistry()
	p := r.Proxy(1, nil)
	parent := mesh.ServicePort{Namespace: "develop", Name: "shop", Port: 80}
	s := p.Route(parent, &mesh.Route{Name: "shop", Namespace: "develop"})
	s.Response(200, "", 60*time.Millisecond)
	s.Response(0, mesh.ErrorFailFast, 3*time.Second)
	const labels = `parent_group="core",parent_kind="Service",parent_name="shop",parent_namespace="develop",parent_port="80",` +
		`route_group="gateway.networking.k8s.io",route_kind="HTTPRoute",route_name="shop",route_namespace="develop"} 1`
	want := []string{
		`outbound_http_route_request_statuses_total{error="FAIL_FAST",` + labels,
		`outbound_http_route_request_statuses_total{http_status="200",` + labels,
	}
	if got := scrape(r, 0, "outbound_http_route_request_statuses_total"); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if got := scrape(r, 0, "outbound_http_errors_total"); !slices.Equal(got,
		[]string{`outbound_http_errors_total{error="failfast"} 1`}) {
		t.Errorf("got %v", got)
	}
	if got := scrape(r, 0, "outbound_http_route_request_duration_seconds_bucket"); len(got) != 5 {
		t.Errorf("%d buckets", len(got))
	}
	p.Backend(parent, nil, mesh.ServicePort{Namespace: "develop", Name: "shop", Port: 80}).Request()
	if got := scrape(r, 0, "outbound_http_route_backend_requests_total"); len(got) != 1 ||
		!strings.Contains(got[0], `route_kind="default",route_name="http"`) {
		t.Errorf("got %v", got)
	}
}

func TestIdleSeriesRestart(t *testing.T) {
	r := mesh.NewRegistry()
	in := r.Proxy(1, nil).Inbound(target, web, verdict(true))
	in.Request(0)
	in.Response(time.Second, 200, time.Millisecond)
	late := time.Second + mesh.RetainIdle
	if len(scrape(r, late, "response_total")) != 1 {
		t.Error("removed too early")
	}
	if got := scrape(r, late+1, "re"); len(got) != 0 {
		t.Errorf("idle series remain: %v", got)
	}
	if len(scrape(r, late+1, "inbound_http_authz_allow_total")) != 1 {
		t.Error("idle policy counters were removed")
	}
	in.Request(late + 2)
	if got := scrape(r, late+2, "request_total"); len(got) != 1 || !strings.HasSuffix(got[0], " 1") {
		t.Errorf("did not restart: %v", got)
	}
}

func TestEqualLabelsShareASeries(t *testing.T) {
	r := mesh.NewRegistry()
	p := r.Proxy(1, nil)
	p.Inbound(target, web, verdict(true)).Request(0)
	twin := web
	twin.Addr = netip.MustParseAddr("10.42.0.77")
	p.Inbound(target, twin, verdict(true)).Request(0)
	if got := scrape(r, 0, "request_total"); len(got) != 1 || !strings.HasSuffix(got[0], " 2") {
		t.Errorf("%v", got)
	}
}

func TestIDsAreStable(t *testing.T) {
	r := mesh.NewRegistry()
	seen := map[int]string{}
	check := func() {
		r.Collect(0, func(id int, labels []mesh.Label, _ float64) {
			if words := fmt.Sprint(labels); seen[id] != "" && seen[id] != words {
				t.Fatalf("id %d was %s and is %s", id, seen[id], words)
			}
			seen[id] = fmt.Sprint(labels)
		})
	}
	for owner := range 4 {
		s := r.App(owner, []mesh.Label{{Name: "job", Value: fmt.Sprint("shop", owner)}}, "home", "all", "v1")
		s.Response(200, time.Millisecond)
		s.Response(500, time.Second)
		check()
		if owner == 2 {
			r.Remove(1)
			s.Response(404, 0)
			check()
		}
	}
	if len(seen) == 0 {
		t.Error("nothing was collected")
	}
}

func TestRemoveAndReset(t *testing.T) {
	r := mesh.NewRegistry()
	a, b := r.App(1, nil, "home", "all", "v1"), r.App(2, nil, "home", "all", "v1")
	a.Response(200, 0)
	b.Response(200, 0)
	r.Reset(1)
	if got := scrape(r, 0, "app_http_requests_total"); len(got) != 1 {
		t.Errorf("after reset: %v", got)
	}
	a.Response(200, 0)
	r.Remove(2)
	b.Response(503, 0) // a late response of a removed pod
	want := []string{`app_http_requests_total{cohort="all",route="home",status="200",version="v1"} 1`}
	if got := scrape(r, 0, "app_http_requests_total"); !slices.Equal(got, want) {
		t.Errorf("after removal: %v", got)
	}
}

func TestClassification(t *testing.T) {
	for status, want := range map[int]string{200: "success", 403: "success", 429: "success", 499: "success",
		500: "failure", 599: "failure", 600: "success"} {
		if got := mesh.Classify(status); got != want {
			t.Errorf("%d: %s", status, got)
		}
	}
}
