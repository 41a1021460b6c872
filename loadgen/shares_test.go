package loadgen_test

import (
	"math"
	"testing"

	"coalmine/loadgen"
)

func TestRouteShares(t *testing.T) {
	w := loadgen.Workload{
		Routes: []loadgen.Route{{Name: "a"}, {Name: "b"}, {Name: "c"}},
		Cohorts: []loadgen.Cohort{
			{Name: "mix", Share: 0.5, Mix: map[string]float64{"a": 3, "b": 1}},
			{Name: "zipf", Share: 0.3, Zipf: &loadgen.Zipf{Exponent: 1, Routes: []string{"c", "a"}}},
			{Name: "session", Share: 0.2, Session: &loadgen.Session{Start: map[string]float64{"b": 2}}},
		},
	}
	for i, want := range []float64{0.5*0.75 + 0.1, 0.5*0.25 + 0.2, 0.2} {
		if got := w.RouteShares()[i]; math.Abs(got-want) > 1e-12 {
			t.Errorf("route %s has share %v, want %v", w.Routes[i].Name, got, want)
		}
	}
	w.Replay = &loadgen.Replay{}
	if got := w.RouteShares(); got[0] != 0 {
		t.Errorf("a replayed workload has share %v, want 0", got[0])
	}
}
