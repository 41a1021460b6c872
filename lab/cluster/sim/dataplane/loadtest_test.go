package dataplane_test

import (
	"reflect"
	"testing"
	"time"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/service"
)

// loaded is a shop whose canary has no users and gets a load test; step is how it is advanced.
func loaded(t *testing.T, step time.Duration, tests ...dataplane.LoadTest) (*shop, []dataplane.LoadResult) {
	t.Helper()
	s := open(t, nil)
	s.add("backend-0", "backend", "backend", "v2", "backend", backend(service.Fault{Name: "all", Share: 0.5,
		Effect: service.Effect{Status: 500}}))
	s.weigh(0)
	s.Advance(10 * time.Second)
	for i, l := range tests {
		l.Client = dataplane.Client{Name: "loadtester", Namespace: "test", ServiceAccount: "default"}
		l.Service, l.Method, l.Path = "backend-canary", "GET", "/"
		if started := s.StartLoad(l, s.Now()); started != (i == 0) {
			t.Errorf("load test %d started: %v; the first of a name runs alone", i, started)
		}
	}
	for s.Now() < 90*time.Second {
		s.Advance(s.Now() + step)
	}
	return s, s.LoadResults()
}

func TestLoadTest(t *testing.T) {
	load := dataplane.LoadTest{Name: "load", Workers: 2, Rate: 10, Duration: time.Minute,
		Then: []dataplane.LoadTest{{Name: "then", Client: dataplane.Client{Name: "loadtester"}, Workers: 1,
			Requests: 50, Service: "frontend", Method: "GET", Path: "/none"}}}
	s, got := loaded(t, time.Second, load, load)
	if len(got) != 2 {
		t.Fatalf("got the results %+v", got)
	}
	first, then := got[0], got[1]
	if first.From != 10*time.Second+100*time.Millisecond || first.To-first.From != time.Minute {
		t.Errorf("it ran from %v to %v", first.From, first.To)
	}
	if first.Sent < 1190 || first.Sent > 1200 || first.Answered < first.Sent-2 || first.Canary != first.Answered {
		t.Errorf("got %+v, want 20 requests per second, all answered by the canary", first)
	}
	if share := float64(first.Failed) / float64(first.Answered); share < 0.45 || share > 0.55 {
		t.Errorf("%.0f %% failed; a fault of all requests hits half of them", 100*share)
	}
	if then.Sent != 50 || then.Failed != 0 || then.Canary != 0 || then.From < first.To {
		t.Errorf("got %+v, want 50 requests to the frontend after the first load test", then)
	}
	inbound := s.series("__name__", "response_total", "direction", "inbound", "deployment", "backend")
	if inbound != float64(first.Answered) {
		t.Errorf("the canary's proxy counted %v responses of %d", inbound, first.Answered)
	}
	if n := s.series("__name__", "app_http_requests_total", "cohort", "load-tester"); n < inbound {
		t.Errorf("the services counted %v requests of the load tester", n)
	}
}

func TestLoadTestsAreNoUsers(t *testing.T) {
	without, _ := loaded(t, time.Second)
	with, _ := loaded(t, time.Second, dataplane.LoadTest{Name: "load", Workers: 4, Rate: 10, Duration: time.Minute})
	a, b := without.Totals(), with.Totals()
	if a.Planned != b.Planned || !reflect.DeepEqual(a.Users, b.Users) {
		t.Errorf("with a load test users are %+v, without %+v", b, a)
	}
	n := sum(only(with.Cells(), onCanary)).N
	if n != 0 || len(with.Recent(time.Minute)) != len(without.Recent(time.Minute)) {
		t.Errorf("%d requests of users were answered by a canary without weight", n)
	}
}

func TestLoadTestDoesNotDependOnSlices(t *testing.T) {
	load := dataplane.LoadTest{Name: "load", Workers: 3, Duration: 20 * time.Second}
	_, a := loaded(t, time.Second, load)
	_, b := loaded(t, 77*time.Millisecond, load)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("got %+v and %+v", a, b)
	}
	if len(a) != 1 || a[0].Sent < 1000 || a[0].Sent > 10_000 {
		t.Errorf("three workers without a rate sent %+v, want as many as are answered, up to 500/s", a)
	}
}

func TestStoppedTrafficEndsLoadTests(t *testing.T) {
	s := open(t, nil)
	s.Advance(time.Second)
	s.StartLoad(dataplane.LoadTest{Name: "load", Service: "frontend", Method: "GET", Path: "/", Workers: 1, Rate: 5,
		Duration: time.Hour, Client: dataplane.Client{Name: "loadtester", Unmeshed: true}}, s.Now())
	s.Advance(11 * time.Second)
	s.StopTraffic()
	got := s.LoadResults()
	if len(got) != 1 || got[0].Sent < 45 || got[0].Sent > 50 || got[0].To != 11*time.Second {
		t.Errorf("got %+v", got)
	}
	s.Advance(20 * time.Second)
	if more := s.LoadResults(); len(more) != 0 {
		t.Errorf("it ended twice: %+v", more)
	}
}
