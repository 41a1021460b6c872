package server_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"coalmine/lab/service"
	"coalmine/lab/service/server"
	"coalmine/loadgen/traceheader"
)

// crowded starts a service with few slots and a short queue.
func crowded(t *testing.T, slots, queue int, faults ...service.Fault) (*testService, *handClock) {
	b := constant(time.Second)
	b.Capacity, b.Faults = service.Capacity{Concurrency: slots, Queue: queue}, faults
	clock := newHandClock(t)
	return start(t, config(t, "shop", b, clock)), clock
}

func TestFullQueueRefuses(t *testing.T) {
	x, clock := crowded(t, 2, 1)
	ctx := context.Background()
	first, second := x.later(ctx, "GET", "/"), x.later(ctx, "GET", "/")
	clock.await(2)
	third := x.later(ctx, "GET", "/")
	x.awaitMetric(t, "coalmine_app_waiting", "1")
	if a := x.ask("GET", "/"); a.status != 503 || !strings.Contains(a.body, "the queue is full") ||
		a.header.Get(traceheader.FaultHeader) != "" {
		t.Errorf("over the queue: %d %q", a.status, a.body)
	}
	clock.advance(time.Second)
	if a, b := <-first, <-second; a.status != 200 || b.status != 200 {
		t.Errorf("the requests with slots got %d and %d", a.status, b.status)
	}
	clock.await(1)
	clock.advance(time.Second)
	if a := <-third; a.status != 200 {
		t.Errorf("the queued request got %d", a.status)
	}
	// The queued request took two seconds, one of them in the queue.
	if got := x.metric(
		`app_http_request_duration_seconds_sum{cohort="unknown",route="home",version="v1"}`); got != "4" {
		t.Errorf("%s seconds in all", got)
	}
}

// Clients leave while in progress and while queued.
func TestLeavingFreesTheSlot(t *testing.T) {
	x, clock := crowded(t, 1, 2)
	ctx, leave := context.WithCancel(context.Background())
	working := x.later(ctx, "GET", "/")
	clock.await(1)
	waitingToo, leaveToo := context.WithCancel(context.Background())
	ghost := x.later(waitingToo, "GET", "/")
	x.awaitMetric(t, "coalmine_app_waiting", "1")
	last := x.later(context.Background(), "POST", "/pay")
	x.awaitMetric(t, "coalmine_app_waiting", "2")

	leaveToo()
	if a := <-ghost; !errors.Is(a.err, context.Canceled) {
		t.Errorf("the client that left the queue got %+v", a)
	}
	x.awaitMetric(t, `app_http_requests_total{cohort="unknown",route="home",status="499",version="v1"}`, "1")
	leave()
	if a := <-working; !errors.Is(a.err, context.Canceled) {
		t.Errorf("the client that left got %+v", a)
	}
	x.awaitMetric(t, `app_http_requests_total{cohort="unknown",route="home",status="499",version="v1"}`, "2")
	x.awaitMetric(t, "coalmine_app_waiting", "0") // the ghost's turn went on to the last
	clock.await(1)
	clock.advance(time.Second)
	if a := <-last; a.status != 200 {
		t.Errorf("the client that stayed got %d", a.status)
	}
	for _, prefix := range []string{"coalmine_app_in_work", "coalmine_app_waiting"} {
		if got := x.metric(prefix); got != "0" {
			t.Errorf("%s is %s at the end", prefix, got)
		}
	}
}

// An abandoned request does not leak memory.
func TestAbandonedRequestsDoNoWork(t *testing.T) {
	x, clock := crowded(t, 1, 1, service.Fault{Name: "leak", When: service.When{Routes: []string{"pay"}},
		Effect: service.Effect{GrowMemory: 1, Hold: time.Hour}})
	first := x.later(context.Background(), "GET", "/")
	clock.await(1)
	ctx, leave := context.WithCancel(context.Background())
	ghost := x.later(ctx, "POST", "/pay")
	x.awaitMetric(t, "coalmine_app_waiting", "1")
	leave()
	<-ghost
	x.awaitMetric(t, `app_http_requests_total{cohort="unknown",route="pay",status="499",version="v1"}`, "1")
	clock.advance(time.Second)
	<-first
	if got := x.metric("coalmine_app_memory_bytes"); got != "0" {
		t.Errorf("%s bytes in use", got)
	}
	if got := x.metric("coalmine_app_held"); got != "0" {
		t.Errorf("%s slots held", got)
	}
}

