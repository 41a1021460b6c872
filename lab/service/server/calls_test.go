package server_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"coalmine/lab/service"
	"coalmine/lab/service/server"
	"coalmine/loadgen/traceheader"
)

// calling starts a frontend that calls a backend at an address, with a clock that does not wait.
func calling(t *testing.T, backend string) *testService {
	b := constant(time.Millisecond)
	b.Routes[""] = service.RouteBehaviour{Calls: "backend"}
	c := config(t, "frontend", b, newInstantClock(t))
	u, err := url.Parse(backend)
	if err != nil {
		t.Fatal(err)
	}
	c.Upstreams = map[string]*url.URL{"backend": u}
	return start(t, c)
}

// stub starts a fake backend.
func stub(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func TestStatusAfterCall(t *testing.T) {
	for called, want := range map[int]int{
		200: 200, 204: 200, 302: 200, 400: 502, 403: 403, 404: 502, 429: 429, 500: 502, 502: 502, 503: 502,
	} {
		x := calling(t, stub(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(traceheader.ServedHeader, "backend=v9")
			w.WriteHeader(called)
		}))
		if a := x.ask("GET", "/"); a.status != want ||
			a.header.Get(traceheader.ServedHeader) != "frontend=v1, backend=v9" {
			t.Errorf("the backend answers %d: the frontend %d, served by %q", called, a.status,
				a.header.Get(traceheader.ServedHeader))
		}
	}
}

// The ground truth of an upstream service is added to the service's own.
func TestUpstreamGroundTruth(t *testing.T) {
	b := constant(time.Millisecond)
	b.Routes[""] = service.RouteBehaviour{Calls: "backend"}
	b.Faults = []service.Fault{{Name: "own", When: service.When{Routes: []string{"pay"}},
		Effect: service.Effect{AddLatency: &service.Latency{P50: 1, P99: 1}}}}
	c := config(t, "frontend", b, newInstantClock(t))
	u, err := url.Parse(stub(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(traceheader.FaultHeader, "backend/a, store/b")
		w.Header().Set(traceheader.WrongHeader, "1")
		w.Header().Set(traceheader.ProxyErrorHeader, "no route")
	}))
	if err != nil {
		t.Fatal(err)
	}
	c.Upstreams = map[string]*url.URL{"backend": u}
	x := start(t, c)
	for method, want := range map[string]string{"GET": "backend/a, store/b",
		"POST": "frontend/own, backend/a, store/b"} {
		a := x.ask(method, map[string]string{"GET": "/", "POST": "/pay"}[method])
		if a.status != 200 || a.header.Get(traceheader.FaultHeader) != want ||
			a.header.Get(traceheader.WrongHeader) != "1" ||
			a.header.Get(traceheader.MeshHeader) != "1" || a.json(t)["ok"] != false {
			t.Errorf("%s: %d %v %s", method, a.status, a.header, a.body)
		}
	}
}

// A call is between the two halves of the work.
func TestCallTime(t *testing.T) {
	clock := newHandClock(t)
	behind := start(t, config(t, "backend", constant(5*time.Second), clock))
	b := constant(0)
	b.Routes[""] = service.RouteBehaviour{Calls: "backend",
		Latency: service.Latency{P50: 2 * time.Second, P99: 2 * time.Second}}
	c := config(t, "frontend", b, clock)
	c.Upstreams = map[string]*url.URL{"backend": behind.base()}
	x := start(t, c)
	done := x.later(context.Background(), "GET", "/")
	clock.await(1)
	clock.advance(time.Second)
	behind.awaitMetric(t, "coalmine_app_in_work", "1")
	clock.await(1)
	clock.advance(5 * time.Second)
	behind.awaitMetric(t, "coalmine_app_in_work", "0")
	clock.await(1)
	clock.advance(time.Second)
	if a := <-done; a.status != 200 {
		t.Errorf("status %d", a.status)
	}
	if got := x.metric(
		`app_http_request_duration_seconds_sum{cohort="unknown",route="home",version="v1"}`); got != "7" {
		t.Errorf("%s seconds in all", got)
	}
}

func TestUpstreamFailures(t *testing.T) {
	for name, backend := range map[string]string{
		"no listener": "http://127.0.0.1:1",
		"breaks off":  stub(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		"a body cut off": stub(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "short")
		}),
		"no HTTP": rawStub(t, "SSH-2.0-x\r\n"),
		"huge headers": stub(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 100<<10))
		}),
	} {
		x := calling(t, backend)
		if a := x.ask("GET", "/"); a.status != 502 || a.header.Get(traceheader.ServedHeader) != "frontend=v1" ||
			a.json(t)["ok"] != false {
			t.Errorf("%s: %d %v %s", name, a.status, a.header, a.body)
		}
	}
}

// rawStub writes the same text to every connection.
func rawStub(t *testing.T, text string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, text)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return "http://" + l.Addr().String()
}

func TestUnknownUpstream(t *testing.T) {
	b := constant(time.Millisecond)
	b.Routes[""] = service.RouteBehaviour{Calls: "gone"}
	x := start(t, config(t, "frontend", b, newInstantClock(t)))
	if a := x.ask("GET", "/"); a.status != 502 {
		t.Errorf("status %d", a.status)
	}
}

