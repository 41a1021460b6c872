package loadgen

import (
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
// is replaced by the arrival's item and the cohort's cache buster has a value that no other arrival
// of the plan has. All attempts at an arrival have the same target. For a replayed log it is the
// target of the log line. Logs do not contain request bodies, so a replayed POST has none.
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
	// The words of a stream are distinct, because they are a one-to-one function of the index.
	return path + separator + buster + "=" + strconv.FormatUint(p.cacheBusters.Bits(a.Seq), 16)
}