func TestHeldSlotsAreReleased(t *testing.T) {
	x, clock := crowded(t, 1, 1, service.Fault{Name: "leaked connection", When: service.When{Routes: []string{"pay"}},
		Effect: service.Effect{Hold: time.Minute}})
	first := x.later(context.Background(), "POST", "/pay")
	clock.await(1)
	clock.advance(time.Second)
	if a := <-first; a.status != 200 || a.header.Get(traceheader.FaultHeader) != "shop/leaked connection" {
		t.Errorf("the leak answers %d, %v", a.status, a.header)
	}
	clock.await(1) // the slot is held
	second := x.later(context.Background(), "GET", "/")
	x.awaitMetric(t, "coalmine_app_waiting", "1")
	if a := x.ask("GET", "/"); a.status != 503 || a.header.Get(traceheader.FaultHeader) != "shop/leaked connection" {
		t.Errorf("over the queue, because of the leak: %d, %v", a.status, a.header)
	}
	clock.advance(time.Minute)
	x.awaitMetric(t, "coalmine_app_in_work", "1") // or it could still be the leak that sleeps
	clock.await(1)
	clock.advance(time.Second)
	if a := <-second; a.status != 200 || a.header.Get(traceheader.FaultHeader) != "shop/leaked connection" {
		t.Errorf("the request queued because of the leak: %d, %v", a.status, a.header)
	}
	third := x.later(context.Background(), "GET", "/")
	clock.await(1)
	fourth := x.later(context.Background(), "GET", "/")
	x.awaitMetric(t, "coalmine_app_waiting", "1")
	clock.advance(time.Second)
	for _, later := range []<-chan response{third, fourth} {
		if a := <-later; a.status != 200 || a.header.Get(traceheader.FaultHeader) != "" {
			t.Errorf("after the leak: %d, %v", a.status, a.header)
		}
		if later != fourth {
			x.awaitMetric(t, "coalmine_app_waiting", "0")
			clock.await(1)
			clock.advance(time.Second)
		}
	}
}

// Slots that were held before a restart do not affect the restarted service.
func TestHeldSlotsEndWithRestart(t *testing.T) {
	b := constant(time.Second)
	b.Capacity = service.Capacity{Concurrency: 2}
	b.Memory = service.Memory{Limit: 10}
	b.Faults = []service.Fault{
		{Name: "hold", When: service.When{Routes: []string{"pay"}}, Effect: service.Effect{Hold: time.Minute}},
		{Name: "kill", When: service.When{Routes: []string{"item"}}, Effect: service.Effect{GrowMemory: 20}},
	}
	clock := newHandClock(t)
	x := start(t, config(t, "shop", b, clock))
	ask := func(method, path string, sleeping int) response {
		a := x.later(context.Background(), method, path)
		clock.await(sleeping)
		clock.advance(time.Second)
		return <-a
	}
	ask("POST", "/pay", 1)
	ask("GET", "/items/1", 2)
	if x.Restarts() != 1 {
		t.Fatalf("%d restarts", x.Restarts())
	}
	ask("POST", "/pay", 2) // beside the wait of the earlier life
	clock.await(2)
	clock.advance(58 * time.Second) // in which that one ends
	clock.await(1)
	working := x.later(context.Background(), "GET", "/")
	clock.await(2)
	if a := x.ask("GET", "/"); a.status != 503 || a.header.Get(traceheader.FaultHeader) != "shop/hold" {
		t.Errorf("with a slot held: %d, %v", a.status, a.header)
	}
	clock.advance(time.Second)
	<-working
}

// leaking starts a service that runs out of memory with its third payment.
func leaking(t *testing.T, change func(*server.Config)) (*testService, *handClock) {
	b := constant(time.Second)
	b.StartUp = 5 * time.Second
	b.Memory = service.Memory{Base: 10, Limit: 12.5}
	b.Faults = []service.Fault{{Name: "leak", When: service.When{Routes: []string{"pay"}},
		Effect: service.Effect{GrowMemory: 1}}}
	clock := newHandClock(t)
	c := config(t, "shop", b, clock)
	if change != nil {
		change(&c)
	}
	x := start(t, c)
	if a := x.ask("GET", "/"); a.status != 503 || a.header.Get("Retry-After") != "5" {
		t.Errorf("in the start-up: %d %v", a.status, a.header)
	}
	clock.advance(5 * time.Second)
	return x, clock
}

