package loadgen

import (
	"strconv"
	"strings"
)

// defaultMethod is that of a route without one.
const defaultMethod = "GET"

// Seed is what the plan was made from.
func (p *Plan) Seed() uint64 { return p.seed }

// Method is the HTTP method of an arrival: its route's.
func (p *Plan) Method(a Arrival) string { return p.workload.Routes[a.Route].Method }

// Target is what an arrival asks for: the path of its route and the query, in which {item} is the arrival's item, and the
// cohort's cache buster has a value that no other arrival of the plan has. All attempts at an arrival have one target.
func (p *Plan) Target(a Arrival) string {
	path, buster := p.workload.Routes[a.Route].Path, p.workload.Cohorts[a.Cohort].CacheBuster
	if strings.Contains(path, itemMark) {
		path = strings.ReplaceAll(path, itemMark, strconv.FormatUint(uint64(a.Item), 10))
	}
	if buster == "" {
		return path
	}
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	// The words of a stream differ from each other, because its function of the counter is one-to-one.
	return path + separator + buster + "=" + strconv.FormatUint(p.busters.Bits(a.Seq), 16)
}
