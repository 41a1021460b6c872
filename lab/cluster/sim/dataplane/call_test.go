package dataplane_test

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/event"
	"coalmine/lab/mesh"
	"coalmine/lab/service"
)

// chain plays a backend that calls a stock service, whose work is described, for 40 s of traffic and
// up to the last response.
func chain(t *testing.T, call service.Call, stock service.Behaviour, version string,
	change func(*shop)) (*shop, event.Cell) {
	t.Helper()
	s := open(t, nil)
	s.RemovePod("backend-primary-0")
	s.RemovePod("backend-primary-1")
	s.SetServices(append(services(), dataplane.Service{Name: "stock", Namespace: "develop",
		Selector: map[string]string{"app": "stock"}, Port: 80, TargetPort: 8080}))
	b := backend()
	b.Routes[""] = service.RouteBehaviour{Latency: latency(time.Millisecond, time.Millisecond), Calls: "stock",
		Call: call}
	s.add("backend-primary-9", "backend-primary", "backend", version, "primary", b)
	s.add("stock-0", "stock", "stock", "v1", "", stock)
	if change != nil {
		change(s)
	}
	s.Advance(40 * time.Second)
	s.StopTraffic()
	s.Advance(5 * time.Minute)
	if !s.Finished() {
		t.Error("the traffic is not over")
	}
	return s, sum(s.Cells())
}

func (s *shop) attemptsAt(deployment string) float64 {
	return s.series("__name__", "request_total", "direction", "inbound", "deployment", deployment)
}

func about(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 5*math.Sqrt(want)+1 {
		t.Errorf("%s: %g, want about %g", what, got, want)
	}
}

// Each attempt is slower than the timeout with chance q, independently: there are 1+q+q² of them, and
// all three fail with chance q³.
func TestTimeoutsOfCallsAgreeWithGeometricSeries(t *testing.T) {
	times := latency(20*time.Millisecond, 200*time.Millisecond)
	stock := service.Behaviour{Routes: map[string]service.RouteBehaviour{"": {Latency: times}}}
	const q = 0.24187 // P(X > 40 ms) of this lognormal distribution: 1 - Φ(2.3263 log10 2)
	s, got := chain(t, service.Call{Timeout: 40 * time.Millisecond, Retries: 2, Backoff: time.Millisecond}, stock,
		"v2", nil)
	n := float64(got.N)
	about(t, "attempts at the stock", s.attemptsAt("stock"), n*(1+q+q*q))
	about(t, "errors", float64(got.Errors), n*q*q*q)
	about(t, "requests hit", float64(got.Hit), n*q)
	if got.Harm != got.Errors {
		t.Errorf("%d errors, %d of them harm: the timeouts are the version's doing", got.Errors, got.Harm)
	}
	effect := event.MeshEffect{}
	for _, m := range s.MeshEffects() {
		if m.Service == "stock" {
			effect = effect.Plus(m)
		}
	}
	again := s.attemptsAt("stock") - n
	about(t, "attempts given up", float64(effect.GivenUp), again+float64(got.Errors))
	if effect.Repeated != int(again) || effect.Attempts != int(s.attemptsAt("stock")) || effect.TimedOut != 0 {
		t.Errorf("effects %+v, %g attempts for %g requests", effect, s.attemptsAt("stock"), n)
	}
	if left := s.MeshEffects(); len(left) > 0 {
		t.Errorf("counted again: %+v", left)
	}
	// The pod works on every attempt to its end, and nobody gets the answers of some.
	worked := s.series("__name__", "app_http_requests_total", "job", "stock")
	answered := s.series("__name__", "response_total", "direction", "outbound", "deployment", "backend-primary")
	about(t, "attempts answered", answered, n-float64(got.Errors))
	if worked != s.attemptsAt("stock") {
		t.Errorf("the stock worked on %g of %g attempts", worked, s.attemptsAt("stock"))
	}
}

