package dataplane_test

import (
	"slices"
	"testing"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/service"
)

func TestFaultsHitAndHarm(t *testing.T) {
	s := open(t, nil)
	s.canary(service.Fault{Name: "wrong", When: service.When{Cohorts: []string{"mobile"}},
		Effect: service.Effect{WrongBody: true}})
	s.weigh(50)
	s.Advance(20 * time.Second)
	cells := s.Cells()
	hurt := sum(only(cells, func(c event.Cell) bool { return onCanary(c) && c.Cohort == "mobile" }))
	all := sum(cells)
	if hurt.N == 0 || hurt.Hit != hurt.N || hurt.Wrong != hurt.N || hurt.Harm != hurt.N || all.Hit != hurt.Hit ||
		all.Errors != 0 {
		t.Errorf("mobile %+v, all %+v", hurt, all)
	}
	if totals := s.Totals(); totals.Hurt["mobile"] == 0 || totals.Hurt["regular"] != 0 {
		t.Errorf("%+v", totals.Hurt)
	}
}

func TestHeldSlotsHitRejectedRequests(t *testing.T) {
	b := backend(service.Fault{Name: "leak", Share: 0.2, Effect: service.Effect{Hold: time.Minute}})
	b.Capacity = service.Capacity{Concurrency: 4, Queue: 2}
	s := open(t, nil)
	s.add("backend-0", "backend", "backend", "v2", "canary", b)
	s.weigh(50)
	s.Advance(30 * time.Second)
	canary := sum(only(s.Cells(), onCanary))
	if canary.Errors < canary.N/2 || canary.Harm < canary.Errors*9/10 {
		t.Errorf("%+v", canary)
	}
}

func TestOOMKilledPodRestarts(t *testing.T) {
	b := backend(service.Fault{Name: "leak", Effect: service.Effect{GrowMemory: 1}})
	b.Memory = service.Memory{Base: 100, Limit: 200}
	s := open(t, nil)
	s.add("backend-0", "backend", "backend", "v2", "canary", b)
	s.weigh(50)
	var killed []string
	for at := time.Second; at < 20*time.Second && len(killed) == 0; at += time.Second {
		s.Advance(at)
		killed = s.OOMKilled()
	}
	if !slices.Equal(killed, []string{"backend-0"}) || s.OOMKilled() != nil {
		t.Fatalf("killed %v", killed)
	}
	if s.series("__name__", "app_http_requests_total", "pod", "backend-0") != 0 {
		t.Error("the counters of the process outlived it")
	}
	crash := sum(only(s.Cells(), onCanary))
	if crash.Errors == 0 || crash.Harm != crash.Errors {
		t.Errorf("%+v", crash)
	}
	now := s.Now()
	s.Advance(now + 4*time.Second) // the canary's share waits for three seconds
	s.Cells()
	s.Advance(now + 5*time.Second)
	if got := sum(s.Cells()); got.Errors != 0 {
		t.Errorf("the primary does not take over: %+v", got)
	}
	s.SetReady("backend-0", s.Now())
	s.Advance(now + 6*time.Second)
	if got := sum(only(s.Cells(), onCanary)).N; got == 0 {
		t.Error("the restarted pod gets nothing")
	}
	s.StopTraffic()
	s.Advance(now + time.Minute)
	if open := s.Totals().Open; open != 0 {
		t.Errorf("%d requests were lost", open)
	}
}

func TestRemovedPodFinishesItsRequests(t *testing.T) {
	s := open(t, nil)
	s.canary()
	s.weigh(50)
	s.Advance(10 * time.Second)
	s.Cells()
	s.RemovePod("backend-0")
	if s.series("pod", "backend-0") != 0 {
		t.Error("the pod is still scraped")
	}
	s.Advance(14 * time.Second) // the share of a Service without pods waits for three seconds
	if got := sum(s.Cells()); got.Errors != got.ByMesh || got.Errors == 0 {
		t.Errorf("requests of the removed pod were lost: %+v", got)
	}
	s.Advance(20 * time.Second)
	if got := sum(s.Cells()); got.Errors != 0 || got.N == 0 {
		t.Errorf("%+v", got)
	}
	s.StopTraffic()
	s.Advance(time.Minute)
	if open := s.Totals().Open; open != 0 || s.series("pod", "backend-0") != 0 {
		t.Errorf("%d open", open)
	}
}
