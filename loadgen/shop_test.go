package loadgen_test

import (
	"testing"
	"time"

	"coalmine/loadgen"
)

// shop returns a workload with sticky users, users with a cookie, and bots.
func shop(rate loadgen.Curve) loadgen.Workload {
	return loadgen.Workload{
		Rate: rate,
		Routes: []loadgen.Route{
			{Name: "home", Path: "/"}, {Name: "search", Path: "/search"}, {Name: "cart", Path: "/cart", Method: "POST"},
			{Name: "pay", Path: "/pay", Method: "POST", Service: "payment"},
		},
		Cohorts: []loadgen.Cohort{
			{Name: "web", Share: 0.6, Users: 500, Mix: map[string]float64{"home": 5, "search": 3, "cart": 1.5,
				"pay": 0.5},
				Cookies: []loadgen.Pair{{Name: "sid", Value: "s-{user}"}, {Name: "theme", Value: "dark"},
					{Name: "lang", Value: "en"}},
				ShuffleCookies: true},
			{Name: "mobile", Share: 0.25, Users: 200, Mix: map[string]float64{"home": 1, "search": 1, "pay": 0},
				Headers: []loadgen.Pair{{Name: "User-Agent", Value: "shop-mobile/2"},
					{Name: "X-User", Value: "{user}"}}},
			{Name: "beta", Share: 0.05, Users: 20, Mix: map[string]float64{"pay": 1},
				Headers: []loadgen.Pair{{Name: "X-Beta", Value: "yes"}},
				Cookies: []loadgen.Pair{{Name: "beta", Value: "1"}}},
			{Name: "bots", Share: 0.1, Mix: map[string]float64{"home": 1, "search": 9}},
		},
	}
}

func newPlan(t testing.TB, w loadgen.Workload, seed uint64, d time.Duration) *loadgen.Plan {
	t.Helper()
	p, err := loadgen.NewPlan(w, seed, d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// arrivals returns all arrivals of a plan.
func arrivals(p *loadgen.Plan) []loadgen.Arrival {
	var list []loadgen.Arrival
	for c := p.Arrivals(); ; {
		a, ok := c.Next()
		if !ok {
			return list
		}
		list = append(list, a)
	}
}
