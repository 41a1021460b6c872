package dataplane

import (
	"math"
	"net/netip"
	"time"

	"coalmine/lab/app"
	"coalmine/lab/mesh"
	"coalmine/lab/tally"
	"coalmine/loadgen"
	"coalmine/loadgen/chance"
)

// Plane is the data plane of one run. Its methods must not be called at the same time. What a method changes holds from the
// time of the last [Plane.Advance] on.
type Plane struct {
	cfg      Config
	workload loadgen.Workload
	asks     []ask
	cohorts  []cohort

	now     time.Duration
	agenda  agenda
	cursor  *loadgen.Cursor
	arrival time.Duration // of the plan's next request; never without one
	begin   time.Duration // of traffic
	retries *loadgen.Retries

	hops []*hop
	free []*hop
	held []heldSlot
	// parked hops wait for a backend.
	parked []parkedHop

	pods     []*pod // by id; nil after removal
	byName   map[string]*pod
	killed   []string
	services map[serviceKey]*service
	// inOrder holds the services in the order in which they became known.
	inOrder  []*service
	table    *mesh.Table
	policies mesh.Policies
	// ruled rises with each change of policies, so that verdicts are decided anew; generation with each change of endpoints.
	ruled, generation int

	jars     map[uint32][]cookie
	registry *mesh.Registry
	tally    *tally.Tally
	outcome  loadgen.Outcome // handed out last
	window   window

	routing, choosing, clients chance.Stream
}

// ask is what the requests of one route ask for.
type ask struct {
	method, path, query string
	service             *service
}

type heldSlot struct {
	pod  *pod
	slot app.Slot
	life int
	hit  bool
	used bool
}

type parkedHop struct {
	hop  *hop
	life uint32
}

// Now is the time up to which the plane has played.
func (p *Plane) Now() time.Duration { return p.now }

// StartTraffic begins the plan at a time, which must not be before [Plane.Now].
func (p *Plane) StartTraffic(at time.Duration) {
	p.cursor = p.cfg.Plan.Share(p.cfg.Shard)
	p.retries = loadgen.NewShardRetries(p.cfg.Plan, p.cfg.Shard)
	p.begin = max(at, p.now)
	p.lookAhead()
}

// StopTraffic ends the plan: nothing arrives any more, what is under way is played on, with the retries that belong to it.
func (p *Plane) StopTraffic() { p.cursor, p.arrival = nil, never }

// Over tells whether nothing will arrive any more and everybody has been answered.
func (p *Plane) Over() bool { return p.arrival == never && p.tally.Open() == 0 }

// never is later than every event.
const never = time.Duration(math.MaxInt64)

// Advance plays everything up to and including a time since the run's start. An earlier time does nothing. Of events and
// arrivals of one instant the events come first.
func (p *Plane) Advance(to time.Duration) {
	for {
		due, open := p.agenda.next()
		switch {
		case open && due <= to && due <= p.arrival:
			p.now = max(p.now, due)
			p.happen(p.agenda.take())
		case p.arrival <= to:
			p.now = max(p.now, p.arrival)
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
	p.arrival = never
	if a, more := p.cursor.Peek(); more {
		p.arrival = p.begin + a.At
	}
}

func (p *Plane) happen(e timed) {
	if e.kind == slotFree {
		p.release(&p.held[e.id])
		return
	}
	h := p.hops[e.id]
	if h.life != e.life {
		return
	}
	switch e.kind {
	case callNext:
		p.callNext(h)
	case workDone:
		p.workDone(h)
	case received:
		p.received(h)
	case sendAgain:
		p.sendAgain(h)
	case giveUp:
		if !h.waiting {
			return
		}
		h.from.proxy(h.asked).failfast = true
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
