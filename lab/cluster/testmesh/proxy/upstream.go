package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"coalmine/lab/mesh"
)

// upstream is a Service's port as this proxy sends to it.
type upstream struct {
	balancer mesh.Balancer
	// endpoints by their key for the balancer.
	endpoints map[int]*endpoint
	nextKey   int
	// backedOff counts endpoints that could not be connected to and are left out for a while.
	backedOff int
}

// endpoint is a pod of an upstream.
type endpoint struct {
	mesh.Destination
	out       *mesh.Outbound
	transport *http.Transport
	// failures in a row to connect; it is left out until rests has passed.
	failures int
	retryAt  time.Duration
}

// targetStats is what the proxy keeps for a Service's port that its clients ask.
type targetStats struct {
	// failfast is set once a request has waited in vain, until a backend is available.
	failfast bool
	routes   map[routeName]*mesh.RouteStats
	backends map[backendName]*mesh.BackendStats
}

type routeName struct{ namespace, name string }

type backendName struct {
	route   routeName
	backend mesh.ServicePort
}

// apply makes a view the one in force.
func (p *Proxy) apply(v *clusterState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = v
	now := p.now()
	for at, u := range p.upstream {
		if b := v.backends[at]; b != nil {
			p.renew(u, b, now)
			continue
		}
		p.renew(u, &backend{}, now)
		delete(p.upstream, at)
	}
	usable := func(b *backend) bool { return p.usable(b, now) }
	for _, t := range v.targets {
		if a := p.stats[t.ServicePort]; a != nil && a.failfast {
			a.failfast = !t.available(usable)
		}
	}
	p.wake()
}

// wake lets those who wait for a backend look again.
func (p *Proxy) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// renew gives an upstream the endpoints of a view. Those that it had keep their connections and their load.
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
	u.balance(now)
}

// balance gives the balancer the endpoints that are not resting.
func (u *upstream) balance(now time.Duration) {
	keys := make([]int, 0, len(u.endpoints))
	for key := range u.nextKey {
		if e := u.endpoints[key]; e != nil && e.retryAt <= now {
			keys = append(keys, key)
		}
	}
	u.backedOff = len(u.endpoints) - len(keys)
	u.balancer.Set(now, keys)
}

// upstreamFor returns a backend's upstream as it is now, with those endpoints that have rested.
func (p *Proxy) upstreamFor(b *backend, now time.Duration) *upstream {
	u := p.upstream[b.ServicePort]
	if u == nil {
		u = &upstream{}
		p.renew(u, b, now)
		p.upstream[b.ServicePort] = u
	}
	if u.backedOff > 0 {
		u.balance(now)
	}
	return u
}

// usable tells whether a backend takes part in the draw. One whose Service does not exist does: its share is answered with 500.
func (p *Proxy) usable(b *backend, now time.Duration) bool {
	return !b.exists || p.upstreamFor(b, now).balancer.Len() > 0
}

// backOff leaves out an endpoint that could not be connected to, for a time that doubles.
func (p *Proxy) backOff(b *backend, e *endpoint, now time.Duration) {
	pause := min(dialBackoffMin<<min(e.failures, 8), dialBackoffMax)
	e.failures++
	e.retryAt = now + pause
	if u := p.upstream[b.ServicePort]; u != nil {
		u.balance(now)
	}
}

// nextRetry returns when the next of a rule's endpoints has rested, or the given time if that is sooner.
func (p *Proxy) nextRetry(r *rule, now, next time.Duration) time.Duration {
	for _, b := range r.backends {
		u := p.upstream[b.ServicePort]
		if u == nil || u.backedOff == 0 {
			continue
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
		DialContext:         func(ctx context.Context, _, address string) (net.Conn, error) { return dial(ctx, address) },
		MaxIdleConnsPerHost: idleConnections, IdleConnTimeout: idleClient, DisableCompression: true,
		MaxResponseHeaderBytes: maxHeader, ExpectContinueTimeout: connectTimeout,
	}
}

var errNoCertificate = errors.New("there is no certificate of our own yet")

// connect makes a connection, with mTLS when an identity is expected there.
func (p *Proxy) connect(ctx context.Context, to netip.AddrPort, identity string) (net.Conn, error) {
	dialing, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := p.cfg.Dial(dialing, "tcp", to.String())
	if err != nil || identity == "" {
		return conn, err
	}
	own := p.credentials.Load()
	if own == nil {
		_ = conn.Close()
		return nil, errNoCertificate
	}
	shaking, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	secured := tls.Client(conn, own.client(identity))
	if err := secured.HandshakeContext(shaking); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("mTLS with %s: %w", identity, err)
	}
	return secured, nil
}

// route returns the counters of a route of an asked Service.
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
