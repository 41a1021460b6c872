package dataplane_test

import (
	"testing"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/mesh"
	"coalmine/lab/service"
)

// Without retries, timeouts, limits and denials there is nothing to tell, however many attempts.
func TestNoEffects(t *testing.T) {
	s := open(t, nil)
	s.canary()
	s.weigh(50)
	s.Advance(10 * time.Second)
	if got := s.MeshEffects(); len(got) > 0 {
		t.Errorf("%+v", got)
	}
}

// Retries, timeouts and circuit breaking count for the workload whose pod an attempt reached.
func TestEffectsOfRetriesAndTimeouts(t *testing.T) {
	s := open(t, nil)
	list := services()
	list[1].Policy = mesh.ServicePolicy{
		Retry:    &mesh.Retry{Limit: 1, Statuses: []mesh.StatusRange{{First: 500, Last: 599}}},
		Timeouts: mesh.Timeouts{Response: 300 * time.Millisecond},
		Accrual:  &mesh.Accrual{MaxFailures: 3, MinPenalty: time.Second, MaxPenalty: 10 * time.Second},
	}
	s.SetServices(list)
	s.canary(service.Fault{Name: "half", Share: 0.5, Effect: service.Effect{Status: 503}},
		service.Fault{Name: "slow", Share: 0.1, Effect: service.Effect{AddLatency: &service.Latency{
			P50: 600 * time.Millisecond, P99: 600 * time.Millisecond}}})
	s.weigh(50)
	s.Advance(30 * time.Second)
	retried, cells := 0, s.Cells()
	for _, c := range cells {
		retried += c.ProxyRetried
	}
	by := map[string]event.MeshEffect{}
	for _, m := range s.MeshEffects() {
		by[m.Workload] = by[m.Workload].Plus(m)
	}
	canary, primary := by["canary"], by["primary"]
	if canary.Retried == 0 || canary.TimedOut == 0 || canary.Ejected == 0 {
		t.Errorf("canary %+v", canary)
	}
	if primary.Retried > 0 || primary.Ejected > 0 || primary.Attempts == 0 {
		t.Errorf("primary %+v", primary)
	}
	if canary.Retried > retried {
		t.Errorf("%d attempts on the canary were sent again, of %d in all", canary.Retried, retried)
	}
}

// A request that waits for an endpoint is answered after three seconds, however short its timeout is.
func TestTimeoutsDoNotEndTheWait(t *testing.T) {
	s, got := outcomes(t, nil, func(s *shop) {
		limit(s, mesh.ServicePolicy{Timeouts: mesh.Timeouts{Request: 300 * time.Millisecond}})
		s.SetUnready("backend-primary-0")
		s.SetUnready("backend-primary-1")
	})
	waited := 0
	for seq, o := range got {
		if o.Arrival.At < mesh.FailfastAfter {
			waited++
		}
		// Those that came in the first three seconds have waited for the rest of these.
		if wait := max(mesh.FailfastAfter-o.Arrival.At, 0); o.Status != 502 || o.Latency < wait-50*time.Millisecond ||
			o.Latency > wait+time.Second {
			t.Fatalf("request %d: %+v", seq, o)
		}
	}
	if waited == 0 {
		t.Errorf("no request of %d waited", len(got))
	}
	for _, m := range s.MeshEffects() {
		if m.TimedOut > 0 {
			t.Errorf("%+v", m)
		}
	}
}

// A timeout is a failure to the circuit breaker. So are retries that reach an endpoint after the
// request's time is over: they take a healthy version out, and its pods work on none of them.
func TestTimeoutsTripTheBreaker(t *testing.T) {
	slow := service.Fault{Name: "slow", Effect: service.Effect{AddLatency: &service.Latency{P50: time.Second,
		P99: time.Second}}}
	for name, c := range map[string]struct {
		timeouts mesh.Timeouts
		primary  bool
	}{
		"of each attempt":      {mesh.Timeouts{Response: 300 * time.Millisecond}, false},
		"of the whole request": {mesh.Timeouts{Request: 300 * time.Millisecond}, true},
	} {
		s := open(t, nil)
		limit(s, mesh.ServicePolicy{
			Retry:    &mesh.Retry{Limit: 1},
			Timeouts: c.timeouts,
			Accrual:  &mesh.Accrual{MaxFailures: 7, MinPenalty: 10 * time.Second, MaxPenalty: time.Minute},
		})
		s.canary(slow)
		s.weigh(50)
		s.Advance(30 * time.Second)
		by := map[string]event.MeshEffect{}
		for _, m := range s.MeshEffects() {
			by[m.Workload] = by[m.Workload].Plus(m)
		}
		if by["canary"].Ejected == 0 || (by["primary"].Ejected > 0) != c.primary {
			t.Errorf("timeout %s: canary %+v, primary %+v", name, by["canary"], by["primary"])
		}
		inbound := s.series("__name__", "request_total", "direction", "inbound", "deployment", "backend-primary")
		admitted := s.series("__name__", "inbound_http_authz_allow_total", "deployment", "backend-primary")
		if late := admitted - inbound; late != float64(by["primary"].TimedOut) || (late > 0) != c.primary {
			t.Errorf("timeout %s: primary %+v, %g requests came too late", name, by["primary"], late)
		}
	}
}

// limit sets what the backend's Service says to its clients' proxies.
func limit(s *shop, policy mesh.ServicePolicy) {
	list := services()
	list[1].Policy = policy
	s.SetServices(list)
}
