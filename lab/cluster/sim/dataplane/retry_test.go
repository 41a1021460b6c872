package dataplane_test

import (
	"math"
	"testing"
	"time"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/event"
	"coalmine/lab/service"
	"coalmine/loadgen"
)

// patient returns a retry policy of three attempts.
func patient() *loadgen.Retry {
	return &loadgen.Retry{Attempts: 3, Base: 50 * time.Millisecond, Max: time.Second, Jitter: 0.5}
}

// impatient makes some users retry and some read slowly.
func impatient(w *loadgen.Workload, _ *dataplane.Config) {
	for i := range w.Cohorts {
		if i%2 == 0 {
			w.Cohorts[i].Retry = patient()
		}
		if i%3 == 0 {
			w.Cohorts[i].Bandwidth = 100_000
		}
	}
}

// attempts plays a shop whose canary fails three fifths of its requests, most of them by its fault,
// for 20 s and up to the last response. It returns the outcomes of the attempts at each request.
func attempts(t *testing.T, retry *loadgen.Retry) (*shop, event.Cell, map[uint64][]loadgen.Outcome) {
	got := map[uint64][]loadgen.Outcome{}
	last := time.Duration(0)
	s := open(t, func(w *loadgen.Workload, c *dataplane.Config) {
		for i := range w.Cohorts {
			w.Cohorts[i].Retry = retry
		}
		c.OnAttempt = func(o *loadgen.Outcome) {
			if o.Done() < last {
				t.Errorf("an attempt that ended at %v was reported after one that ended at %v", o.Done(), last)
			}
			last = o.Done()
			got[o.Arrival.Seq] = append(got[o.Arrival.Seq], *o)
		}
	})
	b := backend(service.Fault{Name: "half", Share: 0.5, Effect: service.Effect{Status: 503}})
	b.Routes[""] = service.RouteBehaviour{Latency: b.Routes[""].Latency, ErrorRate: 0.2}
	s.add("backend-0", "backend", "backend", "v2", "canary", b)
	s.weigh(50)
	s.StartTraffic(7 * time.Second) // the times of outcomes count from here
	s.Advance(27 * time.Second)
	s.StopTraffic()
	s.Advance(time.Minute)
	if !s.Finished() {
		t.Error("the traffic is not over")
	}
	return s, sum(s.Cells()), got
}

func TestRetriesHideErrorsFromUsersButNotFromTheMesh(t *testing.T) {
	_, without, _ := attempts(t, nil)
	s, with, _ := attempts(t, patient())
	n := float64(with.N)
	if with.N != without.N || without.Retried != 0 {
		t.Fatalf("with %+v, without %+v", with, without)
	}
	// Three tenths of the attempts fail; each is routed independently.
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"errors without retries", float64(without.Errors), n * 0.3}, {"errors", float64(with.Errors), n * 0.027},
		{"retries", float64(with.Retried), n * (0.3 + 0.09)},
	} {
		if math.Abs(c.got-c.want) > 5*math.Sqrt(c.want) {
			t.Errorf("%s: %g, want about %g", c.what, c.got, c.want)
		}
	}
	totals := s.Totals()
	if totals.Planned != with.N || totals.Answered != with.N || totals.Open != 0 || totals.Retries != with.Retried {
		t.Errorf("totals %+v, cells %+v", totals, with)
	}
	// Gates ask for what users got.
	recent := 0
	for _, r := range s.Recent(2 * time.Minute) {
		recent += r.N
	}
	if recent != with.N {
		t.Errorf("%d recent requests of %d", recent, with.N)
	}
	// The mesh and the services count each attempt as a request, and each failure.
	attempts, failed := float64(with.N+with.Retried), float64(with.Errors+with.Retried)
	for what, c := range map[string][2]float64{
		"requests to the frontend": {s.series("__name__", "response_total", "direction", "inbound", "deployment",
			"frontend"), attempts},
		"answers of the frontend": {s.series("__name__", "app_http_requests_total", "job", "frontend"), attempts},
		"failures of the backend": {s.series("__name__", "response_total", "direction", "inbound", "classification",
			"failure", "deployment", "backend"), failed},
		"failures for the users": {s.series("__name__", "response_total", "direction", "outbound", "status_code",
			"502", "deployment", "web"), failed},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %g, want %g", what, c[0], c[1])
		}
	}
}

func TestAttemptsOfARequest(t *testing.T) {
	_, all, got := attempts(t, patient())
	moved, hit := 0, 0
	for seq, list := range got {
		struck := false
		for i, o := range list {
			final := i == len(list)-1
			if o.Attempt != i || o.Final != final || o.Arrival != list[0].Arrival || !final &&
				(o.Status != 502 || i == 2) {
				t.Fatalf("request %d: attempt %d of %d: %+v", seq, i+1, len(list), o)
			}
			if o.Sent != o.Intended || i == 0 && o.Sent != o.Arrival.At || o.Arrival.At > 20*time.Second ||
				o.Done() < o.Sent {
				t.Fatalf("request %d: %+v", seq, o)
			}
			if i > 0 {
				// Half of the 50 ms, which double each time, is jitter.
				wait := o.Sent - list[i-1].Done()
				if full := 50 * time.Millisecond << (i - 1); wait < full/2 || wait > full {
					t.Fatalf("request %d: attempt %d after %v", seq, i+1, wait)
				}
				if o.Version != list[i-1].Version {
					moved++
				}
			}
			struck = struck || o.Hit
		}
		if struck {
			hit++
		}
	}
	if len(got) != all.N || hit != all.Hit {
		t.Errorf("%d requests reported, %d of them hit; cells %+v", len(got), hit, all)
	}
	if moved < all.Retried/3 || moved > all.Retried*2/3 {
		t.Errorf("%d of %d retries went to the other version", moved, all.Retried)
	}
}

