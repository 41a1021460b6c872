package mesh_test

import (
	"math"
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"

	"coalmine/lab/mesh"
	"coalmine/loadgen/rng"
)

func path(kind mesh.PathKind, value string) mesh.Match {
	return mesh.Match{Path: mesh.PathMatch{Kind: kind, Value: value}}
}

func header(name, value string) mesh.ValueMatch { return mesh.ValueMatch{Name: name, Value: value} }

func pattern(name, value string) mesh.ValueMatch {
	return mesh.ValueMatch{Name: name, Value: value, Regex: true}
}

func onShop(rules ...mesh.Rule) mesh.Route {
	return mesh.Route{
		Name: "shop", Namespace: "develop", Parents: []mesh.Parent{{Service: "shop", Namespace: "develop"}},
		Rules: rules,
	}
}

// first returns the index of the rule that a request takes, or -1 for none.
func first(t *testing.T, r *mesh.Request, matches ...mesh.Match) int {
	t.Helper()
	var rules []mesh.Rule
	for _, m := range matches {
		rules = append(rules, mesh.Rule{Matches: []mesh.Match{m}})
	}
	table, err := mesh.Compile([]mesh.Route{onShop(rules...)})
	if err != nil {
		t.Fatal(err)
	}
	found := table.Match("develop", "shop", 80, r)
	if found == nil {
		return -1
	}
	return found.Index
}

func TestPrecedence(t *testing.T) {
	get := &mesh.Request{
		Method: "GET", Path: "/cart/items", Query: "a=1&b=2",
		Headers: []mesh.Header{{Name: "X-Canary", Value: "always"}, {Name: "X-Other", Value: "1"}},
	}
	exact, long, short := path(mesh.PathExact, "/cart/items"), path(mesh.PathPrefix, "/cart"),
		path(mesh.PathPrefix, "/")
	oneHeader := mesh.Match{Headers: []mesh.ValueMatch{header("x-canary", "always")}}
	twoHeaders := mesh.Match{Headers: []mesh.ValueMatch{header("x-canary", "always"), header("x-other", "1")}}
	oneQuery := mesh.Match{Query: []mesh.ValueMatch{header("a", "1")}}
	twoQueries := mesh.Match{Query: []mesh.ValueMatch{header("a", "1"), pattern("b", "[0-9]")}}
	method := mesh.Match{Method: "GET"}
	for name, c := range map[string]struct {
		matches []mesh.Match
		want    int
	}{
		"exact path before prefix":        {[]mesh.Match{long, exact}, 1},
		"longest prefix":                  {[]mesh.Match{short, long}, 1},
		"regex counts the whole path":     {[]mesh.Match{long, path(mesh.PathRegex, "/c.*")}, 1},
		"path before headers":             {[]mesh.Match{twoHeaders, long}, 1},
		"headers before none":             {[]mesh.Match{short, oneHeader}, 1},
		"most headers":                    {[]mesh.Match{oneHeader, twoHeaders}, 1},
		"most query parameters":           {[]mesh.Match{oneQuery, twoQueries}, 1},
		"headers before query parameters": {[]mesh.Match{twoQueries, oneHeader}, 1},
		"method before none":              {[]mesh.Match{short, method}, 1},
		"the proxy puts headers first":    {[]mesh.Match{method, oneHeader}, 1},
		"first rule of equals":            {[]mesh.Match{oneHeader, oneHeader}, 0},
		"no condition is the prefix /":    {[]mesh.Match{{}, short}, 0},
		"other method":                    {[]mesh.Match{{Method: "POST"}}, -1},
		"other value": {[]mesh.Match{{Headers: []mesh.ValueMatch{header("x-canary", "Always")}}},
			-1},
		"all headers must match": {[]mesh.Match{{Headers: []mesh.ValueMatch{header("x-canary", "always"),
			header("x", "y")}}}, -1},
		"all query parameters must match": {[]mesh.Match{{Query: []mesh.ValueMatch{header("a", "1"),
			header("b", "3")}}}, -1},
		"query names are case-sensitive":    {[]mesh.Match{{Query: []mesh.ValueMatch{header("A", "1")}}}, -1},
		"path prefix compares elements":     {[]mesh.Match{path(mesh.PathPrefix, "/car")}, -1},
		"path prefix with slash at the end": {[]mesh.Match{path(mesh.PathPrefix, "/cart/items/")}, 0},
		"path regex must match all of it":   {[]mesh.Match{path(mesh.PathRegex, "/cart")}, -1},
	} {
		if got := first(t, get, c.matches...); got != c.want {
			t.Errorf("%s: rule %d, want %d", name, got, c.want)
		}
	}
}