// The version that ran before the release is at no fault for its timeouts.
func TestTimeoutsOfTheBaselineAreNoFault(t *testing.T) {
	_, got := chain(t, service.Call{Timeout: 5 * time.Millisecond}, backend(), "v1", nil)
	if got.Errors == 0 || got.Hit != 0 || got.Harm != 0 {
		t.Errorf("%+v: want errors that are no harm", got)
	}
}

func TestCountShareAndOptionalCalls(t *testing.T) {
	failing := backend()
	failing.Routes[""] = service.RouteBehaviour{ErrorRate: 0.2}
	for what, x := range map[string]struct {
		call             service.Call
		attempts, errors float64 // by request
	}{
		"three in a row":         {service.Call{Count: 3}, 1 + 0.8 + 0.64, 1 - 0.512},
		"a third of them":        {service.Call{Share: 0.3}, 0.3, 0.06},
		"optional":               {service.Call{Optional: true}, 1, 0},
		"retried":                {service.Call{Retries: 1}, 1.2, 0.04},
		"two, each with a retry": {service.Call{Count: 2, Retries: 1}, 1.2 * (1 + 0.96), 1 - 0.96*0.96},
	} {
		t.Run(what, func(t *testing.T) {
			s, got := chain(t, x.call, failing, "v1", nil)
			about(t, "attempts", s.attemptsAt("stock"), float64(got.N)*x.attempts)
			about(t, "errors", float64(got.Errors), float64(got.N)*x.errors)
		})
	}
}

// A dependency that is loaded to 60 % stands as long as its callers wait for it. Callers that give up
// and try again triple its load, and it falls.
func TestRetriesMeltADependency(t *testing.T) {
	stock := backend()
	stock.Routes[""] = service.RouteBehaviour{Latency: latency(20*time.Millisecond, 100*time.Millisecond)}
	stock.Capacity = service.Capacity{Concurrency: 9, Queue: 60} // 200 requests of 25 ms each: 5 are busy
	_, patient := chain(t, service.Call{}, stock, "v2", nil)
	storm := service.Call{Timeout: 40 * time.Millisecond, Retries: 3}
	s, got := chain(t, storm, stock, "v2", nil)
	if patient.Errors != 0 {
		t.Errorf("%d errors without timeouts", patient.Errors)
	}
	if got.Errors < got.N/2 || s.attemptsAt("stock") < 3*float64(got.N) {
		t.Errorf("%d of %d requests failed, %g attempts: want a storm", got.Errors, got.N, s.attemptsAt("stock"))
	}
	if got.Harm < got.Errors*99/100 {
		t.Errorf("%d errors, %d of them harm", got.Errors, got.Harm)
	}
	// Linkerd's retries do the same to an application that has none.
	_, meshed := chain(t, service.Call{}, stock, "v1", func(s *shop) {
		s.SetServices(append(services(), dataplane.Service{Name: "stock", Namespace: "develop",
			Selector: map[string]string{"app": "stock"}, Port: 80, TargetPort: 8080, Policy: mesh.ServicePolicy{
				Retry: &mesh.Retry{Limit: 3, Timeout: 40 * time.Millisecond}}}))
	})
	if meshed.Errors == 0 && meshed.Slow == 0 {
		t.Errorf("%+v: want a storm by the retries of the mesh", meshed)
	}
}

// A request whose process ends is sent again by its client's proxy, and nothing that was due of the
// first attempt comes to the second.
func TestRetryAfterACrash(t *testing.T) {
	leak := service.Fault{Name: "leak", Share: 0.05, Effect: service.Effect{GrowMemory: 50}}
	b := backend(leak)
	b.Memory = service.Memory{Base: 10, Limit: 100}
	retry := &mesh.Retry{Limit: 2, Statuses: []mesh.StatusRange{{First: 500, Last: 599}}}
	s := open(t, nil)
	list := services()
	list[1].Policy.Retry = retry
	s.SetServices(list)
	s.RemovePod("backend-primary-0")
	s.AddPod(s.pod("backend-primary-7", "backend-primary", "backend", "v2", "primary", b))
	for at := time.Duration(0); at < 30*time.Second; at += 500 * time.Millisecond {
		s.SetReady("backend-primary-7", at)
		s.Advance(at)
		s.OOMKilled()
	}
	s.StopTraffic()
	s.Advance(2 * time.Minute)
	if got := sum(s.Cells()); !s.Finished() || got.ProxyRetried == 0 {
		t.Errorf("finished %v, %+v", s.Finished(), got)
	}
}