// exhaust pays until the service runs out of memory while another request is in progress, and
// returns both responses.
func exhaust(x *testService, clock *handClock) (last, other response) {
	for range 2 {
		a := x.later(context.Background(), "POST", "/pay")
		clock.await(1)
		clock.advance(time.Second)
		<-a
	}
	killer := x.later(context.Background(), "POST", "/pay")
	clock.await(1)
	clock.advance(500 * time.Millisecond)
	victim := x.later(context.Background(), "POST", "/pay")
	clock.await(2)
	clock.advance(500 * time.Millisecond)
	return <-killer, <-victim
}

func TestOutOfMemory(t *testing.T) {
	x, clock := leaking(t, nil)
	last, other := exhaust(x, clock)
	if last.status != 200 || !errors.Is(other.err, io.EOF) {
		t.Errorf("the last response is %+v, the request in progress ended with %+v", last, other)
	}
	if a := x.ask("GET", "/readyz"); a.status != 503 || a.body != "starting up, ready in 5s\n" {
		t.Errorf("readiness after the kill: %d %q", a.status, a.body)
	}
	if a := x.ask("GET", "/healthz"); a.status != 200 {
		t.Errorf("health after the kill: %d", a.status)
	}
	if a := x.ask("GET", "/"); !errors.Is(a.err, io.EOF) {
		t.Errorf("a request before the restart gets %+v", a)
	}
	if got := x.metric(`app_http_requests_total`); got != "none" {
		t.Errorf("the counters were not reset: %s", got)
	}
	if x.Restarts() != 1 || x.metric("coalmine_app_restarts_total") != "1" ||
		x.metric("coalmine_app_memory_bytes") != "1.048576e+07" {
		t.Errorf("%d restarts, metrics say %s, memory %s", x.Restarts(), x.metric("coalmine_app_restarts_total"),
			x.metric("coalmine_app_memory_bytes"))
	}
	clock.advance(5 * time.Second)
	again := x.later(context.Background(), "GET", "/")
	clock.await(1)
	clock.advance(time.Second)
	if a := <-again; a.status != 200 {
		t.Errorf("after the restart: %+v", a)
	}
}

func TestKillClosesIdleConnections(t *testing.T) {
	x, clock := leaking(t, nil)
	idle := dial(t, x)
	idle.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := idle.line(); got != "HTTP/1.1 200 OK" {
		t.Fatalf("before the kill: %q", got)
	}
	exhaust(x, clock)
	if rest, err := io.ReadAll(idle.reader); err != nil || !strings.HasSuffix(string(rest), "alive\n") {
		t.Errorf("after the kill: %q, %v", rest, err) // to its end
	}
}

func TestKillCanEndTheServer(t *testing.T) {
	x, clock := leaking(t, func(c *server.Config) { c.ExitOnKill = true })
	last, other := exhaust(x, clock)
	if last.status != 200 || other.err == nil {
		t.Errorf("the last response is %+v, the request in progress ended with %+v", last, other)
	}
	if err := x.ended(); !errors.Is(err, server.ErrKilled) {
		t.Errorf("serving ended with %v", err)
	}
}

func TestFaultsDependOnState(t *testing.T) {
	b := constant(time.Second)
	b.Faults = []service.Fault{
		{Name: "load", When: service.When{Load: 2}, Effect: service.Effect{Status: 501}},
		{Name: "weight", When: service.When{Weight: 40}, Effect: service.Effect{Status: 502}},
		{Name: "age", When: service.When{Uptime: time.Minute}, Effect: service.Effect{Status: 503}},
	}
	for _, weight := range []float64{0, 39} {
		clock := newHandClock(t)
		c := config(t, "shop", b, clock)
		c.Weight = weight
		x := start(t, c)
		ask := func(working int) (done <-chan response) {
			done = x.later(context.Background(), "GET", "/")
			clock.await(working)
			return done
		}
		first, second := ask(1), ask(2)
		clock.advance(time.Minute)
		if a, b := <-first, <-second; a.status == 501 || b.status != map[float64]int{0: 502, 39: 501}[weight] {
			t.Errorf("weight %g, alone %d, beside another %d", weight, a.status, b.status)
		}
		third := ask(1)
		clock.advance(time.Second)
		if got, want := (<-third).header.Get(traceheader.FaultHeader),
			map[float64]string{0: "shop/weight, shop/age", 39: "shop/age"}[weight]; got != want {
			t.Errorf("weight %g, after a minute: %q, want %q", weight, got, want)
		}
	}
}
