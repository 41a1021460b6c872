package dataplane_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"coalmine/lab/mesh"
	"coalmine/lab/service"
	"coalmine/loadgen"
)

// profiled gives the backend a ServiceProfile with one route.
func profiled(s *shop, r mesh.ProfileRoute, targets ...mesh.Backend) {
	r.Name = "all"
	r.Matches = func(q *mesh.Request) bool { return q.Path == "/" }
	s.SetProfiles([]mesh.Profile{{Service: "backend", Namespace: "develop", Routes: []mesh.ProfileRoute{r},
		Targets: targets, Budget: mesh.DefaultRetryBudget()}})
}

// Beside a ServiceProfile the weights of the Service's HTTPRoute have no effect, and there are no
// series of routes.
func TestProfileComesBeforeRoutes(t *testing.T) {
	for name, c := range map[string]struct {
		targets []mesh.Backend
		onV2    bool
	}{"own endpoints": {nil, false}, "targets": {split(100)[1:], true}} {
		s, got := outcomes(t, nil, func(s *shop) {
			s.canary()
			s.weigh(50)
			profiled(s, mesh.ProfileRoute{}, c.targets...)
		})
		for _, o := range got {
			if (o.Version == "v2") != c.onV2 {
				t.Fatalf("%s: a request went to %s", name, o.Version)
			}
		}
		all := s.series("__name__", "route_request_total", "direction", "outbound", "rt_route", "all")
		rest := s.series("__name__", "route_request_total", "direction", "outbound") - all
		if all == 0 || rest == 0 || all+rest != float64(len(got)) {
			t.Errorf("%s: %g requests of the route and %g of none are counted, of %d", name, all, rest, len(got))
		}
		eachSeries(s.Plane, func(series mesh.Series, _ float64) {
			ofRoute := strings.HasPrefix(series.Name(), "outbound_http_route_")
			if ofRoute && slices.Contains(series.Labels(), mesh.Label{Name: "parent_name", Value: "backend"}) {
				t.Errorf("%s: %v", name, series.Labels())
			}
		})
	}
}

// A profile's failures are retried within its budget, and its timeout ends a request wherever it is.
func TestProfileRetriesAndTimesOut(t *testing.T) {
	half := service.Fault{Name: "half", Share: 0.5, Effect: service.Effect{Status: 503}}
	slow := service.Fault{Name: "slow", Effect: service.Effect{AddLatency: &service.Latency{P50: time.Second,
		P99: time.Second}}}
	for name, c := range map[string]struct {
		fault service.Fault
		route mesh.ProfileRoute
		down  bool
		check func(loadgen.Outcome) bool
	}{
		"retries": {half, mesh.ProfileRoute{Retryable: true}, false,
			func(o loadgen.Outcome) bool { return o.Status == 200 }},
		"other failures": {half, mesh.ProfileRoute{Retryable: true, Failure: func(int) bool { return false }}, false,
			func(o loadgen.Outcome) bool { return o.Status == 200 || o.Latency < time.Second }},
		"times out": {slow, mesh.ProfileRoute{Timeout: 300 * time.Millisecond}, false,
			func(o loadgen.Outcome) bool { return o.Status == 502 && o.Latency < 600*time.Millisecond }},
		"times out while it waits": {slow, mesh.ProfileRoute{Timeout: 300 * time.Millisecond}, true,
			func(o loadgen.Outcome) bool { return o.Status == 502 && o.Latency < 600*time.Millisecond }},
	} {
		failed := 0
		s, got := outcomes(t, func(w *loadgen.Workload) {
			w.Rate.Constant = 10 // the budget of 10 retries a second is not used up
			w.Routes = w.Routes[:1]
			for i := range w.Cohorts {
				w.Cohorts[i].Mix = map[string]float64{"home": 1}
			}
		}, func(s *shop) {
			s.canary(c.fault)
			profiled(s, c.route, split(100)[1:]...)
			if c.down {
				s.SetUnready("backend-0")
			}
		})
		for _, o := range got {
			if !c.check(o) {
				t.Fatalf("%s: %+v", name, o)
			}
			if o.Status != 200 {
				failed++
			}
		}
		attempts := s.series("__name__", "route_actual_request_total", "rt_route", "all") - float64(len(got))
		retryable := s.series("__name__", "route_retryable_total", "rt_route", "all")
		retries := name == "retries"
		if attempts != retryable || (retryable > 0) != retries || (failed > 0) == retries {
			t.Errorf("%s: %d of %d requests failed, %g retries, %g to be retried", name, failed, len(got), attempts,
				retryable)
		}
	}
}