func TestCallForwardsHeaders(t *testing.T) {
	var got *http.Request
	x := calling(t, stub(t, func(_ http.ResponseWriter, r *http.Request) { got = r })+"/deep/")
	const place = "seq=9, attempt=1, user=1, seed=2, cohort=premium"
	x.ask("GET", "/items/a%2Fb?view=full&x=1", "Cookie: session=s1", "Cookie: tier=premium", "X-Beta: yes",
		"X-Beta: no", "User-Agent: shop/1",
		"Connection: X-Secret", "X-Secret: 1", "Te: trailers", "L5d-Client-Id: other",
		traceheader.RequestHeader+": "+place)
	want := map[string][]string{
		"Cookie": {"session=s1", "tier=premium"}, "X-Beta": {"yes", "no"}, "User-Agent": {"shop/1"},
		traceheader.RequestHeader: {place},
		"Coalmine-Route":          {"item"}, "Coalmine-Depth": {"1"}, "X-Secret": nil, "Te": nil, "L5d-Client-Id": nil,
		"Accept-Encoding": nil,
	}
	for name, values := range want {
		if !slices.Equal(got.Header[name], values) {
			t.Errorf("%s is %q, want %q", name, got.Header[name], values)
		}
	}
	if got.Method != "GET" || got.RequestURI != "/deep/items/a%2Fb?view=full&x=1" {
		t.Errorf("%s %s is called", got.Method, got.RequestURI)
	}

	x.ask("POST", "/pay", "User-Agent: ", "Cookie: session=s5; tier=premium")
	if m, ok := traceheader.Parse(got.Header.Get(traceheader.RequestHeader)); !ok ||
		m != (traceheader.Request{Seq: 0, User: 5, Seed: 1, Cohort: "premium"}) {
		t.Errorf("without a trace header the call has %q", got.Header.Get(traceheader.RequestHeader))
	}
	if got.Method != "POST" || got.Header["User-Agent"] != nil {
		t.Errorf("%s by %q is called", got.Method, got.Header["User-Agent"])
	}
}

// A call names its route, because the upstream service may have another route for the path.
func TestCallNamesRoute(t *testing.T) {
	x := start(t, config(t, "payment", constant(time.Millisecond), newInstantClock(t)))
	if got := x.ask("GET", "/ledger", "Coalmine-Route: home").json(t)["route"]; got != "home" {
		t.Errorf("the route is %v", got)
	}
	for _, header := range []string{"Coalmine-Route: gone", "Coalmine-Depth: -1"} {
		if got := x.ask("GET", "/ledger", header).json(t)["route"]; got != "ledger" {
			t.Errorf("%s: the route is %v", header, got)
		}
	}
}

// A service that calls itself stops at the maximum depth.
func TestCallCycle(t *testing.T) {
	up := map[string]*url.URL{}
	b := constant(time.Millisecond)
	b.Routes[""] = service.RouteBehaviour{Calls: "backend"}
	c := config(t, "frontend", b, newInstantClock(t))
	c.Upstreams = up
	x := start(t, c)
	up["backend"] = x.base() // not called before
	a := x.ask("GET", "/")
	if n := strings.Count(a.header.Get(traceheader.ServedHeader), "frontend=v1"); a.status != 502 || n != 8 {
		t.Errorf("status %d after %d calls", a.status, n)
	}
}

// A call ends when the client leaves.
func TestClientLeavesDuringCall(t *testing.T) {
	clock := newHandClock(t)
	behind := start(t, config(t, "backend", constant(time.Hour), clock))
	x := calling(t, behind.url)
	ctx, leave := context.WithCancel(context.Background())
	done := x.later(ctx, "GET", "/")
	clock.await(1)
	leave()
	if a := <-done; !errors.Is(a.err, context.Canceled) {
		t.Errorf("the client that left got %+v", a)
	}
	clock.await(0)
	for _, y := range []*testService{x, behind} {
		y.awaitMetric(t, "coalmine_app_in_work", "0")
	}
}

// A kill of the upstream service aborts calls in progress: 502.
func TestUpstreamKill(t *testing.T) {
	behind, clock := leaking(t, nil)
	x := calling(t, behind.url)
	for range 2 {
		a := behind.later(context.Background(), "POST", "/pay")
		clock.await(1)
		clock.advance(time.Second)
		<-a
	}
	killer := behind.later(context.Background(), "POST", "/pay")
	clock.await(1)
	clock.advance(500 * time.Millisecond)
	victim := x.later(context.Background(), "POST", "/pay")
	clock.await(2)
	clock.advance(500 * time.Millisecond)
	<-killer
	if a := <-victim; a.status != 502 {
		t.Errorf("the aborted call: %+v", a)
	}
	if a := x.ask("GET", "/"); a.status != 502 {
		t.Errorf("a call before the restart: %+v", a)
	}
	clock.advance(5 * time.Second)
	again := x.later(context.Background(), "GET", "/")
	clock.await(1)
	clock.advance(time.Second)
	if a := <-again; a.status != 200 {
		t.Errorf("after the restart: %+v", a)
	}
}

var _ server.Clock = (*handClock)(nil)
