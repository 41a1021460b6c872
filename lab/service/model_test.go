package service_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"coalmine/lab/service"
)

// words is a vocabulary in which odd users of cohort "web" have the cookie plan=gold, and "beta"
// users send X-Beta.
func words() service.Vocabulary {
	return service.Vocabulary{
		Routes:  []string{"home", "cart", "pay"},
		Cohorts: []string{"web", "beta", "bots"},
		Header: func(cohort uint16, user uint32, name string) string {
			if cohort == 1 && name == "X-Beta" {
				return "yes"
			}
			return ""
		},
		Cookie: func(cohort uint16, user uint32, name string) string {
			if cohort == 0 && name == "plan" {
				return []string{"silver", "gold"}[user%2]
			}
			return ""
		},
		PerUser: func(cohort uint16) bool { return cohort == 0 },
	}
}

const (
	home, cart, pay = 0, 1, 2
	web, beta, bots = 0, 1, 2
)

// healthy serves every route in the same way.
func healthy() service.Behaviour {
	return service.Behaviour{Routes: map[string]service.RouteBehaviour{
		"": {Latency: service.Latency{P50: 20 * time.Millisecond, P99: 200 * time.Millisecond}},
	}}
}

func withFaults(faults ...service.Fault) service.Behaviour {
	b := healthy()
	b.Faults = faults
	return b
}

