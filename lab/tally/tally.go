// Package tally turns answers into what a log has of traffic: counts for each second, cohort, route and serving version, and
// the totals of a run. Answers may come from a model or from real servers.
//
// It knows the names of cohorts and routes, and neither the plan that users follow nor who answers them. It has no clock.
package tally

import (
	"time"

	"coalmine/lab/event"
)

// Config says what is counted.
type Config struct {
	// Cohorts and Routes are the names behind the indices of an [Answer].
	Cohorts, Routes []string
	// Objective is the latency beyond which an answer counts as slow, by route; 0 or a nil function is none.
	Objective func(route string) time.Duration
}

// Answer is what became of one attempt at a request.
type Answer struct {
	// Latency is what the user has waited since the first attempt was due.
	Latency time.Duration
	User    uint32
	// Cohort and Route are indices into the names of [Config].
	Cohort, Route uint16
	// Served is the number of who answered: see [Tally.Serves].
	Served int
	// Status is that of HTTP, 0 for no answer.
	Status int
	// Wrong and Hit are the ground truth: the content is wrong; an injected fault touched this attempt or one before it.
	Wrong, Hit bool
	// Retried is set for an attempt that its client makes again. It is no answer to its user yet.
	Retried bool
}

// Tally counts what users got. It is for one goroutine.
type Tally struct {
	cohorts, routes []string
	objective       []time.Duration // by route; 0 is none
	served          []served
	// names are the workloads that have a mark of their own among the users' marks.
	names []string
	// cells are made when first needed: most combinations of a large workload never occur.
	cells  []*cell // (served·cohorts + cohort)·routes + route
	filled []int   // cells that are not empty
	users  users
	people []people // by cohort
	// rollout is set once the new version was released.
	rollout                    bool
	planned, answered, retries int
}

// served is a workload of the released service and what it ran. Mark is the mark of users whom it served.
type served struct {
	workload, version string
	mark              marks
}

// people counts distinct users of a cohort.
type people struct {
	users, hurt int
	assigned    []int // by number of the workload's name
}

// Nobody is who answered where no workload of the released service did.
const Nobody = 0

// mostServed bounds how many workloads are told apart, for real servers may say anything. What is more counts as others.
const mostServed = 100

// Others is the workload and the version of those beyond what is told apart.
const Others = "others"

// New returns a tally of nothing.
func New(c Config) *Tally {
	t := &Tally{cohorts: c.Cohorts, routes: c.Routes, people: make([]people, len(c.Cohorts))}
	for _, r := range c.Routes {
		var limit time.Duration
		if c.Objective != nil {
			limit = c.Objective(r)
		}
		t.objective = append(t.objective, limit)
	}
	t.serve("", "")
	return t
}

// Serves returns the number of a workload of the released service and of the version that it runs.
func (t *Tally) Serves(workload, version string) int {
	for i := range t.served {
		if s := &t.served[i]; s.workload == workload && s.version == version {
			return i
		}
	}
	switch n := len(t.served); {
	case n < mostServed:
		return t.serve(workload, version)
	case n == mostServed:
		return t.serve(Others, Others)
	}
	return mostServed
}

// serve makes room for the cells of one more workload.
func (t *Tally) serve(workload, version string) int {
	t.served = append(t.served, served{workload, version, t.markOf(workload)})
	t.cells = append(t.cells, make([]*cell, len(t.cohorts)*len(t.routes))...)
	return len(t.served) - 1
}

// Served returns the workload and the version behind a number.
func (t *Tally) Served(number int) (workload, version string) {
	s := &t.served[number]
	return s.workload, s.version
}

// Kinds is the number of pairs of workload and cohort that there can be answers of.
func (t *Tally) Kinds() int { return len(t.served) * len(t.cohorts) }

// Sent notes that a user of a cohort sent a request, attempt 0, or sent it again.
func (t *Tally) Sent(cohort uint16, user uint32, attempt int) {
	if attempt > 0 {
		t.retries++
		return
	}
	t.planned++
	if t.users.mark(user, seen) != 0 {
		t.people[cohort].users++
	}
}

// Answer counts an attempt that has ended. It tells whether users would call the answer bad.
func (t *Tally) Answer(a *Answer) bool {
	c := t.cell((a.Served*len(t.cohorts)+int(a.Cohort))*len(t.routes) + int(a.Route))
	if a.Retried {
		c.retried++
		return false
	}
	t.answered++
	limit := t.objective[a.Route]
	bad := c.count(a.Status, a.Wrong, limit > 0 && a.Latency > limit)
	c.wait(a.Latency)
	if a.Hit {
		c.hit++
	}
	var earned marks
	if a.Hit && bad {
		c.harm++
		earned = hurt
	}
	if t.rollout {
		earned |= t.served[a.Served].mark
	}
	if earned != 0 {
		if fresh := t.users.mark(a.User, earned); fresh != 0 {
			t.people[a.Cohort].count(fresh)
		}
	}
	return bad
}

// cell returns a cell that is about to be counted in.
func (t *Tally) cell(at int) *cell {
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
func (t *Tally) MarkRollout() { t.rollout = true }

// Open counts the requests that were sent and not answered yet.
func (t *Tally) Open() int { return t.planned - t.answered }

// Hurt counts the distinct users who had a harmed request so far.
func (t *Tally) Hurt() int {
	n := 0
	for i := range t.people {
		n += t.people[i].hurt
	}
	return n
}

// Totals counts over the whole run.
func (t *Tally) Totals() event.TrafficTotals {
	totals := event.TrafficTotals{
		Planned: t.planned, Answered: t.answered, Open: t.Open(), Retries: t.retries,
		Users: map[string]int{}, Hurt: map[string]int{}, Assigned: map[string]map[string]int{},
	}
	for i, cohort := range t.cohorts {
		p := &t.people[i]
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
			totals.Assigned[cohort][t.names[name]] = n
		}
	}
	return totals
}