// A second hop sees what the first sends on: an experiment whose cookie is dropped on the way ends at
// the first hop, and a header that is sent on takes the cohort through.
func TestHeadersOnTheSecondHop(t *testing.T) {
	for what, x := range map[string]struct {
		drop []string
		// sees are the cohorts that the second hop tells apart.
		insider, mobile bool
	}{
		"all are sent on":   {nil, true, true},
		"cookies are not":   {[]string{"cookie"}, false, true},
		"a header is not":   {[]string{"X-Device"}, true, false},
		"neither is passed": {[]string{"Cookie", "x-device"}, false, false},
	} {
		t.Run(what, func(t *testing.T) {
			s := open(t, nil)
			front := frontend()
			front.Routes[""] = service.RouteBehaviour{Calls: "backend", Call: service.Call{DropHeaders: x.drop}}
			s.RemovePod("frontend-0")
			s.RemovePod("frontend-1")
			s.add("frontend-9", "frontend", "frontend", "v1", "", front)
			// A fault that looks at the cookie is hit by what was sent, too.
			s.canary(service.Fault{Name: "insiders", Effect: service.Effect{Status: 500},
				When: service.When{Cookie: &service.NameMatch{Name: "type", Value: "insider"}}})
			s.route(
				mesh.Rule{Matches: []mesh.Match{
					{Headers: []mesh.ValueMatch{{Name: "x-device", Value: "mobile"}}},
					{Headers: []mesh.ValueMatch{{Name: "cookie", Value: ".*type=insider.*", Regex: true}}},
				}, Backends: split(100)},
				mesh.Rule{Backends: split(0)},
			)
			s.Advance(20 * time.Second)
			canary := map[string]int{}
			failed := 0
			for _, c := range s.Cells() {
				if c.Workload == "canary" {
					canary[c.Cohort] += c.N
					failed += c.Errors
				}
			}
			if canary["insider"] > 0 != x.insider || canary["mobile"] > 0 != x.mobile || canary["regular"] > 0 {
				t.Errorf("the canary got %v", canary)
			}
			if failed > 0 != x.insider {
				t.Errorf("%d failed: the fault has to look at what was sent", failed)
			}
		})
	}
}

// A caller outside the mesh, and one whose call waits for an endpoint, give up as well.
func TestTimeoutsWithoutEndpoint(t *testing.T) {
	call := service.Call{Timeout: 50 * time.Millisecond, Retries: 1}
	for _, meshed := range []bool{true, false} {
		_, got := chain(t, call, backend(), "v1", func(s *shop) {
			s.RemovePod("stock-0")
			s.RemovePod("backend-primary-9")
			b := backend()
			b.Routes[""] = service.RouteBehaviour{Calls: "stock", Call: call}
			p := s.pod("backend-primary-8", "backend-primary", "backend", "v1", "primary", b)
			p.Meshed, p.Addr = meshed, netip.AddrFrom4([4]byte{10, 42, 9, 9})
			s.AddPod(p)
			s.SetReady(p.Name, s.Now())
		})
		if got.Errors != got.N || got.N == 0 {
			t.Errorf("meshed %v: %+v", meshed, got)
		}
		if got.Slow > got.N/100 { // those who wait less than 250 ms gave up in time
			t.Errorf("meshed %v: %d of %d requests waited", meshed, got.Slow, got.N)
		}
	}
}
