package app_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"coalmine/lab/app"
)

func TestValidateNamesTheField(t *testing.T) {
	fault := func(f app.Fault) func(*app.Behaviour) {
		return func(b *app.Behaviour) { b.Faults = []app.Fault{f} }
	}
	when := func(w app.When) func(*app.Behaviour) {
		return fault(app.Fault{Name: "x", When: w, Effect: app.Effect{Status: 500}})
	}
	effect := func(e app.Effect) func(*app.Behaviour) { return fault(app.Fault{Name: "x", Effect: e}) }
	cases := map[string]func(*app.Behaviour){
		"routes:":                    func(b *app.Behaviour) { b.Routes = nil },
		`routes["pay"].errorRate:`:   func(b *app.Behaviour) { b.Routes["pay"] = app.RouteBehaviour{ErrorRate: math.NaN()} },
		`routes["pay"].latency.p99:`: func(b *app.Behaviour) { b.Routes["pay"] = app.RouteBehaviour{Latency: app.Latency{P50: 2, P99: 1}} },
		`routes["pay"].datastore.p50:`: func(b *app.Behaviour) {
			b.Routes["pay"] = app.RouteBehaviour{Datastore: app.Latency{P99: time.Second}}
		},
		`routes["pay"].size: -1`:           func(b *app.Behaviour) { b.Routes["pay"] = app.RouteBehaviour{Size: -1} },
		`routes["pay"].size: 16777217`:     func(b *app.Behaviour) { b.Routes["pay"] = app.RouteBehaviour{Size: app.MaxSize + 1} },
		`route "gone" is not in`:           func(b *app.Behaviour) { b.Routes["gone"] = app.RouteBehaviour{} },
		"capacity.concurrency:":            func(b *app.Behaviour) { b.Capacity.Concurrency = -1 },
		"capacity.queue:":                  func(b *app.Behaviour) { b.Capacity.Queue = 5 },
		"warmUp.factor:":                   func(b *app.Behaviour) { b.WarmUp.For = time.Second },
		"memory.base:":                     func(b *app.Behaviour) { b.Memory = app.Memory{Base: 64, Limit: 64} },
		"startUp:":                         func(b *app.Behaviour) { b.StartUp = -1 },
		"faults[0].name:":                  fault(app.Fault{Effect: app.Effect{Status: 500}}),
		"faults[0].share:":                 fault(app.Fault{Name: "x", Share: 1.1, Effect: app.Effect{Status: 500}}),
		"faults[0].when.users:":            when(app.When{Users: -0.1}),
		"faults[0].when.weight:":           when(app.When{Weight: 101}),
		"faults[0].when.load:":             when(app.When{Load: -1}),
		"faults[0].when.header.value:":     when(app.When{Header: &app.NameMatch{Name: "a", Value: "a)|(b"}}),
		"faults[0].when.cookie.value:":     when(app.When{Cookie: &app.NameMatch{Name: "a"}}),
		"faults[0].when.cookie.name:":      when(app.When{Cookie: &app.NameMatch{Value: "a"}}),
		"faults[0].when.routes:":           when(app.When{Routes: []string{"gone"}}),
		"faults[0].when.cohorts:":          when(app.When{Cohorts: []string{"gone"}}),
		"faults[0].effect:":                effect(app.Effect{}),
		"faults[0].effect.status:":         effect(app.Effect{Status: 99}),
		"faults[0].effect.growMemory:":     effect(app.Effect{GrowMemory: math.Inf(1)}),
		"faults[0].effect.hold:":           effect(app.Effect{Hold: -1}),
		"faults[0].effect.addLatency.p50:": effect(app.Effect{AddLatency: &app.Latency{P50: -1, P99: 1}}),
		"beside wrongBody":                 effect(app.Effect{Status: 500, WrongBody: true}),
		"faults: has 64":                   func(b *app.Behaviour) { b.Faults = make([]app.Fault, 64) },
	}
	for want, spoil := range cases {
		b := healthy()
		spoil(&b)
		if _, err := app.Compile(b, words(), 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got: %v", want, err)
		}
	}
	if err := healthy().Validate(); err != nil {
		t.Errorf("a healthy behaviour: %v", err)
	}
}

func TestValidateFindsEverything(t *testing.T) {
	b := healthy()
	b.StartUp, b.Capacity.Queue = -1, -1
	b.Faults = []app.Fault{{Share: 2}}
	if got := strings.Count(b.Validate().Error(), "\n") + 1; got != 5 {
		t.Errorf("%d findings, want 5:\n%v", got, b.Validate())
	}
}
