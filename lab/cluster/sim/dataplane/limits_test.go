package dataplane_test

import (
	"testing"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/mesh"
	"coalmine/lab/service"
)

// limited opens a shop whose backend Service has a policy, with all requests at the given canary.
func limited(t *testing.T, policy mesh.ServicePolicy, b service.Behaviour) *shop {
	t.Helper()
	s := open(t, nil)
	list := services()
	for i := range list {
		if list[i].Name == "backend" {
			list[i].Policy = policy
		}
	}
	s.SetServices(list)
	s.add("backend-0", "backend", "backend", "v2", "canary", b)
	s.weigh(100)
	return s
}

// failing returns a backend that answers a share of requests 503.
func failing(share float64) service.Behaviour {
	return backend(service.Fault{Name: "errors", Share: share, Effect: service.Effect{Status: 503}})
}

func gatewayErrors(limit int, timeout time.Duration) *mesh.Retry {
	return &mesh.Retry{Statuses: []mesh.StatusRange{{First: 500, Last: 599}}, Limit: limit, Timeout: timeout}
}

func canaryCell(s *shop) event.Cell { return sum(only(s.Cells(), onCanary)) }

// With retries, users see the square of the failure rate, the proxies see all attempts.
func TestRetriesHideFailures(t *testing.T) {
	s := limited(t, mesh.ServicePolicy{Retry: gatewayErrors(1, 0)}, failing(0.3))
	s.Advance(30 * time.Second)
	got := canaryCell(s)
	if share := float64(got.Errors) / float64(got.N); share > 0.13 || share < 0.06 {
		t.Errorf("%.3f of requests fail after a retry, want 0.09: %+v", share, got)
	}
	if share := float64(got.ProxyRetried) / float64(got.N); share < 0.25 || share > 0.35 {
		t.Errorf("%.3f of requests were sent again, want 0.3: %+v", share, got)
	}
	retries := s.series("__name__", "outbound_http_route_retry_requests_total")
	attempts := s.series("__name__", "outbound_http_route_backend_requests_total", "backend_name", "backend-canary")
	pausing := float64(got.ProxyRetried) - retries
	if pausing < 0 || pausing > 20 || attempts < float64(got.N+got.ProxyRetried) {
		t.Errorf("series have %g retries and %g attempts, cells %+v", retries, attempts, got)
	}
}

// A timeout of the Service ends slow requests at once with 504; the pod goes on working on them.
func TestTimeoutOfService(t *testing.T) {
	slow := backend(service.Fault{Name: "slow", Share: 0.5, Effect: service.Effect{AddLatency: &service.Latency{
		P50: 400 * time.Millisecond, P99: 401 * time.Millisecond}}})
	s := limited(t, mesh.ServicePolicy{Timeouts: mesh.Timeouts{Request: 200 * time.Millisecond}}, slow)
	s.Advance(30 * time.Second)
	got := canaryCell(s)
	if share := float64(got.Errors) / float64(got.N); share < 0.4 || share > 0.6 || got.Harm < got.Errors*9/10 {
		t.Errorf("%+v", got)
	}
	for _, b := range got.Latency {
		if most := event.BucketBound(b.Bucket); most > 400*time.Millisecond {
			t.Errorf("a request took up to %v", most)
		}
	}
	s.StopTraffic()
	s.Advance(time.Minute)
	if open := s.Totals().Open; open != 0 {
		t.Errorf("%d requests were lost", open)
	}
}

// A circuit breaker takes the only pod out after failures in a row: 504 after three seconds, then
// 503, and the pod gets single requests.
func TestBreakerOfService(t *testing.T) {
	a := mesh.DefaultAccrual()
	s := limited(t, mesh.ServicePolicy{Accrual: &a}, failing(1))
	s.Advance(30 * time.Second)
	reached := s.series("__name__", "request_total", "direction", "outbound", "dst_pod", "backend-0")
	if reached < 16 || reached > 30 {
		t.Errorf("the failing pod got %g requests, want 7 and a few probes of each of two clients", reached)
	}
	shed := s.series("__name__", "outbound_http_route_request_statuses_total", "error", mesh.ErrorLoadShed)
	if shed < 3000 {
		t.Errorf("%g requests were answered 503 at once", shed)
	}
}
