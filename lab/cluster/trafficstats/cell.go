package trafficstats

import (
	"cmp"
	"slices"
	"time"

	"coalmine/lab/event"
)

// cell counts the requests of one cohort on one route that one workload served.
type cell struct {
	filled                                                                   bool
	n, retried, errors, denied, limited, slow, wrong, bad, hit, harm, byMesh int
	proxyRetried                                                             int
	latency                                                                  [event.LatencyBuckets]int32
	low, high                                                                int // first and last non-empty bucket
}

// add counts a response and reports whether it is bad, and whether that is harm that its user got
// from the fault or from a proxy.
func (c *cell) add(r *Response, slow bool) (bad, harm bool) {
	c.n++
	bad = r.Wrong || slow || r.ByMesh
	switch {
	case r.Status >= 500 || r.Status == 0:
		c.errors++
		bad = true
	case r.Status == 403:
		c.denied++
		bad = true
	case r.Status == 429:
		c.limited++
		bad = true
	}
	if r.Wrong {
		c.wrong++
	}
	if slow {
		c.slow++
	}
	if bad {
		c.bad++
	}
	if r.Hit {
		c.hit++
	}
	switch {
	case bad && r.Hit:
		c.harm++
	case r.ByMesh:
		c.byMesh++
	}
	return bad, bad && r.Hit || r.ByMesh
}

func (c *cell) addLatency(latency time.Duration) {
	b := event.LatencyBucket(latency)
	c.latency[b]++
	c.low, c.high = min(c.low, b), max(c.high, b)
}

// Cells returns the counts since the last call, sorted by cohort, route, workload and version.
func (s *Stats) Cells() []event.Cell {
	list := make([]event.Cell, 0, len(s.filled))
	for _, at := range s.filled {
		list = append(list, s.export(at))
		*s.cells[at] = cell{}
	}
	s.filled = s.filled[:0]
	slices.SortFunc(list, func(a, b event.Cell) int {
		return cmp.Or(cmp.Compare(a.Cohort, b.Cohort), cmp.Compare(a.Route, b.Route),
			cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Version, b.Version))
	})
	return list
}

func (s *Stats) export(at int) event.Cell {
	routes, cohorts := len(s.routes), len(s.cohorts)
	c, w := s.cells[at], &s.workloads[at/(routes*cohorts)]
	return event.Cell{
		Cohort: s.cohorts[at/routes%cohorts], Route: s.routes[at%routes], Workload: w.workload, Version: w.version,
		N: c.n, Retried: c.retried, ProxyRetried: c.proxyRetried,
		Errors: c.errors, Denied: c.denied, Limited: c.limited,
		Slow: c.slow, Wrong: c.wrong, Bad: c.bad, Hit: c.hit, Harm: c.harm, ByMesh: c.byMesh, Latency: c.histogram(),
	}
}

// histogram returns the non-empty buckets.
func (c *cell) histogram() []event.BucketCount {
	if c.high < c.low {
		return nil
	}
	filled := 0
	for _, n := range c.latency[c.low : c.high+1] {
		if n > 0 {
			filled++
		}
	}
	list := make([]event.BucketCount, 0, filled)
	for b := c.low; b <= c.high; b++ {
		if c.latency[b] > 0 {
			list = append(list, event.BucketCount{Bucket: b, Count: int(c.latency[b])})
		}
	}
	return list
}
