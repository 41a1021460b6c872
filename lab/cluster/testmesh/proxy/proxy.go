// Package proxy is the sidecar of the test mesh: a transparent proxy for HTTP/1.1 with mTLS between
// pods. Package mesh decides on backends, endpoints, authorization and metrics, as in the sim; this
// package moves the bytes.
//
// An outbound connection is handled by its original destination: HTTP/1 to a Service's port is
// routed; anything to a meshed pod's address is wrapped in mTLS; the rest is forwarded as it is. An
// inbound connection is mTLS for this pod's identity, other TLS, HTTP/1 or anything else; policy is
// evaluated for each request, or once for a connection that is not HTTP/1.
//
// The control plane sends the state of the cluster (package wire), so the proxy needs no Kubernetes
// client. docs/testing.md lists the differences to Linkerd's proxy.
package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
	"coalmine/loadgen/rng"
)

// Config configures a proxy.
type Config struct {
	// Pod, Namespace, IP and ServiceAccount are those of its own pod.
	Pod, Namespace, ServiceAccount string
	IP                             netip.Addr
	// Control is the HTTPS URL of the control plane. TokenFile has the token of the service
	// account, RootsFile the trust anchors (PEM).
	Control              *url.URL
	TokenFile, RootsFile string
	// OriginalDestination returns the destination of a connection before it was redirected.
	OriginalDestination func(net.Conn) (netip.AddrPort, error)
	Log                 *slog.Logger

	// The rest has defaults, which are Linkerd's where it has them.

	// Listen and Dial make connections (package net).
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	// Detect is how long protocol detection waits for a client (10 s). After that, the connection
	// is forwarded as it is.
	Detect time.Duration
	// Failfast is how long a request waits for a backend (3 s).
	Failfast time.Duration
	// Drain is the time for requests in flight when the proxy stops (30 s).
	Drain time.Duration
	// Seed of the choice of backends and endpoints; 0 is a random one.
	Seed uint64
}

// Limits (linkerd2-proxy, linkerd/app/src/env.rs, where it has them).
const (
	detectTimeout  = 10 * time.Second
	drainTimeout   = 30 * time.Second
	connectTimeout = time.Second
	// A handshake takes processor time, which small machines are short of.
	handshakeTimeout = 5 * time.Second
	dialBackoffMin   = 100 * time.Millisecond
	dialBackoffMax   = 500 * time.Millisecond
	maxHeader        = 256 << 10
	headerTimeout    = 30 * time.Second
	idleConnections  = 1024
	// The client side closes idle connections well before the server side, so that a request seldom
	// meets a connection that is being closed.
	idleClient = 20 * time.Second
	idleServer = 5 * time.Minute
)

