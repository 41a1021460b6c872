package server

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"coalmine/loadgen"
)

// Paths of metrics and health checks. A route of the workload with the same path takes precedence.
const (
	metricsPath = "/metrics"
	healthPath  = "/healthz"
	readyPath   = "/readyz"
)

// routes maps requests to routes of the workload.
type routes struct {
	router   *loadgen.Router
	indices  map[string]int // by name
	names    []string
	methods  []string
	opsPaths map[string]bool
	// catchAll is the route of a replayed log for all other requests, or -1.
	catchAll int
	// listing lists some of the routes, for error messages.
	listing string
}

// maxListed is the maximum number of routes in an error message.
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

// listRoutes lists the first routes as method and path.
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

// find returns the route of a request, or the methods that its path allows. Calls of other services
// name the route in a header.
func (t *routes) find(r *http.Request) (route int, allowed []string, ok bool) {
	knownMethod := r.Method == http.MethodHead || slices.Contains(t.methods, r.Method)
	if n, ok := t.indices[r.Header.Get(routeHeader)]; ok && knownMethod {
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
