package mesh

import "time"

// Pool is what a client's proxy has for one backend of a Service: a balancer over the endpoints and
// the queue before it (linkerd2-proxy, linkerd/proxy/balance/queue/src/worker.rs). While no endpoint
// is available, requests wait. The first to wait starts a timer; when it runs out, all that wait are
// answered 504, and the pool fails fast until an endpoint is available: a route leaves it out when
// it picks a backend, and answers 503 if it has no other.
//
// The caller keeps the queue and the timers.
type Pool struct {
	Balancer
	// accrual configures circuit breaking; nil means none.
	accrual *Accrual
	state   poolState
	// timers counts the fail-fast timers, to tell the current one from those before it.
	timers int
}

type poolState uint8

const (
	poolReady poolState = iota
	poolWaiting
	poolFailing
)

// Configure sets the circuit breaking of the endpoints; nil means none. With other parameters than
// before, the proxy makes a new balancer, which knows nothing of its endpoints.
func (p *Pool) Configure(now time.Duration, a *Accrual) {
	if a.equal(p.accrual) {
		return
	}
	p.accrual = a
	keys := make([]int, 0, len(p.endpoints))
	for _, e := range p.endpoints {
		keys = append(keys, e.Key)
	}
	p.endpoints = nil
	p.Set(now, keys)
}

// FailsFast reports whether the pool accepts no requests.
func (p *Pool) FailsFast() bool { return p.state == poolFailing }

// Wait is called when a request finds no endpoint. If it is the first to wait, it returns true and
// the number of a timer, to be passed to [Pool.Expire] after [FailfastAfter].
func (p *Pool) Wait() (timer int, start bool) {
	if p.state != poolReady {
		return p.timers, false
	}
	p.state = poolWaiting
	p.timers++
	return p.timers, true
}

// Expire is called when a timer has run out. It reports whether the requests that wait fail now.
func (p *Pool) Expire(timer int) bool {
	if p.state != poolWaiting || timer != p.timers {
		return false
	}
	p.state = poolFailing
	return true
}

// Recover is called after endpoints may have become available. It reports whether requests that
// wait can be sent.
func (p *Pool) Recover() bool {
	if !p.Available() {
		return false
	}
	p.state = poolReady
	return true
}

// Begin counts a request sent to an endpoint of the pool.
func (p *Pool) Begin(e *Endpoint) {
	e.Begin()
	if e.breaker.state != breakerClosed {
		p.tripped++ // from probation to probing
		e.breaker.begin()
	}
}

// End counts a response with a status after a round-trip time of rtt. If it trips the endpoint's breaker, End
// returns the penalty, after which [Pool.Probe] is to be called.
func (p *Pool) End(now time.Duration, e *Endpoint, rtt time.Duration, status int, random uint64) (
	penalty time.Duration, tripped bool) {
	e.End(now, rtt)
	if p.accrual == nil {
		return 0, false
	}
	return p.judge(now, e, status, random)
}

func (p *Pool) judge(now time.Duration, e *Endpoint, status int, random uint64) (time.Duration, bool) {
	before := e.breaker.available()
	penalty, tripped := e.breaker.end(now, p.accrual, status, random)
	switch after := e.breaker.available(); {
	case before && !after:
		p.tripped++
	case !before && after:
		p.tripped--
	}
	return penalty, tripped
}

// Cancel counts a request that was given up. It counts as no response to the breaker.
func (p *Pool) Cancel(now time.Duration, e *Endpoint, after time.Duration) { e.End(now, after) }

// Probe is called when the penalty of an endpoint is over: the next request may try it.
func (p *Pool) Probe(key int) {
	if e := p.find(key); e != nil && e.breaker.state == breakerOpen {
		e.breaker.state = breakerProbation
		p.tripped--
	}
}
