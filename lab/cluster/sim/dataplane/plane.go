package dataplane

import (
	"math"
	"net/netip"
	"time"

	"coalmine/lab/cluster/trafficstats"
	"coalmine/lab/event"
	"coalmine/lab/mesh"
	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/rng"
)

// Plane is the data plane of one run. Its methods must not be called concurrently. Changes take
// effect at the time of the last [Plane.Advance].
type Plane struct {
	cfg       Config
	workload  loadgen.Workload
	templates []requestTemplate
	cohorts   []cohort

	now          time.Duration
	events       eventQueue
	cursor       *loadgen.Cursor
	nextArrival  time.Duration // of the plan; never if there is none
	trafficStart time.Duration
	// rolledOut is set once the new version is released; issuerEnds is when the issuer of
	// certificates ends that it brought, 0 if it brought none.
	rolledOut  bool
	issuerEnds time.Duration
	retries    *loadgen.Retries

	hops []*hop
	free []*hop
	held []heldSlot
	// upstreams are those of all pods; failing counts those that fail fast.
	upstreams []*upstream
	failing   int

	pods       []*pod // by id; never shrinks
	podsByName map[string]*pod
	oomKilled  []string
	readiness  []Readiness
	services   map[serviceKey]*meshService
	// serviceList holds the services in the order in which they became known.
	serviceList []*meshService
	table       *mesh.Table
	profiles    []mesh.Profile
	policies    mesh.Policies
	// guardrailPolicies are the Servers and default policies that the guardrails set.
	guardrailPolicies []mesh.Ref
	// policyGeneration changes with the policies, to invalidate verdicts; endpointGeneration
	// changes with the endpoints.
	policyGeneration, endpointGeneration int
	// ruleGeneration changes with the rules of any Service.
	ruleGeneration int

	jars     map[uint32][]cookie
	registry *mesh.Registry
	stats    *trafficstats.Stats
	outcome  loadgen.Outcome // reused for Config.OnAttempt
	window   window
	// effects are what the mesh did by workload; affected is set once it has done anything.
	effects  []*event.MeshEffect
	affected bool

	loadTests   []*loadTest
	loadPods    map[Client]*pod
	loadResults []LoadResult
	// loadsSent counts the requests of all load tests.
	loadsSent uint64

	routing, choosing, clients, breaking, backingOff, lookingUp rng.Stream
}

// requestTemplate is what all requests on one route have in common.
type requestTemplate struct {
	method, path, query string
	service             *meshService
}

type heldSlot struct {
	pod      *pod
	slot     service.Slot
	restarts int
	faultHit bool
	used     bool
}

// parkedHop is an attempt of a hop that waits.
type parkedHop struct {
	hop *hop
	gen uint32
	try uint8
}

// Now returns the time up to which the plane has played.
func (p *Plane) Now() time.Duration { return p.now }

// StartTraffic starts the plan at a time, which must not be before [Plane.Now].
func (p *Plane) StartTraffic(at time.Duration) {
	p.cursor = p.cfg.Plan.Share(p.cfg.Shard)
	p.retries = loadgen.NewRetries(p.cfg.Plan, p.cfg.Shard)
	p.trafficStart = max(at, p.now)
	p.lookAhead()
}

// StopTraffic stops arrivals and load tests. Requests in flight and their retries play on.
func (p *Plane) StopTraffic() {
	p.cursor, p.nextArrival = nil, never
	p.endLoads()
}

// Finished reports whether no request will arrive and none is in flight.
func (p *Plane) Finished() bool { return p.nextArrival == never && p.stats.Open() == 0 }

// never is later than every event.
const never = time.Duration(math.MaxInt64)

// Advance plays everything up to and including a time since the run's start. Earlier times have no
// effect. Events precede simultaneous arrivals.
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

// lookAhead updates nextArrival.
func (p *Plane) lookAhead() {
	p.nextArrival = never
	if a, more := p.cursor.Peek(); more {
		p.nextArrival = p.trafficStart + a.At
	}
}

func (p *Plane) dispatch(e timedEvent) {
	if e.kind > lastOfHops {
		p.dispatchOther(e)
		return
	}
	h := p.hops[e.id]
	if h.gen != e.gen {
		return
	}
	switch e.kind {
	case callDownstream:
		p.callDownstream(h)
	case callTimeout:
		p.callTimedOut(h, e.try)
	case workDone:
		p.workDone(h)
	case received:
		p.clientReceived(h)
	case resend:
		p.resend(h)
	case attemptTimeout:
		if h.try == e.try {
			p.timeOut(h)
		}
	case connectionRefused:
		p.returnResponse(h, 502)
	case meshRetry:
		if stats := p.statsOf(h); stats.profile == nil {
			stats.route.Retry()
		}
		p.attempt(h)
	case profileTimeout:
		p.profileTimeOut(h)
	}
}

// dispatchOther plays an event that is not one of a hop.
func (p *Plane) dispatchOther(e timedEvent) {
	switch e.kind {
	case slotReleased:
		p.release(&p.held[e.id])
	case failfastTimeout:
		p.failFast(p.upstreams[e.id], int(e.gen))
	case penaltyOver:
		p.probeEndpoint(p.upstreams[e.id], int(e.gen))
	case lookupTimeout:
		p.giveUp(p.upstreams[e.id])
	case lookupAgain:
		p.ask(p.upstreams[e.id])
	case crashNoticed:
		p.noticeCrash(p.pods[e.id], int(e.gen))
	case kubeletProbe:
		p.kubeletProbe(p.pods[e.id], e.gen)
	case certificateDue:
		p.certify(p.pods[e.id])
	case loadTestDue:
		p.sendLoad(p.loadTests[e.id], int(e.gen))
	}
}

// client describes the pod to the proxies of servers that it calls.
func (d *pod) client() mesh.Client {
	c := mesh.Client{Addr: d.Addr}
	if d.Meshed {
		c.Identity = mesh.Identity(d.ServiceAccount, d.Namespace)
	}
	return c
}

// target returns the address of a port of the pod.
func (d *pod) target(port int) netip.AddrPort { return netip.AddrPortFrom(d.Addr, uint16(port)) }