func (c Config) withDefaults() Config {
	if c.Listen == nil {
		c.Listen = (&net.ListenConfig{}).Listen
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	c.Detect = cmp.Or(c.Detect, detectTimeout)
	c.Failfast = cmp.Or(c.Failfast, mesh.FailfastAfter)
	c.Drain = cmp.Or(c.Drain, drainTimeout)
	if c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) check() error {
	switch {
	case c.Pod == "" || c.Namespace == "" || c.ServiceAccount == "":
		return errors.New("proxy: pod, namespace and service account are required")
	case !c.IP.IsValid():
		return errors.New("proxy: the IP of the pod is required")
	case c.Control == nil || c.Control.Scheme != "https":
		return errors.New("proxy: the HTTPS URL of the control plane is required")
	case c.OriginalDestination == nil:
		return errors.New("proxy: OriginalDestination is required")
	}
	return nil
}

// Proxy is one pod's proxy.
type Proxy struct {
	cfg         Config
	log         *slog.Logger // as in cfg
	identity    string
	credentials atomic.Pointer[credentials]

	// mu guards the decisions and counters of package mesh and the fields below, and is never held
	// during I/O.
	mu       sync.Mutex
	start    time.Time
	meter    meter
	upstream map[mesh.ServicePort]*upstream
	stats    map[mesh.ServicePort]*targetStats
	state    *clusterState
	// changed is closed when the state changes.
	changed chan struct{}

	backendRNG, endpointRNG, lookupRNG, retryRNG rng.Stream

	draws atomic.Uint64

	outbound, inbound *listener
	authz             *authz
}

// New returns a proxy, or an error if the configuration is incomplete.
func New(cfg Config) (*Proxy, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	p := &Proxy{
		cfg: cfg, log: cfg.Log, identity: mesh.Identity(cfg.ServiceAccount, cfg.Namespace), start: time.Now(),
		meter: newMeter(), upstream: map[mesh.ServicePort]*upstream{}, stats: map[mesh.ServicePort]*targetStats{},
		state: emptyState(), changed: make(chan struct{}),
		backendRNG: rng.New(cfg.Seed, "testmesh/backend"), endpointRNG: rng.New(cfg.Seed, "testmesh/endpoint"),
		lookupRNG: rng.New(cfg.Seed, "testmesh/lookup"), retryRNG: rng.New(cfg.Seed, "testmesh/retry"),
	}
	p.authz = newAuthz(p)
	p.outbound = p.newListener(newForwarder(&router{p}, p.quiet()), 0)
	p.inbound = p.newListener(newForwarder(p.authz, p.quiet()), idleServer)
	return p, nil
}

// now is the time since the start, as package mesh wants it.
func (p *Proxy) now() time.Duration { return time.Since(p.start) }

// Run serves until the context ends, then drains. An error means that it could not listen.
func (p *Proxy) Run(ctx context.Context) error {
	listeners, err := p.listen(ctx)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var background sync.WaitGroup
	background.Go(func() { p.keepIdentity(serving) })
	background.Go(func() { p.followConfig(serving) })
	admin := &http.Server{Handler: p.admin(), ReadHeaderTimeout: headerTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: p.quiet()}
	background.Go(func() { _ = admin.Serve(listeners.admin) }) // ends by Close

	var accepting sync.WaitGroup
	for _, l := range listeners.outbound {
		accepting.Go(func() { p.outbound.accept(ctx, l, p.handleOutbound) })
	}
	accepting.Go(func() { p.inbound.accept(ctx, listeners.inbound, p.handleInbound) })
	p.log.Info("the proxy accepts connections", "identity", p.identity)

	<-ctx.Done()
	listeners.close()
	accepting.Wait()
	p.drain(ctx)
	stop()
	_ = admin.Close()
	p.closeIdle()
	background.Wait()
	return nil
}

// drain waits for requests and tunnels in flight.
func (p *Proxy) drain(ctx context.Context) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.Drain)
	defer cancel()
	var draining sync.WaitGroup
	for _, ln := range []*listener{p.inbound, p.outbound} {
		draining.Go(func() { ln.close(limited) })
	}
	draining.Wait()
}

type sockets struct {
	outbound       []net.Listener
	inbound, admin net.Listener
}

func (l sockets) close() {
	for _, o := range l.outbound {
		_ = o.Close()
	}
	_ = l.inbound.Close()
}

func (p *Proxy) listen(ctx context.Context) (sockets, error) {
	var all sockets
	open := func(host string, port int) (net.Listener, error) {
		l, err := p.cfg.Listen(ctx, "tcp", net.JoinHostPort(host, fmt.Sprint(port)))
		if err != nil {
			return nil, fmt.Errorf("the proxy cannot listen on port %d: %w: does another process of the "+
				"pod use it?", port, err)
		}
		return l, nil
	}
	out, err := open("127.0.0.1", wire.OutboundPort)
	if err != nil {
		return all, err
	}
	all.outbound = []net.Listener{out}
	// Pods without IPv6 have no such loopback address, and send nothing by it.
	if out6, err := open("::1", wire.OutboundPort); err == nil {
		all.outbound = append(all.outbound, out6)
	}
	if all.inbound, err = open("", wire.InboundPort); err == nil {
		all.admin, err = open("", names.AdminPort)
	}
	if err != nil {
		for _, l := range append(all.outbound, all.inbound, all.admin) {
			if l != nil {
				_ = l.Close()
			}
		}
	}
	return all, err
}

// quiet is a log for what net/http reports about broken connections.
func (p *Proxy) quiet() *log.Logger { return slog.NewLogLogger(p.log.Handler(), slog.LevelDebug) }

func (p *Proxy) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.upstream {
		for _, e := range u.endpoints {
			e.transport.CloseIdleConnections()
		}
	}
	p.authz.app.CloseIdleConnections()
}
