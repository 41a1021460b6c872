package mesh_test

import (
	"testing"

	"coalmine/lab/mesh"
)

// TestRedirects compares locations with what the proxy's code makes of a filter.
func TestRedirects(t *testing.T) {
	path := func(s string) *string { return &s }
	prefix := mesh.Match{Path: mesh.PathMatch{Kind: mesh.PathPrefix, Value: "/old"}}
	exact := mesh.Match{Path: mesh.PathMatch{Kind: mesh.PathExact, Value: "/old/x"}}
	old := mesh.Request{Host: "shop", Path: "/old/x", Query: "q=1"}
	on := func(port int, path string) mesh.Request { return mesh.Request{Host: "shop", Port: port, Path: path} }
	toPrefix := func(s string) mesh.Redirect { return mesh.Redirect{PrefixPath: &s} }
	prefixed := []mesh.Match{prefix}
	for name, c := range map[string]struct {
		matches  []mesh.Match
		redirect mesh.Redirect
		request  mesh.Request
		status   int
		want     string
	}{
		"host": {nil, mesh.Redirect{Host: "other"}, old, 302, "http://other/old/x?q=1"},
		"host keeps the port": {nil, mesh.Redirect{Host: "other"}, on(8080, "/"), 302,
			"http://other:8080/"},
		"default port with a host stays": {nil, mesh.Redirect{Scheme: "https", Host: "other", Port: 443}, old, 302,
			"https://other:443/old/x?q=1"},
		"default port alone goes": {nil, mesh.Redirect{Scheme: "https", Port: 443},
			on(80, "/"), 302, "https://shop/"},
		"full path drops the query": {nil, mesh.Redirect{FullPath: path("/new"), Status: 301}, old, 301,
			"http://shop/new"},
		"prefix":                   {prefixed, toPrefix("/new"), old, 302, "http://shop/new/x?q=1"},
		"prefix by a root":         {prefixed, toPrefix("/"), old, 302, "http://shop//x?q=1"},
		"prefix is the path":       {prefixed, toPrefix("/new"), on(0, "/old"), 302, "http://shop/new"},
		"prefix of any match":      {nil, toPrefix("/new"), on(0, "/x"), 302, "http://shop/new/x"},
		"prefix of an exact match": {[]mesh.Match{exact}, toPrefix("/new"), old, 500, ""},
		"to itself":                {nil, mesh.Redirect{Host: "shop"}, old, 0, ""},
	} {
		table, err := mesh.Compile([]mesh.Route{onShop(mesh.Rule{Matches: c.matches})})
		if err != nil {
			t.Fatal(err)
		}
		rule := table.Match("develop", "shop", 80, &c.request)
		status, location, ok := c.redirect.Answer(&c.request, rule.MatchedPrefix(&c.request))
		if status != c.status || location != c.want || ok != (c.status != 0) {
			t.Errorf("%s: %d %s, want %d %s", name, status, location, c.status, c.want)
		}
	}
}
