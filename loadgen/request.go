package loadgen

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// defaultMethod is the method of a route without one.
const defaultMethod = "GET"

// Seed returns the seed of the plan.
func (p *Plan) Seed() uint64 { return p.seed }

// Method returns the HTTP method of an arrival: that of its route, or of its log line.
func (p *Plan) Method(a Arrival) string {
	if l := p.line(a); l != nil {
		return l.Method
	}
	return p.workload.Routes[a.Route].Method
}

// Target returns the request target of an arrival: the path and query of its route, in which {item}
// and {user} are replaced by the arrival's item and user, and the cohort's cache buster has a value
// that no other arrival of the plan has. All attempts at an arrival have the same target. For a replayed log it is the
// target of the log line.
func (p *Plan) Target(a Arrival) string {
	if l := p.line(a); l != nil {
		return l.Target
	}
	path, buster := p.workload.Routes[a.Route].Path, p.workload.Cohorts[a.Cohort].CacheBuster
	if p.isVaried[a.Route] {
		path = expand(path, a.User, strconv.FormatUint(uint64(a.Item), 10))
	}
	if buster == "" {
		return path
	}
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	// The words of a stream are distinct, because they are a one-to-one function of the index.
	return path + separator + buster + "=" + strconv.FormatUint(p.cacheBusters.Bits(a.Seq), 16)
}

// expand replaces the placeholders of a path or body.
func expand(text string, user uint32, item string) string {
	return strings.NewReplacer(itemPlaceholder, item,
		userPlaceholder, strconv.FormatUint(uint64(user), 10)).Replace(text)
}

// Body returns the content of an arrival's request: the body of its route, or "" without one. In a
// replayed log {item} stands for what the target of the line has in its place, or for the number of
// the line if the route's path has no item.
func (p *Plan) Body(a Arrival) string {
	route := &p.workload.Routes[a.Route]
	if !route.VariesBody() {
		return route.Body
	}
	item := strconv.FormatUint(uint64(a.Item), 10)
	if l := p.line(a); l != nil {
		path, _, _ := strings.Cut(l.Target, "?")
		item = cmp.Or(route.itemOf(path), item)
	}
	return expand(route.Body, a.User, item)
}

// routeHeaders returns the headers of an arrival's route.
func (p *Plan) routeHeaders(a Arrival) []Pair {
	pairs := p.workload.Routes[a.Route].Headers
	list := make([]Pair, len(pairs))
	for i, x := range pairs {
		list[i] = x.expand(a.User)
	}
	return list
}

// RequestHeaders returns what is sent with the request of an arrival: the headers of [Plan.Headers],
// in which those of the route replace those of the same names. The caller must not change it.
func (p *Plan) RequestHeaders(a Arrival) []Pair {
	list := p.Headers(a.Cohort, a.User)
	if own := p.routeHeaders(a); len(own) > 0 {
		list = slices.DeleteFunc(slices.Clone(list), func(x Pair) bool {
			return slices.ContainsFunc(own, func(y Pair) bool { return strings.EqualFold(x.Name, y.Name) })
		})
		list = append(list, own...)
	}
	return list
}

// VariesPath reports whether the paths of a route's requests differ.
func (r Route) VariesPath() bool {
	return strings.Contains(r.Path, itemPlaceholder) || strings.Contains(r.Path, userPlaceholder)
}

// VariesBody reports whether the bodies of a route's requests differ.
func (r Route) VariesBody() bool {
	return strings.Contains(r.Body, itemPlaceholder) || strings.Contains(r.Body, userPlaceholder)
}

// VariesHeaders reports whether the headers of a route differ between users.
func (r Route) VariesHeaders() bool {
	return slices.ContainsFunc(r.Headers, func(x Pair) bool { return strings.Contains(x.Value, userPlaceholder) })
}

// itemPart names the part of a route's requests that contains an item: path, body, or "" for none.
func (r Route) itemPart() string {
	switch {
	case strings.Contains(r.Path, itemPlaceholder):
		return "path"
	case strings.Contains(r.Body, itemPlaceholder):
		return "body"
	}
	return ""
}
