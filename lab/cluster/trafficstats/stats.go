// Package trafficstats turns answers into what a log has of traffic: counts for each second, cohort, route and serving version, and
// the totals of a run. Answers may come from a model or from real servers.
//
// It knows the names of cohorts and routes, and neither the plan that users follow nor who answers them. It has no clock.
package trafficstats

import (
	"time"

	"coalmine/lab/event"
)

// Config says what is counted.
type Config struct {
	// Cohorts and Routes are the names behind the indices of an [Answer].
	Cohorts, Routes []string
	// LatencyObjective is the latency beyond which an answer counts as slow, by route; 0 or a nil function is none.
	LatencyObjective func(route string) time.Duration
}

// Response is what became of one attempt at a request.
type Response struct {
	// Latency is what the user has waited since the first attempt was due.
	Latency time.Duration
	User    uint32
	// Cohort and Route are indices into the names of [Config].
	Cohort, Route uint16
	// WorkloadID is the number of who answered: see [Tally.Serves].
	WorkloadID int
	// Status is that of HTTP, 0 for no answer.
	Status int
	// Wrong and Hit are the ground truth: the content is wrong; an injected fault touched this attempt or one before it.
	Wrong, Hit bool
	// Retried is set for an attempt that its client makes again. It is no answer to its user yet.
	Retried bool
}

// Stats counts what users got. It is for one goroutine.
type Stats struct {
	cohorts, routes []string
	objective       []time.Duration // by route; 0 is none
	workloads       []servingWorkload
	// flagged are the workloads that have a mark of their own among the users' marks.
	flagged []string
	// cells are made when first needed: most combinations of a large workload never occur.
	cells    []*cell // (served·cohorts + cohort)·routes + route
	filled   []int   // cells that are not empty
	users    userTable
	byCohort []cohortUsers // by cohort
	// rollout is set once the new version was released.
	rollout                 bool
	sent, answered, retries int
}

// servingWorkload is a workload of the released service and what it ran. Mark is the mark of users whom it served.
type servingWorkload struct {
	workload, version string
	flag              userFlags
}

// cohortUsers counts distinct users of a cohort.
type cohortUsers struct {
	users, hurt int
	assigned    []int // by number of the workload's name
}

// NoWorkload is who answered where no workload of the released service did.
const NoWorkload = 0

// maxWorkloads bounds how many workloads are told apart, for real servers may say anything. What is more counts as others.
const maxWorkloads = 100

// OtherWorkloads is the workload and the version of those beyond what is told apart.
const OtherWorkloads = "others"

// New returns a tally of nothing.
func New(c Config) *Stats {
	t := &Stats{cohorts: c.Cohorts, routes: c.Routes, byCohort: make([]cohortUsers, len(c.Cohorts))}
	for _, r := range c.Routes {
		var limit time.Duration
		if c.LatencyObjective != nil {
			limit = c.LatencyObjective(r)
		}
		t.objective = append(t.objective, limit)
	}
	t.addWorkload("", "")
	return t
}

// WorkloadID returns the number of a workload of the released service and of the version that it runs.
func (t *Stats) WorkloadID(workload, version string) int {
	for i := range t.workloads {
		if s := &t.workloads[i]; s.workload == workload && s.version == version {
			return i
		}
	}
	switch n := len(t.workloads); {
	case n < maxWorkloads:
		return t.addWorkload(workload, version)
	case n == maxWorkloads:
		return t.addWorkload(OtherWorkloads, OtherWorkloads)
	}
	return maxWorkloads
}

// addWorkload makes room for the cells of one more workload.
func (t *Stats) addWorkload(workload, version string) int {
	t.workloads = append(t.workloads, servingWorkload{workload, version, t.flagOf(workload)})
	t.cells = append(t.cells, make([]*cell, len(t.cohorts)*len(t.routes))...)
	return len(t.workloads) - 1
}

// Workload returns the workload and the version behind a number.
func (t *Stats) Workload(number int) (workload, version string) {
	s := &t.workloads[number]
	return s.workload, s.version
}

// CellKinds is the number of pairs of workload and cohort that there can be answers of.
func (t *Stats) CellKinds() int { return len(t.workloads) * len(t.cohorts) }

// AddRequest notes that a user of a cohort sent a request, attempt 0, or sent it again.
func (t *Stats) AddRequest(cohort uint16, user uint32, attempt int) {
	if attempt > 0 {
		t.retries++
		return
	}
	t.sent++
	if t.users.add(user, flagSeen) != 0 {
		t.byCohort[cohort].users++
	}
}

// AddResponse counts an attempt that has ended. It tells whether users would call the answer bad.
func (t *Stats) AddResponse(a *Response) bool {
	c := t.cell((a.WorkloadID*len(t.cohorts)+int(a.Cohort))*len(t.routes) + int(a.Route))
	if a.Retried {
		c.retried++
		return false
	}
	t.answered++
	limit := t.objective[a.Route]
	bad := c.add(a.Status, a.Wrong, limit > 0 && a.Latency > limit)
	c.addLatency(a.Latency)
	if a.Hit {
		c.hit++
	}
	var earned userFlags
	if a.Hit && bad {
		c.harm++
		earned = flagHurt
	}
	if t.rollout {
		earned |= t.workloads[a.WorkloadID].flag
	}
	if earned != 0 {
		if fresh := t.users.add(a.User, earned); fresh != 0 {
			t.byCohort[a.Cohort].add(fresh)
		}
	}
	return bad
}

// cell returns a cell that is about to be counted in.
func (t *Stats) cell(at int) *cell {
	c := t.cells[at]
	if c == nil {
		c = &cell{}
		t.cells[at] = c
	}
	if !c.filled {
		c.filled, c.low, c.high = true, buckets, -1
		t.filled = append(t.filled, at)
	}
	return c
}

// MarkRollout says that the new version was released: from now on it counts which workload serves whom.
func (t *Stats) MarkRollout() { t.rollout = true }

// Open counts the requests that were sent and not answered yet.
func (t *Stats) Open() int { return t.sent - t.answered }

// Hurt counts the distinct users who had a harmed request so far.
func (t *Stats) Hurt() int {
	n := 0
	for i := range t.byCohort {
		n += t.byCohort[i].hurt
	}
	return n
}

// Totals counts over the whole run.
func (t *Stats) Totals() event.TrafficTotals {
	totals := event.TrafficTotals{
		Planned: t.sent, Answered: t.answered, Open: t.Open(), Retries: t.retries,
		Users: map[string]int{}, Hurt: map[string]int{}, Assigned: map[string]map[string]int{},
	}
	for i, cohort := range t.cohorts {
		p := &t.byCohort[i]
		if p.users > 0 {
			totals.Users[cohort] = p.users
		}
		if p.hurt > 0 {
			totals.Hurt[cohort] = p.hurt
		}
		for name, n := range p.assigned {
			if n == 0 {
				continue
			}
			if totals.Assigned[cohort] == nil {
				totals.Assigned[cohort] = map[string]int{}
			}
			totals.Assigned[cohort][t.flagged[name]] = n
		}
	}
	return totals
}