// Mistakes in A/B tests by cookie that send nobody, or the wrong users, to the canary.
func TestRegexMatchesTheWholeValue(t *testing.T) {
	for _, c := range []struct {
		expr, value string
		want        bool
	}{
		{`^(.*?;)?(type=insider)(;.*)?$`, "type=insider", true},
		{`^(.*?;)?(type=insider)(;.*)?$`, "a=1; type=insider", false}, // the space after the semicolon
		{`^(.*;\s*)?type=insider(;.*)?$`, "a=1; type=insider", true},
		{`^(.*;\s*)?type=insider(;.*)?$`, "type=insider; b=2", true},
		{`^(.*;\s*)?type=insider(;.*)?$`, "mytype=insider", false},
		{`type=insider`, "type=insider2", false},
		{`type=insider`, "a; type=insider", false},
		{`.*flagger-cookie.*abc.*`, "x=1; flagger-cookie=abc", true},
		{`a|ab`, "ab", false}, // the first alternative decides
		{`ab|a`, "ab", true},
		{``, "", true},
		{``, "x", false},
	} {
		r := &mesh.Request{Path: "/", Headers: []mesh.Header{{Name: "cookie", Value: c.value}}}
		m := mesh.Match{Headers: []mesh.ValueMatch{pattern("Cookie", c.expr)}}
		if got := first(t, r, m) == 0; got != c.want {
			t.Errorf("%q matches %q: %v, want %v", c.expr, c.value, got, c.want)
		}
	}
}

func TestAnyHeaderOfANameMatches(t *testing.T) {
	r := &mesh.Request{Path: "/", Headers: []mesh.Header{{Name: "X-A", Value: "1"}, {Name: "x-a", Value: "2"}}}
	if first(t, r, mesh.Match{Headers: []mesh.ValueMatch{header("X-a", "2")}}) != 0 {
		t.Error("the second of two headers of one name did not match")
	}
}

func TestOlderRouteWins(t *testing.T) {
	at := func(name string, hour int) mesh.Route {
		r := onShop(mesh.Rule{})
		r.Name = name
		if hour >= 0 {
			r.Created = time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC)
		}
		return r
	}
	for _, c := range []struct {
		a, b mesh.Route
		want string
	}{
		{at("a", 2), at("b", 1), "b"},
		{at("b", 1), at("a", 1), "a"},
		{at("a", -1), at("b", 5), "b"},
	} {
		table, err := mesh.Compile([]mesh.Route{c.a, c.b})
		if err != nil {
			t.Fatal(err)
		}
		if got := table.Match("develop", "shop", 80, &mesh.Request{Path: "/"}).Route.Name; got != c.want {
			t.Errorf("route %s, want %s", got, c.want)
		}
	}
}

func TestHostnames(t *testing.T) {
	route := onShop(mesh.Rule{})
	for _, c := range []struct {
		hostnames []string
		host      string
		want      bool
	}{
		{nil, "shop.develop", true},
		{[]string{"shop.develop"}, "shop.develop.", true},
		{[]string{"shop.develop"}, "Shop.develop", false}, // the proxy compares letters as they are
		{[]string{"*.develop"}, "a.shop.develop", true},
		{[]string{"*.develop"}, "develop", false},
		{[]string{"*.develop"}, "xdevelop", false},
		{[]string{"app.example.com"}, "shop.develop", false},
	} {
		route.Hostnames = c.hostnames
		table, err := mesh.Compile([]mesh.Route{route})
		if err != nil {
			t.Fatal(err)
		}
		if got := table.Match("develop", "shop", 80, &mesh.Request{Path: "/", Host: c.host}) != nil; got != c.want {
			t.Errorf("%v matches %q: %v, want %v", c.hostnames, c.host, got, c.want)
		}
	}
}

func TestAttachment(t *testing.T) {
	route := onShop(mesh.Rule{})
	route.Parents[0].Port = 80
	table, err := mesh.Compile([]mesh.Route{route})
	if err != nil {
		t.Fatal(err)
	}
	if !table.HasRoutes("develop", "shop", 80) || table.HasRoutes("develop", "shop", 81) ||
		table.HasRoutes("other", "shop", 80) ||
		table.HasRoutes("develop", "shop-canary", 80) {
		t.Error("a route attaches to the wrong Services or ports")
	}
}

