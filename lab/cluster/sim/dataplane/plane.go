package dataplane

import (
	"math"
	"net/netip"
	"time"

	"coalmine/lab/cluster/trafficstats"
	"coalmine/lab/mesh"
	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/rng"
)

// Plane is the data plane of one run. Its methods must not be called at the same time. What a method changes holds from the
// time of the last [Plane.Advance] on.
type Plane struct {
	cfg       Config
	workload  loadgen.Workload
	templates []requestTemplate
	cohorts   []cohort

	now          time.Duration
	events       eventQueue
	cursor       *loadgen.Cursor
	nextArrival  time.Duration // of the plan's next request; never without one
	trafficStart time.Duration // of traffic
	retries      *loadgen.Retries

	hops []*hop
	free []*hop
	held []heldSlot
	// parked hops wait for a backend.
	parked []parkedHop

	pods       []*pod // by id; nil after removal
	podsByName map[string]*pod
	oomKilled  []string
	services   map[serviceKey]*meshService
	// serviceList holds the services in the order in which they became known.
	serviceList []*meshService
	table       *mesh.Table
	policies    mesh.Policies
	// policyGeneration rises with each change of policies, so that verdicts are decided anew; generation with each change of endpoints.
	policyGeneration, endpointGeneration int

	jars     map[uint32][]cookie
	registry *mesh.Registry
	stats    *trafficstats.Stats
	outcome  loadgen.Outcome // handed out last
	window   window

	routing, choosing, clients rng.Stream
}

// requestTemplate is what the requests of one route ask for.
type requestTemplate struct {
	method, path, query string
	service             *meshService
}

type heldSlot struct {
	pod      *pod
	slot     service.Slot
	restarts int
	hit      bool
	used     bool
}

type parkedHop struct {
	hop *hop
	gen uint32
}

// Now is the time up to which the plane has played.
func (p *Plane) Now() time.Duration { return p.now }

// StartTraffic begins the plan at a time, which must not be before [Plane.Now].
func (p *Plane) StartTraffic(at time.Duration) {
	p.cursor = p.cfg.Plan.Share(p.cfg.Shard)
	p.retries = loadgen.NewRetries(p.cfg.Plan, p.cfg.Shard)
	p.trafficStart = max(at, p.now)
	p.lookAhead()
}

// StopTraffic ends the plan: nothing arrives any more, what is under way is played on, with the retries that belong to it.
func (p *Plane) StopTraffic() { p.cursor, p.nextArrival = nil, never }

// Finished tells whether nothing will arrive any more and everybody has been answered.
func (p *Plane) Finished() bool { return p.nextArrival == never && p.stats.Open() == 0 }

// never is later than every event.
const never = time.Duration(math.MaxInt64)

// Advance plays everything up to and including a time since the run's start. An earlier time does nothing. Of events and
// arrivals of one instant the events come first.
func (p *Plane) Advance(to time.Duration) {
	for {
		due, open := p.events.next()
		switch {
		case open && due <= to && due <= p.nextArrival:
			p.now = max(p.now, due)
			p.dispatch(p.events.take())
		case p.nextArrival <= to:
			p.now = max(p.now, p.nextArrival)
			arrival, _ := p.cursor.Next()
			p.lookAhead()
			p.arrive(arrival)
		default:
			p.now = max(p.now, to)
			return
		}
	}
}

// lookAhead keeps the time of the next arrival at hand.
func (p *Plane) lookAhead() {
	p.nextArrival = never
	if a, more := p.cursor.Peek(); more {
		p.nextArrival = p.trafficStart + a.At
	}
}

func (p *Plane) dispatch(e timedEvent) {
	if e.kind == slotReleased {
		p.release(&p.held[e.id])
		return
	}
	h := p.hops[e.id]
	if h.gen != e.gen {
		return
	}
	switch e.kind {
	case callDownstream:
		p.callDownstream(h)
	case workDone:
		p.workDone(h)
	case received:
		p.clientReceived(h)
	case resend:
		p.resend(h)
	case failfastTimeout:
		if !h.parked {
			return
		}
		h.from.proxy(h.service).failfast = true
		p.refuse(h, 504, mesh.ErrorFailFast)
	}
}

// client is a pod as a client, as the server's proxy sees it.
func (d *pod) client() mesh.Client {
	c := mesh.Client{Addr: d.Addr}
	if d.Meshed {
		c.Identity = mesh.Identity(d.ServiceAccount, d.Namespace)
	}
	return c
}

// target is the address of a pod's port.
func (d *pod) target(port int) netip.AddrPort { return netip.AddrPortFrom(d.Addr, uint16(port)) }
