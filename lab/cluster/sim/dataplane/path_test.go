package dataplane_test

import (
	"testing"
	"time"

	"coalmine/lab/mesh"
)

// The route's duration has the wait for an endpoint, the endpoint's latency has not.
func TestWaitsAreInTheDurationOfTheRouteAlone(t *testing.T) {
	s := open(t, nil)
	s.Advance(time.Second) // responses that did not wait come first
	s.SetUnready("backend-primary-0")
	s.SetUnready("backend-primary-1")
	s.Advance(3 * time.Second)
	s.SetReady("backend-primary-1", s.Now())
	s.Advance(4 * time.Second)
	route := s.series("__name__", "outbound_http_route_request_duration_seconds_sum", "parent_name", "backend")
	millis := s.series("__name__", "response_latency_ms_sum", "direction", "outbound", "dst_service", "backend")
	endpoint := millis / 1000
	if route < endpoint+100 { // some hundred requests waited for a second on average
		t.Errorf("%g s in the route's durations, %g s in the endpoints' latencies", route, endpoint)
	}
}

// Responses are counted for the policy by which their requests were admitted.
func TestResponsesAreCountedByTheirPolicy(t *testing.T) {
	s := open(t, nil)
	s.Advance(5 * time.Second)
	policies := denial()
	policies.Servers[0].Selector, policies.Servers[0].AccessPolicy = mesh.Selector{}, "all-unauthenticated"
	s.SetPolicies(policies)
	s.Advance(10 * time.Second)
	admitted := s.series("__name__", "request_total", "direction", "inbound", "srv_name", "backend-http")
	answered := s.series("__name__", "response_total", "direction", "inbound", "srv_name", "backend-http")
	if admitted == 0 || answered < 0.9*admitted || answered > admitted {
		t.Errorf("%g responses to %g requests that the Server admitted", answered, admitted)
	}
}

func TestWeightsThatAreAllZeroBreakTheRule(t *testing.T) {
	s := open(t, nil)
	s.canary()
	backends := split(0)
	backends[0].Weight = 0
	s.route(mesh.Rule{Backends: backends})
	s.Advance(5 * time.Second)
	if got := sum(s.Cells()); got.N == 0 || got.Errors != got.N {
		t.Errorf("%+v, want nothing but errors", got)
	}
	// The connection is closed: the proxy answers nothing.
	if n := s.series("__name__", "outbound_http_route_request_statuses_total", "parent_name", "backend"); n != 0 {
		t.Errorf("the proxy counts %g answers", n)
	}
}
