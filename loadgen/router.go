package loadgen

import (
	"cmp"
	"slices"
	"strings"
)

// itemPlaceholder stands for the number of an item in the path or body of a route.
const itemPlaceholder = "{item}"

// Router finds the route of a request to one service. It is compiled once, for servers that route
// every request, and is safe for concurrent use.
type Router struct {
	exact  map[string][]routeCandidate // by path
	items  prefixIndex
	prefix prefixIndex
}

// routeCandidate is a route that may match a path.
type routeCandidate struct {
	route  int
	method string
	// rank is 0 if the route belongs to the requested service, 1 if to the default service, 2 if to
	// another.
	rank int
	// tail is what follows the first placeholder in the path. It may contain the other one.
	tail string
}

// noRank is worse than every rank.
const noRank = 3

// prefixIndex holds candidates by a prefix of their path.
type prefixIndex struct {
	lengths []int // of the prefixes, longest first
	options map[string][]routeCandidate
}

// Router compiles the routes for a service. Routes of that service win over those without a
// service, and these over routes of other services, to which a request may be forwarded. An empty
// service prefers none.
func (w *Workload) Router(service string) *Router {
	r := &Router{exact: map[string][]routeCandidate{}, items: newShelf(), prefix: newShelf()}
	for i, route := range w.Routes {
		o := routeCandidate{route: i, method: cmp.Or(route.Method, defaultMethod), rank: rankOf(route.Service, service)}
		path, _, _ := strings.Cut(route.Path, "?")
		if prefix, tail, ok := cutPlaceholder(path); ok {
			o.tail = tail
			r.items.add(prefix, o)
		} else if prefix, ok := strings.CutSuffix(path, "*"); ok {
			r.prefix.add(prefix, o)
		} else {
			r.exact[path] = append(r.exact[path], o)
		}
	}
	sortCandidates(r.exact)
	r.items.sort()
	r.prefix.sort()
	return r
}

// cutPlaceholder cuts a path around its first placeholder.
func cutPlaceholder(path string) (before, after string, found bool) {
	before, after, found = strings.Cut(path, itemPlaceholder)
	if b, a, ok := strings.Cut(path, userPlaceholder); ok && (!found || len(b) < len(before)) {
		return b, a, true
	}
	return before, after, found
}

// rankOf returns the [routeCandidate] rank of a route.
func rankOf(have, asked string) int {
	switch {
	case asked == "" || have == asked:
		return 0
	case have == "":
		return 1
	}
	return 2
}

// sortCandidates sorts by rank; equal candidates keep the workload's order.
func sortCandidates(options map[string][]routeCandidate) {
	for _, list := range options {
		slices.SortStableFunc(list, func(a, b routeCandidate) int {
			return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(len(b.tail), len(a.tail)))
		})
	}
}

func newShelf() prefixIndex { return prefixIndex{options: map[string][]routeCandidate{}} }

func (s *prefixIndex) add(prefix string, o routeCandidate) {
	if s.options[prefix] == nil && !slices.Contains(s.lengths, len(prefix)) {
		s.lengths = append(s.lengths, len(prefix))
	}
	s.options[prefix] = append(s.options[prefix], o)
}

func (s *prefixIndex) sort() {
	slices.SortFunc(s.lengths, func(a, b int) int { return b - a })
	sortCandidates(s.options)
}

// Route returns the index of the route for a method and a path, or false for none. Exact paths win
// over those with a placeholder, and those over prefixes; longer ones win over shorter ones. A
// placeholder matches any text without a slash. The query is ignored. HEAD uses the routes of GET unless it has its
// own, and an empty method means GET.
func (r *Router) Route(method, path string) (route int, ok bool) {
	if i := strings.IndexByte(path, '?'); i >= 0 {
		path = path[:i]
	}
	best := routeCandidate{rank: noRank}
	method = cmp.Or(method, defaultMethod)
	best.better(r.exact[path], method, func(*routeCandidate) bool { return true })
	for _, n := range r.items.lengths {
		if best.rank == 0 {
			break
		}
		if n <= len(path) {
			best.better(r.items.options[path[:n]], method, func(o *routeCandidate) bool {
				return matchTail(path[n:], o.tail)
			})
		}
	}
	for _, n := range r.prefix.lengths {
		if best.rank == 0 {
			break
		}
		if n <= len(path) {
			best.better(r.prefix.options[path[:n]], method, func(*routeCandidate) bool { return true })
		}
	}
	if best.rank == noRank && method == "HEAD" {
		return r.Route("GET", path)
	}
	return best.route, best.rank < noRank
}

// better returns the first candidate of a sorted list that matches, if its rank is better than
// best's.
func (o *routeCandidate) better(list []routeCandidate, method string, fits func(*routeCandidate) bool) {
	for i := range list {
		if other := &list[i]; other.method == method && other.rank < o.rank && fits(other) {
			*o = *other
			return
		}
	}
}

// matchTail reports whether the rest of a path is a value followed by a tail. Placeholders of one
// path are in different segments, so that a value ends before the next slash.
func matchTail(rest, tail string) bool {
	literal, after, more := cutPlaceholder(tail)
	if !more {
		value, ok := strings.CutSuffix(rest, tail)
		return ok && value != "" && strings.IndexByte(value, '/') < 0
	}
	before, _, _ := strings.Cut(literal, "/")
	segment, _, ok := strings.Cut(rest, "/")
	if !ok || len(segment) <= len(before) || !strings.HasSuffix(segment, before) {
		return false
	}
	rest, ok = strings.CutPrefix(rest[len(segment):], literal[len(before):])
	return ok && matchTail(rest, after)
}

// itemOf returns what a path has in place of the item of a route's path, or "" for none. The path
// is one that the route matches.
func (r Route) itemOf(path string) string {
	pattern, _, _ := strings.Cut(r.Path, "?")
	before, after, ok := strings.Cut(pattern, itemPlaceholder)
	segments, n := strings.Split(path, "/"), strings.Count(before, "/")
	if !ok || n >= len(segments) {
		return ""
	}
	head, tail := before[strings.LastIndexByte(before, '/')+1:], after
	if i := strings.IndexByte(after, '/'); i >= 0 {
		tail = after[:i]
	}
	return strings.TrimSuffix(strings.TrimPrefix(segments[n], head), tail)
}

// RouteOf returns the route of a request to a service, or false for none. Callers that route more
// than one request should use [Router.Route].
func (w *Workload) RouteOf(service, method, path string) (route int, ok bool) {
	return w.Router(service).Route(method, path)
}
