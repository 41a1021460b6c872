package loadgen

import (
	"strconv"
	"strings"
)

// defaultMethod is that of a route without one.
const defaultMethod = "GET"

// Seed is what the plan was made from.
func (p *Plan) Seed() uint64 { return p.seed }

// Method is the HTTP method of an arrival: its route's, or that of the log.
func (p *Plan) Method(a Arrival) string {
	if l := p.line(a); l != nil {
		return l.Method
	}
	return p.workload.Routes[a.Route].Method
}

// Target is what an arrival asks for: the path of its route and the query, in which {item} is the arrival's item, and the
// cohort's cache buster has a value that no other arrival of the plan has. All attempts at an arrival have one target. Where a
// log is replayed it is the target of the log; the bodies of its requests are lost, so that a POST has none.
func (p *Plan) Target(a Arrival) string {
	if l := p.line(a); l != nil {
		return l.Target
	}
	path, buster := p.workload.Routes[a.Route].Path, p.workload.Cohorts[a.Cohort].CacheBuster
	if p.hasItem[a.Route] {
		path = strings.ReplaceAll(path, itemPlaceholder, strconv.FormatUint(uint64(a.Item), 10))
	}
	if buster == "" {
		return path
	}
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	// The words of a stream differ from each other, because its function of the counter is one-to-one.
	return path + separator + buster + "=" + strconv.FormatUint(p.cacheBusters.Bits(a.Seq), 16)
}
