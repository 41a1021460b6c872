package loadgen

import (
	"cmp"
	"slices"
	"strings"
)

// itemPlaceholder stands for the number of an item in the path of a route.
const itemPlaceholder = "{item}"

// Router tells which route a request to one service is for. It is compiled, for servers that ask for each request, and may be
// used by several goroutines at once.
type Router struct {
	exact  map[string][]routeCandidate // by path
	items  prefixIndex
	prefix prefixIndex
}

// routeCandidate is a route that a path may be for.
type routeCandidate struct {
	route  int
	method string
	// rank is how far the route's service is from the one that is asked: 0 the same, 1 the default one, 2 another.
	rank int
	// tail stands after the item.
	tail string
}

// noRank is worse than every rank.
const noRank = 3

// prefixIndex holds options by what their path begins with.
type prefixIndex struct {
	lengths []int // of the beginnings, longest first
	options map[string][]routeCandidate
}

// Router compiles the routes for a service. Routes of that service go before those without one, and these before those of other
// services, to which a request may be passed on; an empty service prefers none.
func (w *Workload) Router(service string) *Router {
	r := &Router{exact: map[string][]routeCandidate{}, items: newShelf(), prefix: newShelf()}
	for i, route := range w.Routes {
		o := routeCandidate{route: i, method: cmp.Or(route.Method, defaultMethod), rank: rankOf(route.Service, service)}
		path, _, _ := strings.Cut(route.Path, "?")
		if begin, tail, ok := strings.Cut(path, itemPlaceholder); ok {
			o.tail = tail
			r.items.add(begin, o)
		} else if begin, ok := strings.CutSuffix(path, "*"); ok {
			r.prefix.add(begin, o)
		} else {
			r.exact[path] = append(r.exact[path], o)
		}
	}
	sortCandidates(r.exact)
	r.items.sort()
	r.prefix.sort()
	return r
}

// rankOf is [option.rank].
func rankOf(have, asked string) int {
	switch {
	case asked == "" || have == asked:
		return 0
	case have == "":
		return 1
	}
	return 2
}

// sortCandidates puts the best option first. Routes that differ in nothing stay in the workload's order.
func sortCandidates(options map[string][]routeCandidate) {
	for _, list := range options {
		slices.SortStableFunc(list, func(a, b routeCandidate) int {
			return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(len(b.tail), len(a.tail)))
		})
	}
}

func newShelf() prefixIndex { return prefixIndex{options: map[string][]routeCandidate{}} }

func (s *prefixIndex) add(begin string, o routeCandidate) {
	if s.options[begin] == nil && !slices.Contains(s.lengths, len(begin)) {
		s.lengths = append(s.lengths, len(begin))
	}
	s.options[begin] = append(s.options[begin], o)
}

func (s *prefixIndex) sort() {
	slices.SortFunc(s.lengths, func(a, b int) int { return b - a })
	sortCandidates(s.options)
}

// Route returns the index of the route for a method and a path; false for none. Exact paths go before those with an item, and
// those before prefixes; longer ones first. An item is any text without a slash. A query does not matter, HEAD is for the routes
// of GET where it has none of its own, and an empty method is GET.
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
			best.better(r.items.options[path[:n]], method, func(o *routeCandidate) bool { return o.isItem(path[n:]) })
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

// better takes the first of an ordered list that fits, if it is better.
func (o *routeCandidate) better(list []routeCandidate, method string, fits func(*routeCandidate) bool) {
	for i := range list {
		if other := &list[i]; other.method == method && other.rank < o.rank && fits(other) {
			*o = *other
			return
		}
	}
}

// isItem tells whether the rest of a path is an item and the option's tail.
func (o *routeCandidate) isItem(rest string) bool {
	item, ok := strings.CutSuffix(rest, o.tail)
	return ok && item != "" && strings.IndexByte(item, '/') < 0
}

// RouteOf returns the route that a request to a service is for; false for none. See [Router.Route], which is for whoever asks
// more than once.
func (w *Workload) RouteOf(service, method, path string) (route int, ok bool) {
	return w.Router(service).Route(method, path)
}
