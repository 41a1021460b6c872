package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"coalmine/lab/mesh"
)

// upstream is a backend with its connections.
type upstream struct {
	balancer mesh.Pool
	// penalties end the time for which circuit breakers let nothing pass. configured is the generation
	// of the state that the breakers are configured by.
	penalties  []penalty
	configured uint64
	// endpoints by their key for the balancer.
	endpoints map[int]*endpoint
	nextKey   int
	// backedOff counts endpoints that could not be connected to and are skipped for a while.
	backedOff int
	lookup
}

// endpoint is a pod of an upstream.
type endpoint struct {
	mesh.Destination
	out       *mesh.Outbound
	transport *http.Transport
	// failures is the number of failed connects in a row. The endpoint is skipped until retryAt.
	failures int
	retryAt  time.Duration
}

// penalty keeps an endpoint from requests, by its key for the balancer.
type penalty struct {
	key int
	end time.Duration
}

// configure sets the circuit breaking for requests to a target.
func (u *upstream) configure(s *clusterState, t *target, now time.Duration) {
	if u.configured != s.generation {
		u.configured = s.generation
		u.balancer.Configure(now, t.policy.Accrual)
	}
}

// probe lets endpoints be tried again whose penalty is over.
func (u *upstream) probe(now time.Duration) {
	u.penalties = slices.DeleteFunc(u.penalties, func(x penalty) bool {
		if x.end <= now {
			u.balancer.Probe(x.key)
		}
		return x.end <= now
	})
}

// targetStats are the counters of a Service's port that clients connect to.
type targetStats struct {
	// failfast is set when a request has waited in vain, until a backend is available.
	failfast bool
	// lookedUp is the generation of the state whose backends were looked up.
	lookedUp uint64
	routes   map[routeName]*mesh.RouteStats
	backends map[backendName]*mesh.BackendStats
}

type routeName struct{ namespace, name string }

type backendName struct {
	route   routeName
	backend mesh.ServicePort
}

// apply makes s the current state.
func (p *Proxy) apply(s *clusterState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = s
	now := p.now()
	for at, u := range p.upstream {
		p.advance(u, now)
		if b := s.backends[at]; b != nil {
			p.renew(u, b, now)
			continue
		}
		p.renew(u, &backend{}, now)
		delete(p.upstream, at)
	}
	usable := func(b *backend) bool { return p.usable(b, now) }
	for _, t := range s.targets {
		if a := p.stats[t.ServicePort]; a != nil && a.failfast {
			a.failfast = !t.available(usable)
		}
	}
	p.wake()
}

// wake wakes the requests that wait for a backend.
func (p *Proxy) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// renew gives an upstream the endpoints of a backend. Those that it has keep their connections and
// their load.
func (p *Proxy) renew(u *upstream, b *backend, now time.Duration) {
	before := map[mesh.Destination]int{}
	for key, e := range u.endpoints {
		before[e.Destination] = key
	}
	next := map[int]*endpoint{}
	for _, d := range b.endpoints {
		key, ok := before[d]
		if !ok {
			key = u.nextKey
			u.nextKey++
			next[key] = p.newEndpoint(d)
			continue
		}
		next[key] = u.endpoints[key]
		delete(before, d)
	}
	for _, key := range before {
		u.endpoints[key].transport.CloseIdleConnections()
	}
	u.endpoints = next
	u.answer()
	u.balance(now)
}

// balance gives the balancer the endpoints that are not backed off.
func (u *upstream) balance(now time.Duration) {
	keys := make([]int, 0, len(u.endpoints))
	for key := range u.nextKey {
		if e := u.endpoints[key]; u.Known() && e != nil && e.retryAt <= now {
			keys = append(keys, key)
		}
	}
	u.backedOff = 0
	if u.Known() {
		u.backedOff = len(u.endpoints) - len(keys)
	}
	u.balancer.Set(now, keys)
}

// upstreamFor returns a backend's upstream, with the endpoints whose backoff has passed.
func (p *Proxy) upstreamFor(b *backend, now time.Duration) *upstream {
	u := p.upstream[b.ServicePort]
	if u == nil {
		u = &upstream{}
		p.renew(u, b, now)
		u.ask(now)
		u.balance(now)
		p.upstream[b.ServicePort] = u
	}
	p.advance(u, now)
	u.probe(now)
	if u.backedOff > 0 {
		u.balance(now)
	}
	return u
}

