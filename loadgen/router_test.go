package loadgen_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"coalmine/loadgen"
)

func catalogue() loadgen.Workload {
	return loadgen.Workload{Routes: []loadgen.Route{
		{Name: "home", Path: "/"}, {Name: "any", Path: "/*"}, {Name: "static", Path: "/static/*"},
		{Name: "item", Path: "/items/{item}?from=list"}, {Name: "reviews", Path: "/items/{item}/reviews"},
		{Name: "favourite", Path: "/items/7"}, {Name: "buy", Method: "POST", Path: "/items/{item}"},
		{Name: "pay", Method: "POST", Path: "/pay", Service: "payment"}, {Name: "paid", Path: "/*", Service: "payment"},
		{Name: "ping", Method: "HEAD", Path: "/ping"},
		{Name: "orders", Path: "/users/{user}/orders"}, {Name: "order", Path: "/users/u{user}-x/orders/{item}.json"},
	}}
}

func TestRouteOfPrefersTheMostSpecific(t *testing.T) {
	w := catalogue()
	for _, c := range []struct{ service, method, path, want string }{
		{"", "GET", "/", "home"}, {"", "", "/", "home"}, {"", "GET", "/x", "any"}, {"", "GET", "/static/", "static"},
		{"", "GET", "/static/a/b.css", "static"}, {"", "GET", "/static", "any"}, {"", "GET", "/items/12", "item"},
		{"", "GET", "/items/blue-shoe?from=search", "item"}, {"", "GET", "/items/", "any"},
		{"", "GET", "/items/1/2", "any"},
		{"", "GET", "/items/12/reviews", "reviews"}, {"", "GET", "/items/7", "favourite"},
		{"", "POST", "/items/7", "buy"},
		{"", "POST", "/", ""}, {"", "HEAD", "/items/7", "favourite"}, {"", "HEAD", "/ping", "ping"},
		{"", "GET", "/ping", "any"},
		{"", "GET", "/users/7/orders", "orders"}, {"", "GET", "/users//orders", "any"},
		{"", "GET", "/users/7/8/orders", "any"}, {"", "GET", "/users/u7-x/orders/9.json", "order"},
		{"", "GET", "/users/u-x/orders/9.json", "any"}, {"", "GET", "/users/u7-x/orders/.json", "any"},
		{"", "GET", "/users/u7-y/orders/9.json", "any"}, {"", "GET", "/users/u7-x/x/orders/9.json", "any"},
		{"", "GET", "/users/u7-x/orders/9/1.json", "any"}, {"", "GET", "/users/u7-x", "any"},
		{"", "POST", "/pay", "pay"}, {"payment", "POST", "/pay", "pay"}, {"frontend", "POST", "/pay", "pay"},
		{"payment", "GET", "/items/7", "paid"}, {"frontend", "GET", "/items/7", "favourite"}, {"", "GET", "", ""},
	} {
		got := ""
		if i, ok := w.RouteOf(c.service, c.method, c.path); ok {
			got = w.Routes[i].Name
		}
		if got != c.want {
			t.Errorf("%s %s of %q: route %q, want %q", c.method, c.path, c.service, got, c.want)
		}
	}
}

// TestRouterAgreesWithAScan compares the compiled table with a linear scan of the routes.
func TestRouterAgreesWithAScan(t *testing.T) {
	paths := rapid.StringMatching(`(/[ab]{1,2}){1,3}(\{item\})?(/[ab])?|(/[ab]{1,2}){0,2}/\*`)
	services := rapid.SampledFrom([]string{"", "a", "b"})
	methods := rapid.SampledFrom([]string{"GET", "POST"})
	rapid.Check(t, func(t *rapid.T) {
		var w loadgen.Workload
		for range rapid.IntRange(1, 12).Draw(t, "routes") {
			w.Routes = append(w.Routes, loadgen.Route{
				Path: paths.Draw(t, "path"), Method: methods.Draw(t, "method"), Service: services.Draw(t, "service"),
			})
		}
		service, method := services.Draw(t, "asked"), methods.Draw(t, "by")
		path := rapid.StringMatching(`(/[ab]{1,2}){1,3}`).Draw(t, "for")
		want, best := -1, -1
		for i, r := range w.Routes {
			if s := scan(r, service, method, path); s > best {
				want, best = i, s
			}
		}
		got, ok := w.RouteOf(service, method, path)
		if ok != (want >= 0) || ok && got != want {
			t.Fatalf("%s %s of %q: route %d, %t; want %d of %+v", method, path, service, got, ok, want, w.Routes)
		}
	})
}

// scan returns how specifically a route matches, or -1 if it does not.
func scan(r loadgen.Route, service, method, path string) int {
	begin, tail, item := strings.Cut(r.Path, "{item}")
	prefix, star := strings.CutSuffix(r.Path, "*")
	rate := 0
	switch {
	case r.Method != method:
		return -1
	case item:
		middle := len(path) - len(begin) - len(tail)
		if middle < 1 || !strings.HasPrefix(path, begin) || !strings.HasSuffix(path, tail) ||
			strings.Contains(path[len(begin):len(begin)+middle], "/") {
			return -1
		}
		rate = 10_000 + 100*len(begin) + len(tail)
	case star:
		if !strings.HasPrefix(path, prefix) {
			return -1
		}
		rate = len(prefix)
	case r.Path != path:
		return -1
	default:
		rate = 20_000
	}
	switch {
	case service == "" || r.Service == service:
		rate += 200_000
	case r.Service == "":
		rate += 100_000
	}
	return rate
}

func BenchmarkRouter(b *testing.B) {
	w := catalogue()
	for i := range 500 {
		w.Routes = append(w.Routes, loadgen.Route{Path: "/more/" + strings.Repeat("x", i%40) + "/{item}"})
	}
	r := w.Router("frontend")
	b.ReportAllocs()
	for b.Loop() {
		r.Route("GET", "/items/12/reviews")
	}
}
