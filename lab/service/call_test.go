package service_test

import (
	"math"
	"testing"
	"time"

	"coalmine/lab/service"
)

func TestAnswerAfterCalls(t *testing.T) {
	optional := &service.Call{Optional: true}
	for _, x := range []struct {
		call              *service.Call
		called, own, want int
	}{
		{nil, 0, 200, 200}, {nil, 200, 500, 500}, {nil, 302, 200, 200}, {nil, 404, 200, 502}, {nil, 403, 200, 403},
		{nil, 429, 500, 429}, {&service.Call{}, 504, 200, 502}, {optional, 504, 200, 200}, {optional, 403, 500, 500},
	} {
		if got := x.call.Ended(x.called, x.own); got != x.want {
			t.Errorf("%+v: %d after %d: %d, want %d", x.call, x.own, x.called, got, x.want)
		}
	}
}

func TestCallAttempts(t *testing.T) {
	c := service.Call{Retries: 2, Backoff: 10 * time.Millisecond}
	if !c.Again(500, 0) || !c.Again(504, 1) || c.Again(503, 2) || c.Again(429, 0) || c.Again(200, 0) {
		t.Error("a client repeats 5xx, twice")
	}
	if c.Pause(0) != 10*time.Millisecond || c.Pause(2) != 40*time.Millisecond {
		t.Errorf("pauses %v and %v", c.Pause(0), c.Pause(2))
	}
	seen := map[uint8]bool{}
	for call := range uint8(10) {
		for retry := range uint8(11) {
			seen[service.CallDraws(call, retry)] = true
		}
	}
	if len(seen) != 110 || service.CallDraws(0, 0) != 0 {
		t.Errorf("110 attempts have %d draws", len(seen))
	}
}

// A share of the requests needs the call; the others of a route are answered without.
func TestShareOfCalls(t *testing.T) {
	b := healthy()
	b.Routes["pay"] = service.RouteBehaviour{Calls: "stock", Call: service.Call{Share: 0.3, Retries: 2}}
	b.Routes[""] = service.RouteBehaviour{Calls: "stock"}
	m := compile(t, b)
	called, all := 0, 0
	for seq := range uint64(20_000) {
		w := m.Begin(service.Request{Seq: seq, Route: pay}, service.State{InWork: 1})
		if w.Call == nil || w.Call.Retries != 2 {
			t.Fatalf("call %+v", w.Call)
		}
		if w.Calls != "" {
			called++
		}
		if w := m.Begin(service.Request{Seq: seq}, service.State{InWork: 1}); w.Calls == "stock" && w.Call == nil {
			all++
		}
	}
	if math.Abs(float64(called)-6000) > 5*math.Sqrt(6000*0.7) || all != 20_000 {
		t.Errorf("%d of 20000 call with a share of 0.3, %d without one", called, all)
	}
}
