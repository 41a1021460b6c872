package server_test

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"coalmine/lab/service"
	"coalmine/loadgen/traceheader"
)

// policied starts a released frontend that calls a backend under a policy.
func policied(t *testing.T, backend string, call service.Call) *testService {
	t.Helper()
	b := constant(time.Millisecond)
	b.Routes[""] = service.RouteBehaviour{Calls: "backend", Call: call}
	c := config(t, "frontend", b, newInstantClock(t))
	u, err := url.Parse(backend)
	if err != nil {
		t.Fatal(err)
	}
	c.Upstreams, c.Released = map[string]*url.URL{"backend": u}, true
	return start(t, c)
}

// script is a backend that answers with statuses, one after the other, and keeps what it was sent.
type script struct {
	statuses []int
	mu       sync.Mutex
	got      []http.Header
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, r.Header.Clone())
	w.Header().Set(traceheader.ServedHeader, "backend=v9")
	w.WriteHeader(s.statuses[min(len(s.got), len(s.statuses))-1])
}

func TestCallPolicies(t *testing.T) {
	for what, x := range map[string]struct {
		call          service.Call
		statuses      []int
		want, attempt int
	}{
		"retried":               {service.Call{Retries: 2}, []int{503, 500, 200}, 200, 3},
		"retried in vain":       {service.Call{Retries: 1}, []int{503, 500, 200}, 502, 2},
		"not retried":           {service.Call{Retries: 2}, []int{404}, 502, 1},
		"three calls":           {service.Call{Count: 3}, []int{200}, 200, 3},
		"the second call fails": {service.Call{Count: 3, Retries: 1}, []int{200, 500, 500}, 502, 3},
		"optional":              {service.Call{Optional: true}, []int{500}, 200, 1},
		"limited":               {service.Call{Retries: 2}, []int{429}, 429, 1},
	} {
		t.Run(what, func(t *testing.T) {
			s := &script{statuses: x.statuses}
			front := policied(t, stub(t, s.ServeHTTP), x.call)
			if a := front.ask("GET", "/"); a.status != x.want || len(s.got) != x.attempt {
				t.Errorf("%d after %d attempts, want %d after %d", a.status, len(s.got), x.want, x.attempt)
			}
		})
	}
}

// Attempts draw independently, and say that a release made them. Named headers are not sent on.
func TestHeadersOfCalls(t *testing.T) {
	s := &script{statuses: []int{503, 200}}
	call := service.Call{Retries: 1, DropHeaders: []string{"cookie", "X-Device"}}
	front := policied(t, stub(t, s.ServeHTTP), call)
	mark := traceheader.Request{Seq: 7, Attempt: 1, User: 3, Seed: 5, Cohort: "regular"}
	front.ask("GET", "/", traceheader.RequestHeader+": "+mark.String(), "Cookie: a=b", "X-Device: m", "X-Role: r")
	for i, h := range s.got {
		m, ok := traceheader.Parse(h.Get(traceheader.RequestHeader))
		want := mark
		want.Attempt += int(service.CallDraws(0, uint8(i)))
		if !ok || m != want {
			t.Errorf("attempt %d is marked %+v, want %+v", i, m, want)
		}
		if h.Get("Cookie") != "" || h.Get("X-Device") != "" || h.Get("X-Role") != "r" {
			t.Errorf("attempt %d has the headers %v", i, h)
		}
		if extra := h.Get("Coalmine-Extra") != ""; extra != (i > 0) {
			t.Errorf("attempt %d is extra: %v", i, extra)
		}
	}
}

// A service that is called with a timeout finishes its work, and is busy for as long.
func TestCallsAreFinishedForNobody(t *testing.T) {
	clock := newHandClock(t)
	behind := start(t, config(t, "backend", constant(time.Hour), clock))
	front := policied(t, behind.url, service.Call{Timeout: 300 * time.Millisecond})
	a := <-front.later(context.Background(), "GET", "/")
	if a.status != 502 || a.header.Get(traceheader.FaultHeader) != "frontend/call-timeout" {
		t.Errorf("status %d, faults %q", a.status, a.header.Get(traceheader.FaultHeader))
	}
	clock.await(1)
	behind.awaitMetric(t, "coalmine_app_in_work", "1")
	clock.advance(time.Hour)
	behind.awaitMetric(t, "coalmine_app_in_work", "0")
	// A request that a release repeats is a fault of the release where it lands.
	clock.release()
	if a := behind.ask("GET", "/", "Coalmine-Extra: 1"); a.header.Get(traceheader.FaultHeader) != "backend/extra-call" {
		t.Errorf("faults %q", a.header.Get(traceheader.FaultHeader))
	}
}
