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
		Timeouts: mesh.Timeouts{Request: 300 * time.Millisecond},
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
