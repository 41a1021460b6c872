// Package trafficstats aggregates the responses to users' requests into the traffic facts of a log:
// counts by second, cohort, route and serving workload, and the totals of a run. Responses come
// from a model or from real servers. The package has no clock.
package trafficstats

import (
	"time"

	"coalmine/lab/event"
)

// Config configures [Stats].
type Config struct {
	// Cohorts and Routes are the names behind the indices in a [Response].
	Cohorts, Routes []string
	// LatencyObjective returns the latency above which a response on a route is slow; 0 or a nil
	// function means none.
	LatencyObjective func(route string) time.Duration
}

// Response is the outcome of one attempt at a request.
type Response struct {
	// Latency is the time since the first attempt was due.
	Latency time.Duration
	User    uint32
	// Cohort and Route are indices into the names of [Config].
	Cohort, Route uint16
	// WorkloadID identifies the workload that answered: see [Stats.WorkloadID].
	WorkloadID int
	// Status is the HTTP status, 0 if there was no answer.
	Status int
	// Wrong is true if the content is wrong.
	Wrong bool
	// Hit is true if an injected fault hit this attempt or an earlier one (ground truth).
	Hit bool
	// ByMesh is true if a proxy answered in place of the service: it denied the request, or had no
	// route, no endpoint or no connection for it.
	ByMesh bool
	// Retried is true if the client retries the attempt, so that its user has no response yet.
	Retried bool
}

// Stats counts responses. It is not safe for concurrent use.
type Stats struct {
	cohorts, routes []string
	objective       []time.Duration // by route; 0 is none
	workloads       []servingWorkload
	// flagged are the workloads that have a flag in userFlags.
	flagged []string
	// cells are allocated when first needed: most combinations of a large workload never occur.
	cells    []*cell // index (workload·cohorts + cohort)·routes + route
	filled   []int   // indices of non-empty cells
	users    userTable
	byCohort []cohortUsers
	// rollout is true after the new version was released.
	rollout                 bool
	sent, answered, retries int
}

// servingWorkload is a workload of the released service with its version. Flag is the flag of users
// that it served.
type servingWorkload struct {
	workload, version string
	flag              userFlags
}

// cohortUsers counts distinct users of a cohort.
type cohortUsers struct {
	users, hurt int
	assigned    []int // by index into Stats.flagged
}

// NoWorkload is the ID for requests that no workload of the released service answered.
const NoWorkload = 0

// maxWorkloads limits the number of workloads, whose names real servers choose. Further ones count
// as [OtherWorkloads].
const maxWorkloads = 100

// OtherWorkloads is the name and the version of workloads above the limit.
const OtherWorkloads = "others"

// New returns an empty Stats.
func New(c Config) *Stats {
	s := &Stats{cohorts: c.Cohorts, routes: c.Routes, byCohort: make([]cohortUsers, len(c.Cohorts))}
	for _, r := range c.Routes {
		var limit time.Duration
		if c.LatencyObjective != nil {
			limit = c.LatencyObjective(r)
		}
		s.objective = append(s.objective, limit)
	}
	s.addWorkload("", "")
	return s
}

// WorkloadID returns the ID of a workload of the released service that runs a version.
func (s *Stats) WorkloadID(workload, version string) int {
	for i := range s.workloads {
		if w := &s.workloads[i]; w.workload == workload && w.version == version {
			return i
		}
	}
	switch n := len(s.workloads); {
	case n < maxWorkloads:
		return s.addWorkload(workload, version)
	case n == maxWorkloads:
		return s.addWorkload(OtherWorkloads, OtherWorkloads)
	}
	return maxWorkloads
}

// addWorkload adds a workload and its cells.
func (s *Stats) addWorkload(workload, version string) int {
	s.workloads = append(s.workloads, servingWorkload{workload, version, s.flagOf(workload)})
	s.cells = append(s.cells, make([]*cell, len(s.cohorts)*len(s.routes))...)
	return len(s.workloads) - 1
}

// Workload returns the workload and version with an ID.
func (s *Stats) Workload(id int) (workload, version string) {
	w := &s.workloads[id]
	return w.workload, w.version
}

// CellKinds returns the number of pairs of workload and cohort.
func (s *Stats) CellKinds() int { return len(s.workloads) * len(s.cohorts) }

// AddRequest counts a request of a user, or a retry if attempt is not 0.
func (s *Stats) AddRequest(cohort uint16, user uint32, attempt int) {
	if attempt > 0 {
		s.retries++
		return
	}
	s.sent++
	if s.users.add(user, flagSeen) != 0 {
		s.byCohort[cohort].users++
	}
}

// AddResponse counts an attempt that has ended. It reports whether the response is bad.
func (s *Stats) AddResponse(r *Response) bool {
	c := s.cell((r.WorkloadID*len(s.cohorts)+int(r.Cohort))*len(s.routes) + int(r.Route))
	if r.Retried {
		c.retried++
		return false
	}
	s.answered++
	limit := s.objective[r.Route]
	bad, harm := c.add(r, limit > 0 && r.Latency > limit)
	c.addLatency(r.Latency)
	var flags userFlags
	if harm {
		flags = flagHurt
	}
	if s.rollout {
		flags |= s.workloads[r.WorkloadID].flag
	}
	if flags != 0 {
		if added := s.users.add(r.User, flags); added != 0 {
			s.byCohort[r.Cohort].add(added)
		}
	}
	return bad
}

// AddProxyRetry counts an attempt at a request of a workload that the client's proxy sends again.
func (s *Stats) AddProxyRetry(cohort, route uint16, workloadID int) {
	s.cell((workloadID*len(s.cohorts)+int(cohort))*len(s.routes)+int(route)).proxyRetried++
}

// cell returns a cell to count in, and records that it is not empty.
func (s *Stats) cell(at int) *cell {
	c := s.cells[at]
	if c == nil {
		c = &cell{}
		s.cells[at] = c
	}
	if !c.filled {
		c.filled, c.low, c.high = true, event.LatencyBuckets, -1
		s.filled = append(s.filled, at)
	}
	return c
}

// MarkRollout starts to count which workload serves which users, once the new version was released.
func (s *Stats) MarkRollout() { s.rollout = true }

// Open returns the number of requests that were sent and not answered yet.
func (s *Stats) Open() int { return s.sent - s.answered }

// Hurt returns the number of distinct users with a harmed request so far.
func (s *Stats) Hurt() int {
	n := 0
	for i := range s.byCohort {
		n += s.byCohort[i].hurt
	}
	return n
}

// Totals returns the counts over the whole run.
func (s *Stats) Totals() event.TrafficTotals {
	totals := event.TrafficTotals{
		Planned: s.sent, Answered: s.answered, Open: s.Open(), Retries: s.retries,
		Users: map[string]int{}, Hurt: map[string]int{}, Assigned: map[string]map[string]int{},
	}
	for i, cohort := range s.cohorts {
		p := &s.byCohort[i]
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
			totals.Assigned[cohort][s.flagged[name]] = n
		}
	}
	return totals
}