// A failing service receives three times the requests, unless a budget limits retries.
func TestBudgetLimitsARetryStorm(t *testing.T) {
	storm := func(budget *loadgen.Budget) (event.TrafficTotals, float64) {
		retry := patient()
		retry.Budget = budget
		s := open(t, func(w *loadgen.Workload, _ *dataplane.Config) {
			for i := range w.Cohorts {
				w.Cohorts[i].Retry = retry
			}
		})
		s.RemovePod("backend-primary-0")
		s.RemovePod("backend-primary-1")
		s.add("backend-primary-9", "backend-primary", "backend", "v1", "primary",
			backend(service.Fault{Name: "down", Effect: service.Effect{Status: 500}}))
		s.Advance(30 * time.Second)
		return s.Totals(), s.series("__name__", "request_total", "direction", "inbound", "deployment", "frontend")
	}
	all, asked := storm(nil)
	if want := 2 * float64(all.Planned); math.Abs(float64(all.Retries)-want) > 0.02*want ||
		asked != float64(all.Planned+all.Retries) {
		t.Errorf("without a budget %+v, %g requested", all, asked)
	}
	bound, asked := storm(&loadgen.Budget{Ratio: 0.2, TTL: 10 * time.Second})
	if want := 0.2 * float64(bound.Planned); math.Abs(float64(bound.Retries)-want) > 0.1*want ||
		asked != float64(bound.Planned+bound.Retries) {
		t.Errorf("with a budget of a fifth %+v, %g requested", bound, asked)
	}
}

// A request that waits for its next attempt counts as open.
func TestPendingRetriesAreOpen(t *testing.T) {
	s := open(t, func(w *loadgen.Workload, _ *dataplane.Config) {
		for i := range w.Cohorts {
			w.Cohorts[i].Retry = &loadgen.Retry{Attempts: 2, Base: time.Minute, Max: time.Minute}
		}
	})
	s.canary(service.Fault{Name: "half", Share: 0.5, Effect: service.Effect{Status: 503}})
	s.weigh(50)
	s.Advance(10 * time.Second)
	s.StopTraffic()
	s.Advance(20 * time.Second)
	cells, totals := sum(s.Cells()), s.Totals()
	if totals.Open != cells.Retried || totals.Open == 0 || totals.Answered != cells.N || totals.Retries != 0 ||
		s.Finished() {
		t.Errorf("%+v, cells %+v", totals, cells)
	}
	s.Advance(80 * time.Second)
	after, totals := sum(s.Cells()), s.Totals()
	if after.N != cells.Retried || totals.Open != 0 || totals.Retries != cells.Retried || !s.Finished() ||
		after.Slow != after.N {
		t.Errorf("%+v, cells %+v", totals, after)
	}
}

// An attempt must not inherit the wait timeout or the parking place of the one before.
func TestAttemptsWaitIndependently(t *testing.T) {
	var got []loadgen.Outcome
	s := open(t, func(w *loadgen.Workload, c *dataplane.Config) {
		for i := range w.Cohorts {
			w.Cohorts[i].Retry = &loadgen.Retry{Attempts: 3, Base: time.Second, Max: time.Second}
		}
		c.OnAttempt = func(o *loadgen.Outcome) { got = append(got, *o) }
	})
	down := service.Fault{Name: "down", Effect: service.Effect{Status: 503}}
	pods := []string{"frontend-0", "frontend-1"}
	for _, name := range pods {
		s.RemovePod(name)
	}
	s.AddPod(s.pod("frontend-2", "frontend", "frontend", "v1", "", backend(down)))
	s.Advance(time.Second)
	s.StopTraffic()
	// First attempts wait, then fail at once. Second ones wait for their three seconds. Third ones
	// arrive when the proxy fails fast no more.
	s.SetReady("frontend-2", s.Now())
	s.Advance(1500 * time.Millisecond)
	s.SetUnready("frontend-2")
	s.Advance(5500 * time.Millisecond)
	s.SetReady("frontend-2", s.Now())
	s.Advance(time.Minute)
	totals := s.Totals()
	if totals.Open != 0 || len(got) != 3*totals.Planned {
		t.Fatalf("%d attempts, %+v", len(got), totals)
	}
	for _, o := range got {
		took := o.Done() - o.Sent
		waited := took >= 3*time.Second
		if o.Attempt != 1 && (o.Status != 503 || waited) || o.Attempt == 1 && o.Status == 504 &&
			o.Done() < 5*time.Second-500*time.Millisecond {
			t.Fatalf("attempt took %v: %+v", took, o)
		}
	}
}
