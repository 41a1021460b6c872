package loadgen_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"coalmine/loadgen"
	"coalmine/loadgen/accesslog"
)

// orders returns a workload whose route has every placeholder.
func orders() loadgen.Workload {
	return loadgen.Workload{
		Rate: loadgen.Curve{Constant: 20},
		Routes: []loadgen.Route{{Name: "order", Method: "POST", Path: "/users/{user}/orders/o-{item}.json?by={user}",
			Headers: []loadgen.Pair{{Name: "x-kind", Value: "order"}, {Name: "X-Who", Value: "u{user}"}},
			Body:    `{"user":{user},"item":{item},"plain":{"x":"{other}"}}`}},
		Cohorts: []loadgen.Cohort{{Name: "web", Share: 1, Users: 5, Items: &loadgen.Items{Count: 10},
			Headers: []loadgen.Pair{{Name: "X-Kind", Value: "any"}, {Name: "X-Shop", Value: "tea"}},
			Mix:     map[string]float64{"order": 1}}},
	}
}

func TestRoutesFillPlaceholders(t *testing.T) {
	p := newPlan(t, orders(), 1, 5*time.Second)
	users, items := map[uint32]bool{}, map[uint32]bool{}
	for c := p.Arrivals(); ; {
		a, ok := c.Next()
		if !ok {
			break
		}
		users[a.User], items[a.Item] = true, true
		if got, want := p.Target(a), fmt.Sprintf("/users/%d/orders/o-%d.json?by=%[1]d", a.User, a.Item); got != want {
			t.Errorf("target %s, want %s", got, want)
		}
		want := fmt.Sprintf(`{"user":%d,"item":%d,"plain":{"x":"{other}"}}`, a.User, a.Item)
		if got := p.Body(a); got != want {
			t.Errorf("body %s, want %s", got, want)
		}
		headers := []loadgen.Pair{{Name: "X-Shop", Value: "tea"}, {Name: "x-kind", Value: "order"},
			{Name: "X-Who", Value: fmt.Sprint("u", a.User)}}
		if got := p.RequestHeaders(a); !slices.Equal(got, headers) {
			t.Errorf("headers %q, want %q", got, headers)
		}
	}
	if len(users) != 5 || len(items) != 10 {
		t.Errorf("%d users, want 5, and %d items, want 10", len(users), len(items))
	}
}

// An item that only the body names is drawn as one in the path is.
func TestItemsOfBodies(t *testing.T) {
	w := orders()
	inPath := newPlan(t, w, 1, time.Second)
	w.Routes = slices.Clone(w.Routes)
	w.Routes[0].Path = "/orders"
	inBody := newPlan(t, w, 1, time.Second)
	if inPath.Digest() != inBody.Digest() {
		t.Error("the arrivals differ")
	}
	w.Cohorts = slices.Clone(w.Cohorts)
	w.Cohorts[0].Items = nil
	if err := w.Validate(); err == nil || !strings.Contains(err.Error(),
		`cohorts[0].items: is missing: the body of route "order" contains {item}`) {
		t.Errorf("error %v without items", err)
	}
	w.Routes[0].Body = strings.Repeat("x", 1<<20+1)
	if err := w.Validate(); err == nil || !strings.Contains(err.Error(), "routes[0].body: has 1048577 bytes") {
		t.Errorf("error %v for a large body", err)
	}
}

// In a replayed log the item of a body is that of the line's path.
func TestBodiesOfReplay(t *testing.T) {
	w := orders()
	w.Rate = loadgen.Curve{}
	w.Cohorts = []loadgen.Cohort{{Name: "web"}}
	w.Routes = append(w.Routes, loadgen.Route{Name: "cart", Method: "POST", Path: "/cart", Body: "line {item}"})
	w.Replay = &loadgen.Replay{Lines: []accesslog.Line{
		{Method: "POST", Target: "/users/ann/orders/o-abc.json?x=1"}, {Method: "POST", Target: "/cart"},
		{Method: "GET", Target: "/elsewhere"},
	}}
	p := newPlan(t, w, 1, time.Second)
	var got []string
	for c := p.Arrivals(); ; {
		a, ok := c.Next()
		if !ok {
			break
		}
		got = append(got, p.Body(a))
	}
	if len(got) != 3 || !strings.Contains(got[0], `"item":abc,`) || got[1] != "line 0" || got[2] != "" {
		t.Errorf("bodies %q", got)
	}
}
