package dataplane

import (
	"cmp"
	"slices"
	"time"

	"coalmine/lab/event"
	"coalmine/loadgen"
)

// buckets covers latencies up to 100 µs · 1.1^191, more than two hours.
const buckets = 192

// Marks of a user: seen, hurt, and from firstWorkload on one for each workload that served the user during the rollout.
const (
	seen = 1 << iota
	hurt
	firstWorkload
)

// maxAssigned is the number of workloads that a user's marks have room for.
const maxAssigned = 30

// tally counts what users got.
type tally struct {
	traffic   *loadgen.Workload
	objective []time.Duration // by route; 0 is none
	// served are the workloads of the released service; number 0 is none.
	served []served
	cells  []cell // (served·cohorts + cohort)·routes + route
	filled []int  // cells that are not empty
	users  []uint32
	// rollout is set once the new version was released.
	rollout  bool
	answered int
	window   window
}

type served struct{ workload, version string }

type cell struct {
	n, errors, denied, limited, slow, wrong, bad, hit, harm int
	latency                                                 [buckets]int32
	low, high                                               int
}

func newTally(w *loadgen.Workload, objective func(string) time.Duration) tally {
	t := tally{traffic: w, served: []served{{}}}
	for _, r := range w.Routes {
		var limit time.Duration
		if objective != nil {
			limit = objective(r.Name)
		}
		t.objective = append(t.objective, limit)
	}
	t.grow()
	return t
}

// workload returns the number of a workload of the released service.
func (t *tally) workload(name, version string) int {
	at := slices.Index(t.served, served{name, version})
	if at < 0 {
		at = len(t.served)
		t.served = append(t.served, served{name, version})
		t.grow()
	}
	return at
}

// grow makes room for the cells of every workload.
func (t *tally) grow() {
	n := len(t.served) * len(t.traffic.Cohorts) * len(t.traffic.Routes)
	t.cells = append(t.cells, make([]cell, n-len(t.cells))...)
}

// sees notes that a user sent a request.
func (t *tally) sees(user uint32) {
	if int(user) >= len(t.users) {
		t.users = append(t.users, make([]uint32, int(user)+1-len(t.users)+1024)...)
	}
	t.users[user] |= seen
}

// answer counts the answer to a user's request.
func (t *tally) answer(now time.Duration, h *hop, status int) {
	r := h.request
	at := (h.served*len(t.traffic.Cohorts)+int(r.Cohort))*len(t.traffic.Routes) + int(r.Route)
	c := &t.cells[at]
	if c.n == 0 {
		t.filled = append(t.filled, at)
		c.low, c.high = buckets, -1
	}
	latency := now - h.sent
	bad := c.count(status, h.wrong, t.objective[r.Route] > 0 && latency > t.objective[r.Route])
	if h.hit {
		c.hit++
	}
	if h.hit && bad {
		c.harm++
		t.users[r.User] |= hurt
	}
	c.wait(latency)
	t.answered++
	if t.rollout && h.served > 0 && h.served < maxAssigned {
		t.users[r.User] |= firstWorkload << (h.served - 1)
	}
	t.window.count(now, h.served, int(r.Cohort), status, bad, len(t.served)*len(t.traffic.Cohorts))
}

// count adds a request and tells whether it was bad.
func (c *cell) count(status int, wrong, slow bool) bool {
	c.n++
	bad := wrong || slow
	switch {
	case status >= 500:
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

func (c *cell) wait(latency time.Duration) {
	b := min(event.LatencyBucket(latency), buckets-1)
	c.latency[b]++
	c.low, c.high = min(c.low, b), max(c.high, b)
}

// Cells returns the requests that were answered since the last call, by cohort, route, workload and version.
func (p *Plane) Cells() []event.Cell {
	t := &p.tally
	list := make([]event.Cell, 0, len(t.filled))
	for _, at := range t.filled {
		list = append(list, t.export(at))
		t.cells[at] = cell{}
	}
	t.filled = t.filled[:0]
	slices.SortFunc(list, func(a, b event.Cell) int {
		return cmp.Or(cmp.Compare(a.Cohort, b.Cohort), cmp.Compare(a.Route, b.Route),
			cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Version, b.Version))
	})
	return list
}

func (t *tally) export(at int) event.Cell {
	routes, cohorts := len(t.traffic.Routes), len(t.traffic.Cohorts)
	c, by := &t.cells[at], t.served[at/(routes*cohorts)]
	e := event.Cell{
		Cohort: t.traffic.Cohorts[at/routes%cohorts].Name, Route: t.traffic.Routes[at%routes].Name,
		Workload: by.workload, Version: by.version,
		N: c.n, Errors: c.errors, Denied: c.denied, Limited: c.limited,
		Slow: c.slow, Wrong: c.wrong, Bad: c.bad, Hit: c.hit, Harm: c.harm,
	}
	filled := 0
	for _, n := range c.latency[c.low : c.high+1] {
		if n > 0 {
			filled++
		}
	}
	e.Latency = make([]event.BucketCount, 0, filled)
	for b := c.low; b <= c.high; b++ {
		if c.latency[b] > 0 {
			e.Latency = append(e.Latency, event.BucketCount{Bucket: b, Count: int(c.latency[b])})
		}
	}
	return e
}

// MarkRollout says that the new version was released: from now on it counts which workload serves whom.
func (p *Plane) MarkRollout() { p.tally.rollout = true }

// Totals counts over the whole run.
func (p *Plane) Totals() event.TrafficTotals {
	t := &p.tally
	totals := event.TrafficTotals{
		Planned: p.planned, Answered: t.answered, Open: p.planned - t.answered,
		Users: map[string]int{}, Hurt: map[string]int{}, Assigned: map[string]map[string]int{},
	}
	for i, c := range t.traffic.Cohorts {
		first, count := p.cfg.Plan.Users(i)
		last := min(uint64(first)+uint64(count), uint64(len(t.users)))
		for u := uint64(first); u < last; u++ {
			t.total(&totals, c.Name, t.users[u])
		}
	}
	return totals
}

func (t *tally) total(into *event.TrafficTotals, cohort string, marks uint32) {
	if marks&seen != 0 {
		into.Users[cohort]++
	}
	if marks&hurt != 0 {
		into.Hurt[cohort]++
	}
	var counted []string // two versions of one workload count a user once
	for i := 1; i < len(t.served) && i < maxAssigned; i++ {
		name := t.served[i].workload
		if marks&(firstWorkload<<(i-1)) == 0 || slices.Contains(counted, name) {
			continue
		}
		counted = append(counted, name)
		if into.Assigned[cohort] == nil {
			into.Assigned[cohort] = map[string]int{}
		}
		into.Assigned[cohort][name]++
	}
}
