package trafficstats

import (
	"cmp"
	"slices"
	"time"

	"coalmine/lab/event"
)

// buckets covers latencies up to 100 µs · 1.1^191, more than two hours; what is longer falls into the last.
const buckets = 192

// cell counts the answers to one cohort on one route by one workload.
type cell struct {
	filled                                                           bool
	n, retried, errors, denied, limited, slow, wrong, bad, hit, harm int
	latency                                                          [buckets]int32
	low, high                                                        int // of the buckets that are not empty
}

// add adds a request and tells whether it was bad.
func (c *cell) add(status int, wrong, slow bool) bool {
	c.n++
	bad := wrong || slow
	switch {
	case status >= 500 || status == 0:
		c.errors++
		bad = true
	case status == 403:
		c.denied++
		bad = true
	case status == 429:
		c.limited++
		bad = true
	}
	if wrong {
		c.wrong++
	}
	if slow {
		c.slow++
	}
	if bad {
		c.bad++
	}
	return bad
}

func (c *cell) addLatency(latency time.Duration) {
	b := min(event.LatencyBucket(latency), buckets-1)
	c.latency[b]++
	c.low, c.high = min(c.low, b), max(c.high, b)
}

// Cells returns what was counted since the last call, by cohort, route, workload and version.
func (t *Stats) Cells() []event.Cell {
	list := make([]event.Cell, 0, len(t.filled))
	for _, at := range t.filled {
		list = append(list, t.export(at))
		*t.cells[at] = cell{}
	}
	t.filled = t.filled[:0]
	slices.SortFunc(list, func(a, b event.Cell) int {
		return cmp.Or(cmp.Compare(a.Cohort, b.Cohort), cmp.Compare(a.Route, b.Route),
			cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Version, b.Version))
	})
	return list
}

func (t *Stats) export(at int) event.Cell {
	routes, cohorts := len(t.routes), len(t.cohorts)
	c, by := t.cells[at], &t.workloads[at/(routes*cohorts)]
	return event.Cell{
		Cohort: t.cohorts[at/routes%cohorts], Route: t.routes[at%routes], Workload: by.workload, Version: by.version,
		N: c.n, Retried: c.retried, Errors: c.errors, Denied: c.denied, Limited: c.limited,
		Slow: c.slow, Wrong: c.wrong, Bad: c.bad, Hit: c.hit, Harm: c.harm, Latency: c.histogram(),
	}
}

// histogram has the buckets that are not empty.
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
