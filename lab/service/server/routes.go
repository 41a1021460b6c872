package server

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"coalmine/loadgen"
)

// Paths of the service's own. A route of the workload with such a path takes it.
const (
	metricsPath = "/metrics"
	healthPath  = "/healthz"
	readyPath   = "/readyz"
)

// routes finds out what a request asks for.
type routes struct {
	router   *loadgen.Router
	indices  map[string]int // by name
	names    []string
	methods  []string
	opsPaths map[string]bool
	// catchAll is the route of a replayed log for what fits no other, by whatever method; -1 for none.
	catchAll int
	// listing has some of the routes, for who asks for another path.
	listing string
}

// maxListed is how many routes an answer names.
const maxListed = 10

func newRoutes(w *loadgen.Workload, service string) routes {
	t := routes{
		router: w.Router(service), indices: map[string]int{},
		opsPaths: map[string]bool{metricsPath: true, healthPath: true, readyPath: true}, catchAll: -1,
	}
	for i, r := range w.Routes {
		if method := cmp.Or(r.Method, http.MethodGet); !slices.Contains(t.methods, method) {
			t.methods = append(t.methods, method)
		}
		path, _, _ := strings.Cut(r.Path, "?")
		delete(t.opsPaths, path)
		if w.Replay != nil && path == "/*" {
			t.catchAll = i
		}
		t.indices[r.Name] = i
		t.names = append(t.names, r.Name)
	}
	slices.Sort(t.methods)
	t.listing = listRoutes(w.Routes)
	return t
}

// listRoutes names the first routes as they are asked for.
func listRoutes(all []loadgen.Route) string {
	var list []string
	for _, r := range all[:min(len(all), maxListed)] {
		list = append(list, cmp.Or(r.Method, http.MethodGet)+" "+r.Path)
	}
	if len(all) > maxListed {
		list = append(list, "…")
	}
	return strings.Join(list, ", ")
}

// find returns the route of a request; where there is none, the methods by which its path can be asked for. Another service that
// calls names the route.
func (t *routes) find(r *http.Request) (route int, allowed []string, ok bool) {
	if n, ok := t.indices[r.Header.Get(routeHeader)]; ok && (r.Method == http.MethodHead || slices.Contains(t.methods, r.Method)) {
		return n, nil, true
	}
	path := r.URL.EscapedPath()
	if n, ok := t.router.Route(r.Method, path); ok {
		return n, nil, true
	}
	if t.catchAll >= 0 && strings.HasPrefix(path, "/") {
		return t.catchAll, nil, true
	}
	for _, method := range t.methods {
		if _, ok := t.router.Route(method, path); ok {
			allowed = append(allowed, method)
		}
	}
	return 0, allowed, false
}
