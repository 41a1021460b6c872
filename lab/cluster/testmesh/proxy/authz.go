package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"coalmine/lab/mesh"
)

// clientHeader has the identity of the client. It is Linkerd's; values that clients send are
// removed.
const clientHeader = "L5d-Client-Id"

// authz authorizes requests to the pod and forwards them.
type authz struct {
	*Proxy
	app *http.Transport
	// seen has the counters for each kind of client. It is guarded by the proxy's lock.
	seen map[inboundKey]*mesh.Inbound
	// limiters enforce the rate limits of the pod's ports, under the same lock.
	limiters map[int]*mesh.Limiter
}

type inboundKey struct {
	identity string
	verdict  mesh.Verdict
}

func newAuthz(p *Proxy) *authz {
	return &authz{Proxy: p, seen: map[inboundKey]*mesh.Inbound{}, limiters: map[int]*mesh.Limiter{},
		app: newTransport(func(ctx context.Context, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, connectTimeout)
			defer cancel()
			return p.cfg.Dial(ctx, "tcp", address)
		})}
}

// handleInbound handles a connection to the pod.
func (p *Proxy) handleInbound(ctx context.Context, conn net.Conn, dst netip.AddrPort) {
	c := &redirectedConn{dst: dst, client: mesh.Client{Addr: remote(conn)}}
	proto := opaque
	var err error
	if !opaquePort(dst.Port()) {
		proto, conn, err = detect(ctx, conn, p.cfg.Detect)
	}
	if err == nil && proto == tlsHello {
		var name string
		if name, conn, err = serverName(ctx, conn, p.cfg.Detect); err == nil && name == p.identity {
			proto, conn, c.client.Identity, err = p.acceptTLS(ctx, conn)
		}
	}
	c.Conn = conn
	switch {
	case err != nil:
		p.log.Debug("an inbound connection failed", "from", c.client.Addr, "error", err)
		reset(conn)
	case proto == http1:
		p.inbound.serve(c)
	default:
		p.forwardTCP(ctx, c)
	}
}

func remote(conn net.Conn) netip.Addr {
	at, _ := netip.ParseAddrPort(conn.RemoteAddr().String()) // always valid for TCP
	return at.Addr().Unmap()
}

// acceptTLS terminates mTLS and returns the client's identity and the protocol inside.
func (p *Proxy) acceptTLS(ctx context.Context, conn net.Conn) (protocol, net.Conn, string, error) {
	creds := p.credentials.Load()
	if creds == nil {
		return opaque, conn, "", errNoCertificate
	}
	handshakeCtx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	inside := tls.Server(conn, creds.server)
	if err := inside.HandshakeContext(handshakeCtx); err != nil {
		return opaque, conn, "", err
	}
	identity, err := identityOf(inside.ConnectionState().PeerCertificates)
	if err != nil {
		return opaque, conn, "", err
	}
	proto, prefixed, err := detect(ctx, inside, p.cfg.Detect)
	return proto, prefixed, identity, err
}

// forwardTCP authorizes a connection that is not HTTP/1 and copies it to the service.
func (p *Proxy) forwardTCP(ctx context.Context, c *redirectedConn) {
	state, err := p.waitForSelf(ctx)
	if err != nil {
		reset(c)
		return
	}
	if verdict := state.policies.Decide(*state.self, int(c.dst.Port()), c.client); !verdict.Allowed {
		p.log.Debug("denied a connection", "from", c.client.Identity, "port", c.dst.Port(), "reason", verdict.Reason)
		reset(c)
		return
	}
	dialCtx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	to, err := p.cfg.Dial(dialCtx, "tcp", local(c.dst.Port()))
	if err != nil {
		reset(c)
		return
	}
	tunnel(c, to)
}

// local is the address of the pod's service.
func local(port uint16) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))) }

var errNoConfig = errors.New("the control plane has not sent this pod yet")

// waitForSelf waits a moment for a state that has the proxy's own pod, without which no policy can
// be evaluated.
func (p *Proxy) waitForSelf(ctx context.Context) (*clusterState, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Failfast)
	defer cancel()
	for {
		p.mu.Lock()
		state, changed := p.state, p.changed
		p.mu.Unlock()
		if state.self != nil {
			return state, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, errNoConfig
		}
	}
}

// RoundTrip authorizes a request and forwards it to the pod's service. An error means that the
// client is gone.
func (a *authz) RoundTrip(r *http.Request) (*http.Response, error) {
	c := connOf(r.Context())
	state, err := a.waitForSelf(r.Context())
	if err != nil {
		return bare(r, http.StatusServiceUnavailable), nil
	}
	policy := state.policies.ForPort(*state.self, int(c.dst.Port()))
	verdict := policy.Decide(c.client, toMesh(r, true))
	in, start, limited := a.countRequest(c, verdict, policy.Limit())
	switch {
	case !verdict.Allowed:
		a.log.Debug("denied a request", "from", c.client.Identity, "port", c.dst.Port(), "reason", verdict.Reason)
		return bare(r, verdict.Status), nil
	case limited:
		return bare(r, http.StatusTooManyRequests), nil
	}
	response, err := a.app.RoundTrip(a.toService(r, c))
	answered := a.now()
	switch {
	case err == nil:
		onBodyEnd(response, func() { a.countResponse(in, response.StatusCode, answered-start) })
		return response, nil
	case r.Context().Err() != nil:
		return nil, err
	}
	// The response is the proxy's own and not counted as the service's.
	a.log.Debug("the service does not respond", "error", err)
	return bare(r, failureStatus(err)), nil
}

// failureStatus returns the status for a service that does not respond (linkerd2-proxy,
// linkerd/app/inbound/src/http/router.rs, ClientRescue).
func failureStatus(err error) int {
	if errors.Is(err, context.DeadlineExceeded) {
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

func (a *authz) toService(r *http.Request, c *redirectedConn) *http.Request {
	out := r.WithContext(r.Context())
	out.URL = &url.URL{
		Scheme: "http", Host: local(c.dst.Port()),
		Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery,
	}
	out.Header.Del(clientHeader)
	if c.client.Identity != "" {
		out.Header.Set(clientHeader, c.client.Identity)
	}
	return out
}

// countRequest counts a request, allowed or denied. It reports whether it exceeds a rate limit, which
// may be nil.
func (a *authz) countRequest(c *redirectedConn, verdict mesh.Verdict, limit *mesh.RateLimit) (
	in *mesh.Inbound, now time.Duration, limited bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	label := verdict
	label.Reason = ""
	key := inboundKey{c.client.Identity, label}
	in = a.seen[key]
	if in == nil {
		in = a.meter.proxy.Inbound(c.dst, c.client, verdict)
		a.seen[key] = in
	}
	now = a.now()
	if !verdict.Allowed {
		in.Denied()
		return in, now, false
	}
	port := int(c.dst.Port())
	a.limiters[port] = a.limiters[port].Follow(limit)
	if l := a.limiters[port]; l != nil {
		if scope := l.Take(now, c.client.Identity); scope != "" {
			in.Limited(limit, scope)
			return in, now, true
		}
	}
	in.Request(now)
	return in, now, false
}

func (a *authz) countResponse(in *mesh.Inbound, status int, latency time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	in.Response(a.now(), status, latency)
}