func compile(t testing.TB, b service.Behaviour) *service.Model {
	t.Helper()
	m, err := service.Compile(b, words(), 42)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// within fails unless a count of n trials with probability p is within five standard deviations.
func within(t testing.TB, what string, count, n int, p float64) {
	t.Helper()
	mean, deviation := float64(n)*p, math.Sqrt(float64(n)*p*(1-p))
	if math.Abs(float64(count)-mean) > 5*deviation {
		t.Errorf("%s: %d of %d, want %.0f ± %.0f", what, count, n, mean, 5*deviation)
	}
}

// hits returns how many of n requests are hit.
func hits(m *service.Model, n int, r service.Request, s service.State) int {
	count := 0
	for r.Seq = range uint64(n) {
		if m.Begin(r, s).Hit {
			count++
		}
	}
	return count
}

func TestLatencyQuantiles(t *testing.T) {
	const n = 200_000
	m := compile(t, healthy())
	times := make([]time.Duration, n)
	for i := range times {
		times[i] = m.Begin(service.Request{Seq: uint64(i)}, service.State{}).Before
	}
	slices.Sort(times)
	// The standard error of the sample quantile of a lognormal distribution is
	// σ·sqrt(p(1-p)/n)/φ(z), relatively: 0.3 % for p50 and 0.8 % for p99 here.
	for q, want := range map[float64]time.Duration{0.5: 20 * time.Millisecond, 0.99: 200 * time.Millisecond} {
		got := times[int(q*n)]
		if math.Abs(float64(got)/float64(want)-1) > 0.03 {
			t.Errorf("%g-quantile %v, want %v", q, got, want)
		}
	}
}

func TestErrorRate(t *testing.T) {
	const n = 100_000
	b := healthy()
	b.Routes["pay"] = service.RouteBehaviour{ErrorRate: 0.02}
	m, failed := compile(t, b), 0
	for i := range uint64(n) {
		w := m.Begin(service.Request{Seq: i, Route: pay}, service.State{})
		if w.Status == 500 {
			failed++
		}
		if w.Hit {
			t.Fatal("an error without a fault counts as hit")
		}
	}
	within(t, "errors", failed, n, 0.02)
}

func TestAnswerSize(t *testing.T) {
	b := healthy()
	b.Routes["pay"] = service.RouteBehaviour{Size: service.MaxSize}
	m := compile(t, b)
	for route, want := range map[uint16]int{home: service.DefaultSize, pay: service.MaxSize} {
		if got := m.Begin(service.Request{Route: route}, service.State{}).Size; got != want {
			t.Errorf("route %d: %d bytes, want %d", route, got, want)
		}
	}
}

func TestFaultShare(t *testing.T) {
	const n = 50_000
	m := compile(t, withFaults(service.Fault{
		Name: "pay breaks", Share: 0.1, Effect: service.Effect{Status: 503},
		When: service.When{Routes: []string{"pay", "cart"}, Cohorts: []string{"beta"}},
	}))
	for route := range uint16(3) {
		for cohort := range uint16(3) {
			share := 0.0
			if route != home && cohort == beta {
				share = 0.1
			}
			within(t, "hits", hits(m, n, service.Request{Route: route, Cohort: cohort}, service.State{}), n, share)
		}
	}
}

func TestUsersShareIsStable(t *testing.T) {
	const users = 20_000
	m := compile(t, withFaults(service.Fault{Name: "x", When: service.When{Users: 0.25},
		Effect: service.Effect{Status: 500}}))
	affected := 0
	for user := range uint32(users) {
		n := hits(m, 5, service.Request{User: user}, service.State{})
		if n != 0 && n != 5 {
			t.Fatalf("user %d is hit %d times out of 5", user, n)
		}
		affected += n / 5
	}
	within(t, "affected users", affected, users, 0.25)
}

func TestStateConditions(t *testing.T) {
	cases := map[string]struct {
		when    service.When
		out, in service.State
	}{
		"load": {service.When{Load: 10}, service.State{InWork: 9}, service.State{InWork: 10}},
		"uptime": {service.When{Uptime: time.Minute}, service.State{Uptime: time.Minute - 1},
			service.State{Uptime: time.Minute}},
		"weight": {service.When{Weight: 50}, service.State{Weight: 49.9}, service.State{Weight: 50}},
	}
	for name, c := range cases {
		m := compile(t, withFaults(service.Fault{Name: name, When: c.when, Effect: service.Effect{Status: 500}}))
		if n := hits(m, 100, service.Request{}, c.out); n != 0 {
			t.Errorf("%s: %d hits under the threshold", name, n)
		}
		if n := hits(m, 100, service.Request{}, c.in); n != 100 {
			t.Errorf("%s: %d hits of 100 at the threshold", name, n)
		}
	}
}

func TestWarmUpFallsLinearly(t *testing.T) {
	b := healthy()
	b.Routes[""] = service.RouteBehaviour{Latency: service.Latency{P50: time.Second, P99: time.Second}}
	b.WarmUp = service.WarmUp{For: 10 * time.Second, Factor: 5}
	m := compile(t, b)
	for uptime, want := range map[time.Duration]time.Duration{
		-time.Second: 5 * time.Second, 0: 5 * time.Second, 5 * time.Second: 3 * time.Second,
		10 * time.Second: time.Second,
		time.Hour:        time.Second,
	} {
		if got := m.Begin(service.Request{}, service.State{Uptime: uptime}).Before; got != want {
			t.Errorf("at %v: %v, want %v", uptime, got, want)
		}
	}
}

func TestEffectsStackInOrder(t *testing.T) {
	b := withFaults(
		service.Fault{Name: "a", Effect: service.Effect{Status: 500, MultiplyLatency: 3, Hold: time.Second,
			GrowMemory: 1}},
		service.Fault{Name: "b", Effect: service.Effect{AddLatency: &service.Latency{P50: time.Second,
			P99: time.Second}, Hold: time.Second}},
		service.Fault{Name: "c", Effect: service.Effect{WrongBody: true, MultiplyLatency: 2, GrowMemory: 0.5}},
	)
	b.Routes[""] = service.RouteBehaviour{
		Latency:   service.Latency{P50: time.Second, P99: time.Second},
		Datastore: service.Latency{P50: time.Minute, P99: time.Minute},
		Calls:     "stock",
	}
	got := compile(t, b).Begin(service.Request{}, service.State{})
	// Own time is (1·3 + 1)·2 = 8 s, half of it after the call.
	want := service.Work{
		Before: time.Minute + 4*time.Second, After: 4 * time.Second, Calls: "stock", Status: 200,
		Wrong: true, Hit: true,
		Size: service.DefaultSize, Hold: 2 * time.Second, Grow: 1.5,
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	b.Faults = []service.Fault{b.Faults[2], b.Faults[0]}
	if w := compile(t, b).Begin(service.Request{}, service.State{}); w.Wrong || w.Status != 500 {
		t.Errorf("a later status leaves %d, wrong %t", w.Status, w.Wrong)
	}
}

func TestAttemptsDrawIndependently(t *testing.T) {
	const n = 50_000
	m := compile(t, withFaults(service.Fault{Name: "x", Share: 0.3, Effect: service.Effect{Status: 500}}))
	both := 0
	for i := range uint64(n) {
		if m.Begin(service.Request{Seq: i}, service.State{}).Hit &&
			m.Begin(service.Request{Seq: i, Attempt: 1}, service.State{}).Hit {
			both++
		}
	}
	within(t, "two failures in a row", both, n, 0.09)
}

func TestUnknownRouteIsNotFound(t *testing.T) {
	b := service.Behaviour{Routes: map[string]service.RouteBehaviour{"pay": {}}}
	m := compile(t, b)
	for _, route := range []uint16{home, 999} {
		if w := m.Begin(service.Request{Route: route, Cohort: 999},
			service.State{}); w != (service.Work{Status: 404, Size: service.DefaultSize}) {
			t.Errorf("route %d: %+v", route, w)
		}
	}
}

func TestFaultsAreIndependent(t *testing.T) {
	x := service.Fault{Name: "x", Share: 0.3, Effect: service.Effect{Status: 500}}
	y := service.Fault{Name: "y", Share: 0.3, Effect: service.Effect{GrowMemory: 1}}
	alone, both := compile(t, withFaults(x)), compile(t, withFaults(y, x))
	overlap := 0
	for i := range uint64(10_000) {
		r := service.Request{Seq: i}
		a, b := alone.Begin(r, service.State{}), both.Begin(r, service.State{})
		if a.Status != b.Status || a.Before != b.Before {
			t.Fatalf("request %d: another fault changed %+v to %+v", i, a, b)
		}
		if b.Grow > 0 && b.Status == 500 {
			overlap++
		}
	}
	within(t, "hit by both", overlap, 10_000, 0.09)
}
