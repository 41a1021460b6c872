package serve

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
	router  *loadgen.Router
	numbers map[string]int // by name
	names   []string
	methods []string
	own     map[string]bool
	// catch is the route of a replayed log for what fits no other, by whatever method; -1 for none.
	catch int
	// list has some of the routes, for who asks for another path.
	list string
}

// maxListed is how many routes an answer names.
const maxListed = 10

func newRoutes(w *loadgen.Workload, service string) routes {
	t := routes{
		router: w.Router(service), numbers: map[string]int{},
		own: map[string]bool{metricsPath: true, healthPath: true, readyPath: true}, catch: -1,
	}
	for i, r := range w.Routes {
		if method := cmp.Or(r.Method, http.MethodGet); !slices.Contains(t.methods, method) {
			t.methods = append(t.methods, method)
		}
		path, _, _ := strings.Cut(r.Path, "?")
		delete(t.own, path)
		if w.Replay != nil && path == "/*" {
			t.catch = i
		}
		t.numbers[r.Name] = i
		t.names = append(t.names, r.Name)
	}
	slices.Sort(t.methods)
	t.list = listRoutes(w.Routes)
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
	if n, ok := t.numbers[r.Header.Get(routeHeader)]; ok && (r.Method == http.MethodHead || slices.Contains(t.methods, r.Method)) {
		return n, nil, true
	}
	path := r.URL.EscapedPath()
	if n, ok := t.router.Route(r.Method, path); ok {
		return n, nil, true
	}
	if t.catch >= 0 && strings.HasPrefix(path, "/") {
		return t.catch, nil, true
	}
	for _, method := range t.methods {
		if _, ok := t.router.Route(method, path); ok {
			allowed = append(allowed, method)
		}
	}
	return 0, allowed, false
}