// usable reports whether a backend may be picked. One whose Service does not exist may: its
// requests get a 500. One that is being looked up may too: its requests wait.
func (p *Proxy) usable(b *backend, now time.Duration) bool {
	if !b.exists {
		return true
	}
	u := p.upstreamFor(b, now)
	return u.balancer.Available() || u.mayAnswer()
}

// backOff skips an endpoint that could not be connected to, for a time that doubles.
func (p *Proxy) backOff(b *backend, e *endpoint, now time.Duration) {
	pause := min(dialBackoffMin<<min(e.failures, 8), dialBackoffMax)
	e.failures++
	e.retryAt = now + pause
	if u := p.upstream[b.ServicePort]; u != nil {
		u.balance(now)
	}
}

// nextRetry returns when the next backoff or penalty among a rule's endpoints ends, or next if that is sooner.
func (p *Proxy) nextRetry(r *rule, now, next time.Duration) time.Duration {
	for _, b := range r.backends {
		u := p.upstream[b.ServicePort]
		if u == nil {
			continue
		}
		if !u.Known() {
			next = min(next, max(u.at, now+time.Millisecond))
		}
		for _, x := range u.penalties {
			next = min(next, max(x.end, now+time.Millisecond))
		}
		for _, e := range u.endpoints {
			if e.retryAt > now {
				next = min(next, e.retryAt)
			}
		}
	}
	return next
}

func (p *Proxy) newEndpoint(d mesh.Destination) *endpoint {
	e := &endpoint{Destination: d, out: p.meter.proxy.Outbound(d)}
	e.transport = newTransport(func(ctx context.Context, _ string) (net.Conn, error) {
		return p.connect(ctx, d.Addr, d.Identity)
	})
	return e
}

// newTransport keeps connections.
func newTransport(dial func(ctx context.Context, address string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			conn, err := dial(ctx, address)
			if err != nil {
				return nil, &connectError{err}
			}
			return conn, nil
		},
		MaxIdleConnsPerHost: idleConnections, IdleConnTimeout: idleClient, DisableCompression: true,
		MaxResponseHeaderBytes: maxHeader, ExpectContinueTimeout: connectTimeout,
	}
}

// connectError says that there is no connection to an endpoint: no request was sent.
type connectError struct{ cause error }

func (e *connectError) Error() string { return e.cause.Error() }

func (e *connectError) Unwrap() error { return e.cause }

var errNoCertificate = errors.New("the proxy has no certificate yet")

// connect connects to an address, with mTLS if an identity is expected there.
func (p *Proxy) connect(ctx context.Context, to netip.AddrPort, identity string) (net.Conn, error) {
	dialCtx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := p.cfg.Dial(dialCtx, "tcp", to.String())
	if err != nil || identity == "" {
		return conn, err
	}
	creds := p.credentials.Load()
	if creds == nil {
		_ = conn.Close()
		return nil, errNoCertificate
	}
	handshakeCtx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	secured := tls.Client(conn, creds.client(identity))
	if err := secured.HandshakeContext(handshakeCtx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("mTLS with %s: %w", identity, err)
	}
	return secured, nil
}

// route returns the counters of a target's route.
func (p *Proxy) route(a *targetStats, t *target, r *rule) *mesh.RouteStats {
	name := nameOf(r)
	if a.routes[name] == nil {
		a.routes[name] = p.meter.proxy.Route(t.ServicePort, r.Route)
	}
	return a.routes[name]
}

func (p *Proxy) backendStats(a *targetStats, t *target, r *rule, b *backend) *mesh.BackendStats {
	name := backendName{nameOf(r), b.ServicePort}
	if a.backends[name] == nil {
		a.backends[name] = p.meter.proxy.Backend(t.ServicePort, r.Route, b.ServicePort)
	}
	return a.backends[name]
}

func nameOf(r *rule) routeName {
	if r.Route == nil {
		return routeName{}
	}
	return routeName{r.Route.Namespace, r.Route.Name}
}

func (p *Proxy) statsOf(s mesh.ServicePort) *targetStats {
	a := p.stats[s]
	if a == nil {
		a = &targetStats{routes: map[routeName]*mesh.RouteStats{}, backends: map[backendName]*mesh.BackendStats{}}
		p.stats[s] = a
	}
	return a
}
