package dataplane

import (
	"cmp"
	"time"

	"coalmine/lab/cluster/trafficstats"
	"coalmine/lab/event"
	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/rng"
)

// cohort is what the plane needs to know about a cohort of users.
type cohort struct {
	// pods send its requests.
	pods []*pod
	// perUser is set if users send headers of their own.
	perUser bool
	// varied is set for routes whose requests differ in method, path or query.
	varied       []bool
	keepsCookies bool
	retries      bool
	// bandwidth limits how fast a response is read, in bytes per second; 0 is no limit.
	bandwidth int
}

func (p *Plane) newCohort(number uint16, pods []*pod) cohort {
	c := &p.workload.Cohorts[number]
	cohort := cohort{
		pods: pods, perUser: p.cfg.Plan.PerUser(number), keepsCookies: !c.IgnoreSetCookie, retries: c.Retry != nil,
		bandwidth: c.Bandwidth,
	}
	for _, r := range p.workload.Routes {
		cohort.varied = append(cohort.varied, p.workload.Replay != nil || c.CacheBuster != "" ||
			r.VariesPath())
		cohort.perUser = cohort.perUser || r.VariesHeaders()
	}
	return cohort
}

// newStats makes the counters of what users get.
func (p *Plane) newStats() {
	c := trafficstats.Config{LatencyObjective: p.cfg.Objective}
	for _, r := range p.workload.Routes {
		c.Routes = append(c.Routes, r.Name)
	}
	for _, x := range p.workload.Cohorts {
		c.Cohorts = append(c.Cohorts, x.Name)
	}
	p.stats = trafficstats.New(c)
}

// arrive sends a user's request. All attempts at it use the same client pod.
func (p *Plane) arrive(a loadgen.Arrival) {
	c := &p.cohorts[a.Cohort]
	from := c.pods[0]
	if len(c.pods) > 1 {
		from = c.pods[rng.Below(p.clients.Bits(a.Seq), uint64(len(c.pods)))]
	}
	h := p.newHop()
	h.request = service.Request{Seq: a.Seq, User: a.User, Cohort: a.Cohort, Route: a.Route}
	h.firstSent, h.session, h.item = p.now, a.Session, a.Item
	h.from, h.service = from, p.templates[a.Route].service
	p.stats.AddRequest(a.Cohort, a.User, 0)
	if c.retries {
		p.retries.RecordFirst(a, p.now-p.trafficStart)
	}
	p.send(h)
}

// arrivalOf returns the arrival of a user's request.
func (p *Plane) arrivalOf(h *hop) loadgen.Arrival {
	r := &h.request
	return loadgen.Arrival{At: h.firstSent - p.trafficStart, Seq: r.Seq, User: r.User, Cohort: r.Cohort,
		Route: r.Route, Session: h.session, Item: h.item}
}

// reply sends the response to the client of a user's request. A slow client reads it for a while;
// meanwhile the proxies buffer it, so that it occupies no pod and no metric of the mesh shows it.
func (p *Plane) reply(h *hop, status int) {
	if h.load != nil {
		p.loadReplied(h, status)
		return
	}
	h.status = status
	if rate := p.cohorts[h.request.Cohort].bandwidth; rate > 0 {
		p.events.add(p.now+readTime(h.size(), rate), received, h.id, h.gen)
		return
	}
	p.clientReceived(h)
}

// size returns the size of the response's body in bytes: that of the service's work, or that of an
// error response.
func (h *hop) size() int { return cmp.Or(h.work.Size, service.DefaultSize) }

// readTime returns the time to read a body at a rate in bytes per second.
func readTime(size, rate int) time.Duration {
	whole, rest := time.Duration(size/rate), time.Duration(size%rate)
	return whole*time.Second + rest*time.Second/time.Duration(rate)
}

// clientReceived is called when a client has the response to an attempt. It retries, or completes
// the user's request.
func (p *Plane) clientReceived(h *hop) {
	r := &h.request
	var at time.Duration
	again := false
	if p.cohorts[r.Cohort].retries {
		at, again = p.retries.ShouldRetry(p.arrivalOf(h), int(r.Attempt), uint16(h.status), p.now-p.trafficStart)
	}
	bad := p.stats.AddResponse(&trafficstats.Response{
		Latency: p.now - h.firstSent, User: r.User, Cohort: r.Cohort, Route: r.Route, WorkloadID: h.servedBy,
		Status: h.status, Wrong: h.wrong, Hit: h.faultHit || h.priorFaultHit,
		ByMesh: h.byMesh, Retried: again,
	})
	if p.cfg.OnAttempt != nil {
		p.reportAttempt(h, !again)
	}
	if again {
		p.scheduleRetry(h, p.trafficStart+at)
		return
	}
	p.window.count(p.now, h.servedBy*len(p.cohorts)+int(r.Cohort), p.stats.CellKinds(), h.status, bad)
	p.recycle(h)
}

// scheduleRetry reuses the hop for the next attempt at a user's request.
func (p *Plane) scheduleRetry(h *hop, at time.Duration) {
	next := hop{
		id: h.id, gen: h.gen + 1, request: h.request, firstSent: h.firstSent, session: h.session, item: h.item,
		from: h.from, service: h.service, priorFaultHit: h.priorFaultHit || h.faultHit,
	}
	next.request.Attempt++
	*h = next
	p.events.add(at, resend, h.id, h.gen)
}

func (p *Plane) resend(h *hop) {
	h.sent = p.now
	p.stats.AddRequest(h.request.Cohort, h.request.User, int(h.request.Attempt))
	p.send(h)
}

// reportAttempt calls OnAttempt.
func (p *Plane) reportAttempt(h *hop, final bool) {
	_, version := p.stats.Workload(h.servedBy)
	p.outcome = loadgen.Outcome{
		Arrival: p.arrivalOf(h), Attempt: int(h.request.Attempt), Final: final,
		Intended: h.sent - p.trafficStart, Sent: h.sent - p.trafficStart, Latency: p.now - h.firstSent,
		Status: uint16(h.status), Version: version, Hit: h.faultHit, Wrong: h.wrong, ByMesh: h.byMesh,
		BytesIn: int64(h.size()),
	}
	p.cfg.OnAttempt(&p.outcome)
}

// Cells returns the requests answered since the last call, by cohort, route, workload and version.
func (p *Plane) Cells() []event.Cell { return p.stats.Cells() }

// HarmedUsers returns the number of distinct users that the fault or a proxy's own answer harmed so
// far.
func (p *Plane) HarmedUsers() int { return p.stats.Hurt() }

// MarkRollout marks the release of the new version; from then on it is counted which workload
// serves which users. If the release brings an issuer of certificates, its life begins.
func (p *Plane) MarkRollout() {
	p.rolledOut = true
	if life := p.cfg.IssuerLife; life > 0 {
		p.issuerEnds = p.now + life
	}
	p.stats.MarkRollout()
}

// Totals returns the counts of the whole run.
func (p *Plane) Totals() event.TrafficTotals { return p.stats.Totals() }