func TestInvalidRegexKeepsOtherRoutes(t *testing.T) {
	broken := onShop(mesh.Rule{Matches: []mesh.Match{{Headers: []mesh.ValueMatch{pattern("a", "(")}}}})
	table, err := mesh.Compile([]mesh.Route{broken, {Name: "ok", Parents: []mesh.Parent{{Service: "b"}},
		Rules: []mesh.Rule{{}}}})
	if err == nil || table.HasRoutes("develop", "shop", 80) || !table.HasRoutes("", "b", 1) {
		t.Errorf("error %v", err)
	}
}

func TestRuleString(t *testing.T) {
	m := mesh.Match{
		Method: "GET", Path: mesh.PathMatch{Kind: mesh.PathPrefix, Value: "/a"},
		Headers: []mesh.ValueMatch{header("x", "1"), pattern("Cookie", "c.*")},
		Query:   []mesh.ValueMatch{header("q", "2")},
	}
	r := mesh.Rule{Matches: []mesh.Match{m, path(mesh.PathExact, "/b")}}
	if got, want := r.String(), "method GET, path under /a, header x: 1, header Cookie ~ c.*, query q: 2 "+
		"or path /b"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	if got := (mesh.Rule{Matches: []mesh.Match{m, path(mesh.PathPrefix, "/")}}).String(); got != "" {
		t.Errorf("a rule that matches everything is %q, want \"\"", got)
	}
}

func rule(weights ...int) *mesh.CompiledRule {
	r := &mesh.CompiledRule{}
	for _, w := range weights {
		r.Backends = append(r.Backends, mesh.Backend{Weight: w})
	}
	return r
}

func all(int) bool { return true }

func TestPickFollowsWeights(t *testing.T) {
	const n = 100_000
	stream := rng.New(3, "pick")
	for _, weights := range [][]int{{95, 5}, {50, 50}, {1, 1, 8}, {0, 7, 3}} {
		var got [3]int
		total := 0
		r := rule(weights...)
		for i := range uint64(n) {
			got[r.Pick(stream.Bits(i), all)]++
		}
		for _, w := range weights {
			total += w
		}
		for i, w := range weights {
			share := float64(w) / float64(total)
			// Five standard deviations of the binomial distribution.
			if off := math.Abs(float64(got[i]) - n*share); off > 5*math.Sqrt(n*share*(1-share)) {
				t.Errorf("weights %v: backend %d got %d of %d", weights, i, got[i], n)
			}
		}
	}
}

func TestUnavailableBackendLeavesItsShare(t *testing.T) {
	r := rule(30, 60, 10)
	rapid.Check(t, func(t *rapid.T) {
		up := rapid.SliceOfN(rapid.Bool(), 3, 3).Draw(t, "up")
		got := r.Pick(rapid.Uint64().Draw(t, "word"), func(i int) bool { return up[i] })
		any := up[0] || up[1] || up[2]
		if (got >= 0) != any || got >= 0 && !up[got] {
			t.Fatalf("picked %d of %v", got, up)
		}
		sum := 0.0
		for i := range 3 {
			sum += r.Share(i, func(i int) bool { return up[i] })
		}
		if any && math.Abs(sum-1) > 1e-9 {
			t.Fatalf("shares sum to %g", sum)
		}
	})
	if got := rule(0, 0).Pick(1, all); got != -1 {
		t.Errorf("backends of weight 0 were picked: %d", got)
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("/a", "/a/b", "x=1", `^(.*;\s*)?x=1(;.*)?$`, "a=1&b")
	f.Add("/", "", "", "(", "%zz")
	f.Add("//", "/ä", ";;", `\x{10FFFF}`, "=;&")
	f.Fuzz(func(t *testing.T, prefix, requested, cookie, expr, query string) {
		table, err := mesh.Compile([]mesh.Route{onShop(
			mesh.Rule{Matches: []mesh.Match{{
				Path:    mesh.PathMatch{Kind: mesh.PathPrefix, Value: prefix},
				Headers: []mesh.ValueMatch{pattern("Cookie", expr)},
				Query:   []mesh.ValueMatch{header("a", "1")},
			}}},
		)})
		if _, broken := regexp.Compile(expr); (broken != nil) != (err != nil) {
			t.Fatalf("%q: %v", expr, err)
		}
		r := &mesh.Request{Path: requested, Query: query, Headers: []mesh.Header{{Name: "cookie", Value: cookie}}}
		if table.Match("develop", "shop", 1, r) != nil && !regexp.MustCompile("(?s)"+expr).MatchString(cookie) {
			t.Fatalf("%q matched %q", expr, cookie)
		}
	})
}
