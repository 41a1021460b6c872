package dataplane

import (
	"coalmine/lab/event"
	"coalmine/lab/tally"
)

// newTally makes the accounts of what users get.
func (p *Plane) newTally() {
	c := tally.Config{Objective: p.cfg.Objective}
	for _, r := range p.workload.Routes {
		c.Routes = append(c.Routes, r.Name)
	}
	for _, x := range p.workload.Cohorts {
		c.Cohorts = append(c.Cohorts, x.Name)
	}
	p.tally = tally.New(c)
}

// answerUser counts the answer to a user's request.
func (p *Plane) answerUser(h *hop, status int) {
	r := &h.request
	bad := p.tally.Answer(&tally.Answer{
		Latency: p.now - h.sent, User: r.User, Cohort: r.Cohort, Route: r.Route, Served: h.served,
		Status: status, Wrong: h.wrong, Hit: h.hit,
	})
	p.window.count(p.now, h.served, int(r.Cohort), status, bad, p.tally.Kinds())
}

// Cells returns the requests that were answered since the last call, by cohort, route, workload and version.
func (p *Plane) Cells() []event.Cell { return p.tally.Cells() }

// MarkRollout says that the new version was released: from now on it counts which workload serves whom.
func (p *Plane) MarkRollout() { p.tally.MarkRollout() }

// Totals counts over the whole run.
func (p *Plane) Totals() event.TrafficTotals { return p.tally.Totals() }
