package service_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"coalmine/lab/service"
)

func TestValidateNamesTheField(t *testing.T) {
	fault := func(f service.Fault) func(*service.Behaviour) {
		return func(b *service.Behaviour) { b.Faults = []service.Fault{f} }
	}
	when := func(w service.When) func(*service.Behaviour) {
		return fault(service.Fault{Name: "x", When: w, Effect: service.Effect{Status: 500}})
	}
	effect := func(e service.Effect) func(*service.Behaviour) { return fault(service.Fault{Name: "x", Effect: e}) }
	call := func(to string, c service.Call) func(*service.Behaviour) {
		return func(b *service.Behaviour) { b.Routes["pay"] = service.RouteBehaviour{Calls: to, Call: c} }
	}
	cases := map[string]func(*service.Behaviour){
		"routes:": func(b *service.Behaviour) { b.Routes = nil },
		`routes["pay"].errorRate:`: func(b *service.Behaviour) {
			b.Routes["pay"] = service.RouteBehaviour{ErrorRate: math.NaN()}
		},
		`routes["pay"].latency.p99:`: func(b *service.Behaviour) {
			b.Routes["pay"] = service.RouteBehaviour{Latency: service.Latency{P50: 2, P99: 1}}
		},
		`routes["pay"].datastore.p50:`: func(b *service.Behaviour) {
			b.Routes["pay"] = service.RouteBehaviour{Datastore: service.Latency{P99: time.Second}}
		},
		`routes["pay"].size: -1`: func(b *service.Behaviour) {
			b.Routes["pay"] = service.RouteBehaviour{Size: -1}
		},
		`routes["pay"].size: 16777217`: func(b *service.Behaviour) {
			b.Routes["pay"] = service.RouteBehaviour{Size: service.MaxSize + 1}
		},
		`routes["pay"].call: has no effect`:               call("", service.Call{Retries: 1}),
		`routes["pay"].call.share: 1.5`:                   call("stock", service.Call{Share: 1.5}),
		`routes["pay"].call.count: 11`:                    call("stock", service.Call{Count: 11}),
		`routes["pay"].call.timeout: -1`:                  call("stock", service.Call{Timeout: -1}),
		`routes["pay"].call.retries: -1`:                  call("stock", service.Call{Retries: -1}),
		`routes["pay"].call.backoff: 2m0s is not between`: call("stock", service.Call{Retries: 1, Backoff: 2 * time.Minute}),
		`routes["pay"].call.backoff: 1s has no effect`:    call("stock", service.Call{Backoff: time.Second}),
		`routes["pay"].call.dropHeaders[1]: is empty`:     call("stock", service.Call{DropHeaders: []string{"a", ""}}),
		`route "gone" is not one of`:                      func(b *service.Behaviour) { b.Routes["gone"] = service.RouteBehaviour{} },
		"capacity.concurrency:":                           func(b *service.Behaviour) { b.Capacity.Concurrency = -1 },
		"capacity.queue:":                                 func(b *service.Behaviour) { b.Capacity.Queue = 5 },
		"warmUp.factor:":                                  func(b *service.Behaviour) { b.WarmUp.For = time.Second },
		"memory.base:": func(b *service.Behaviour) {
			b.Memory = service.Memory{Base: 64, Limit: 64}
		},
		"startUp:":        func(b *service.Behaviour) { b.StartUp = -1 },
		"faults[0].name:": fault(service.Fault{Effect: service.Effect{Status: 500}}),
		"faults[0].share:": fault(service.Fault{Name: "x", Share: 1.1,
			Effect: service.Effect{Status: 500}}),
		"faults[0].when.users:":            when(service.When{Users: -0.1}),
		"faults[0].when.weight:":           when(service.When{Weight: 101}),
		"faults[0].when.load:":             when(service.When{Load: -1}),
		"faults[0].when.header.value:":     when(service.When{Header: &service.NameMatch{Name: "a", Value: "a)|(b"}}),
		"faults[0].when.cookie.value:":     when(service.When{Cookie: &service.NameMatch{Name: "a"}}),
		"faults[0].when.cookie.name:":      when(service.When{Cookie: &service.NameMatch{Value: "a"}}),
		"faults[0].when.routes:":           when(service.When{Routes: []string{"gone"}}),
		"faults[0].when.cohorts:":          when(service.When{Cohorts: []string{"gone"}}),
		"faults[0].effect:":                effect(service.Effect{}),
		"faults[0].effect.status:":         effect(service.Effect{Status: 99}),
		"faults[0].effect.growMemory:":     effect(service.Effect{GrowMemory: math.Inf(1)}),
		"faults[0].effect.hold:":           effect(service.Effect{Hold: -1}),
		"faults[0].effect.addLatency.p50:": effect(service.Effect{AddLatency: &service.Latency{P50: -1, P99: 1}}),
		"conflicts with wrongBody":         effect(service.Effect{Status: 500, WrongBody: true}),
		"faults: has 64":                   func(b *service.Behaviour) { b.Faults = make([]service.Fault, 64) },
	}
	for want, spoil := range cases {
		b := healthy()
		spoil(&b)
		if _, err := service.Compile(b, words(), 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got: %v", want, err)
		}
	}
	if err := healthy().Validate(); err != nil {
		t.Errorf("a healthy behaviour: %v", err)
	}
}

func TestValidateReturnsAllErrors(t *testing.T) {
	b := healthy()
	b.StartUp, b.Capacity.Queue = -1, -1
	b.Faults = []service.Fault{{Share: 2}}
	if got := strings.Count(b.Validate().Error(), "\n") + 1; got != 5 {
		t.Errorf("%d findings, want 5:\n%v", got, b.Validate())
	}
}
