package dataplane

import (
	"cmp"
	"strings"
	"time"

	"coalmine/lab/app"
	"coalmine/lab/event"
	"coalmine/lab/tally"
	"coalmine/loadgen"
	"coalmine/loadgen/chance"
)

// cohort is what the plane has to know of a kind of user.
type cohort struct {
	// pods send its requests.
	pods []*pod
	// perUser is set where users send headers of their own.
	perUser bool
	// varied, by route, tells where requests differ in what they ask for.
	varied       []bool
	keepsCookies bool
	retries      bool
	// bandwidth bounds how fast an answer is read, in bytes per second; 0 is no bound.
	bandwidth int
}

// itemMark stands for the number of an item in a route's path: see [loadgen.Route].
const itemMark = "{item}"

func (p *Plane) newCohort(number uint16, pods []*pod) cohort {
	c := &p.workload.Cohorts[number]
	made := cohort{
		pods: pods, perUser: p.cfg.Plan.PerUser(number), keepsCookies: !c.IgnoreSetCookie, retries: c.Retry != nil, bandwidth: c.Bandwidth,
	}
	for _, r := range p.workload.Routes {
		made.varied = append(made.varied, p.workload.Replay != nil || c.CacheBuster != "" || strings.Contains(r.Path, itemMark))
	}
	return made
}

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

// arrive sends a user's request. A user's attempts at it go through one client pod.
func (p *Plane) arrive(a loadgen.Arrival) {
	c := &p.cohorts[a.Cohort]
	from := c.pods[0]
	if len(c.pods) > 1 {
		from = c.pods[chance.Below(p.clients.Bits(a.Seq), uint64(len(c.pods)))]
	}
	h := p.hop()
	h.request = app.Request{Seq: a.Seq, User: a.User, Cohort: a.Cohort, Route: a.Route}
	h.begun, h.session, h.item = p.now, a.Session, a.Item
	h.from, h.asked = from, p.asks[a.Route].service
	p.tally.Sent(a.Cohort, a.User, 0)
	if c.retries {
		p.retries.First(a, p.now-p.begin)
	}
	p.send(h)
}

// planned is the arrival of a user's request.
func (p *Plane) planned(h *hop) loadgen.Arrival {
	r := &h.request
	return loadgen.Arrival{At: h.begun - p.begin, Seq: r.Seq, User: r.User, Cohort: r.Cohort, Route: r.Route, Session: h.session, Item: h.item}
}

// reply brings the answer to a user's request to the client. A slow one reads it for a while; the proxies hold it meanwhile,
// so that the server's pod is free and no metric of the mesh knows of it.
func (p *Plane) reply(h *hop, status int) {
	h.status = status
	if rate := p.cohorts[h.request.Cohort].bandwidth; rate > 0 {
		p.agenda.add(p.now+reading(h.size(), rate), received, h.id, h.life)
		return
	}
	p.received(h)
}

// size is that of the answer's body, in bytes: what the service's work comes to, or a short answer of whoever refused it.
func (h *hop) size() int { return cmp.Or(h.work.Size, app.DefaultSize) }

// reading is how long a body takes at a rate in bytes per second.
func reading(size, rate int) time.Duration {
	whole, rest := time.Duration(size/rate), time.Duration(size%rate)
	return whole*time.Second + rest*time.Second/time.Duration(rate)
}

// received is when a user's client has the answer to an attempt: it tries again, or the user has it too.
func (p *Plane) received(h *hop) {
	r := &h.request
	var at time.Duration
	again := false
	if p.cohorts[r.Cohort].retries {
		at, again = p.retries.Again(p.planned(h), int(r.Attempt), uint16(h.status), p.now-p.begin)
	}
	bad := p.tally.Answer(&tally.Answer{
		Latency: p.now - h.begun, User: r.User, Cohort: r.Cohort, Route: r.Route, Served: h.served,
		Status: h.status, Wrong: h.wrong, Hit: h.hit || h.struck, Retried: again,
	})
	if p.cfg.Done != nil {
		p.tell(h, !again)
	}
	if again {
		p.plan(h, p.begin+at)
		return
	}
	p.window.count(p.now, h.served*len(p.cohorts)+int(r.Cohort), p.tally.Kinds(), h.status, bad)
	p.drop(h)
}

// plan schedules the next attempt at a user's request, in the place of the one that failed.
func (p *Plane) plan(h *hop, at time.Duration) {
	next := hop{
		id: h.id, life: h.life + 1, request: h.request, begun: h.begun, session: h.session, item: h.item,
		from: h.from, asked: h.asked, struck: h.struck || h.hit,
	}
	next.request.Attempt++
	*h = next
	p.agenda.add(at, sendAgain, h.id, h.life)
}

func (p *Plane) sendAgain(h *hop) {
	h.sent = p.now
	p.tally.Sent(h.request.Cohort, h.request.User, int(h.request.Attempt))
	p.send(h)
}

// tell hands an attempt out.
func (p *Plane) tell(h *hop, final bool) {
	_, version := p.tally.Served(h.served)
	p.outcome = loadgen.Outcome{
		Arrival: p.planned(h), Attempt: int(h.request.Attempt), Final: final,
		Intended: h.sent - p.begin, Sent: h.sent - p.begin, Latency: p.now - h.begun,
		Status: uint16(h.status), Version: version, Hit: h.hit, Wrong: h.wrong, BytesIn: int64(h.size()),
	}
	p.cfg.Done(&p.outcome)
}

// Cells returns the requests that were answered since the last call, by cohort, route, workload and version.
func (p *Plane) Cells() []event.Cell { return p.tally.Cells() }

// Hurt counts the distinct users who had a harmed request so far.
func (p *Plane) Hurt() int { return p.tally.Hurt() }

// MarkRollout says that the new version was released: from now on it counts which workload serves whom.
func (p *Plane) MarkRollout() { p.tally.MarkRollout() }

// Totals counts over the whole run.
func (p *Plane) Totals() event.TrafficTotals { return p.tally.Totals() }
