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
	"strings"
	"time"

	"coalmine/lab/mesh"
	"coalmine/loadgen/traceheader"
)

// clientHeader tells the service who asks. It is Linkerd's; what clients send in it is taken away.
const clientHeader = "L5d-Client-Id"

// authz lets requests in to the pod, or does not.
type authz struct {
	*Proxy
	app *http.Transport
	// seen are the counters of each kind of client. It is guarded by the proxy's lock.
	seen map[inboundKey]*mesh.Inbound
}

type inboundKey struct {
	identity string
	verdict  mesh.Verdict
}

func newAuthz(p *Proxy) *authz {
	return &authz{Proxy: p, seen: map[inboundKey]*mesh.Inbound{}, app: newTransport(func(ctx context.Context, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		return p.cfg.Dial(ctx, "tcp", address)
	})}
}

// handleInbound goes on with a connection to the pod.
func (p *Proxy) handleInbound(ctx context.Context, conn net.Conn, dst netip.AddrPort) {
	c := &redirectedConn{dst: dst, client: mesh.Client{Addr: remote(conn)}}
	what := opaque
	var err error
	if !opaquePort(dst.Port()) {
		what, conn, err = detect(ctx, conn, p.cfg.Detect)
	}
	if err == nil && what == tlsHello {
		var name string
		if name, conn, err = serverName(ctx, conn, p.cfg.Detect); err == nil && name == p.identity {
			what, conn, c.client.Identity, err = p.acceptTLS(ctx, conn)
		}
	}
	c.Conn = conn
	switch {
	case err != nil:
		p.log.Debug("an inbound connection came to nothing", "from", c.client.Addr, "error", err)
		reset(conn)
	case what == http1:
		p.inbound.serve(c)
	default:
		p.forwardTCP(ctx, c)
	}
}

func remote(conn net.Conn) netip.Addr {
	at, _ := netip.ParseAddrPort(conn.RemoteAddr().String()) // which is one for TCP
	return at.Addr().Unmap()
}

// acceptTLS ends mTLS and tells who is at its other end, and what is spoken inside.
func (p *Proxy) acceptTLS(ctx context.Context, conn net.Conn) (protocol, net.Conn, string, error) {
	own := p.credentials.Load()
	if own == nil {
		return opaque, conn, "", errNoCertificate
	}
	shaking, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	inside := tls.Server(conn, own.server)
	if err := inside.HandshakeContext(shaking); err != nil {
		return opaque, conn, "", err
	}
	identity, err := identityOf(inside.ConnectionState().PeerCertificates)
	if err != nil {
		return opaque, conn, "", err
	}
	what, within, err := detect(ctx, inside, p.cfg.Detect)
	return what, within, identity, err
}

// forwardTCP asks the policy about a connection that is no HTTP/1, and copies it to the service.
func (p *Proxy) forwardTCP(ctx context.Context, c *redirectedConn) {
	v, err := p.waitForSelf(ctx)
	if err != nil {
		reset(c)
		return
	}
	if verdict := v.policies.Decide(*v.self, int(c.dst.Port()), c.client); !verdict.Allowed {
		p.log.Debug("denied a connection", "from", c.client.Identity, "port", c.dst.Port(), "reason", verdict.Reason)
		reset(c)
		return
	}
	dialing, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	to, err := p.cfg.Dial(dialing, "tcp", local(c.dst.Port()))
	if err != nil {
		reset(c)
		return
	}
	tunnel(c, to)
}

// local is where the service of the pod listens.
func local(port uint16) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))) }

var errNoConfig = errors.New("the control plane has not told about this pod yet")

// waitForSelf returns the view once it knows the pod itself, without which no policy can be asked. It waits for a moment.
func (p *Proxy) waitForSelf(ctx context.Context) (*clusterState, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Failfast)
	defer cancel()
	for {
		p.mu.Lock()
		v, changed := p.state, p.changed
		p.mu.Unlock()
		if v.self != nil {
			return v, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, errNoConfig
		}
	}
}

// RoundTrip asks the policy about a request and lets the service of the pod answer it. An error means that the client has gone.
func (g *authz) RoundTrip(r *http.Request) (*http.Response, error) {
	c := connOf(r.Context())
	v, err := g.waitForSelf(r.Context())
	if err != nil {
		return synthetic(r, http.StatusServiceUnavailable, err.Error()), nil
	}
	verdict := v.policies.Probe(*v.self, int(c.dst.Port()), c.client, r.Method, r.URL.EscapedPath())
	in, begun := g.countRequest(c, verdict)
	if !verdict.Allowed {
		return withWorkloadHeaders(synthetic(r, http.StatusForbidden, "client is not authorized: "+verdict.Reason), v.self.Labels), nil
	}
	response, err := g.app.RoundTrip(g.toService(r, c))
	answered := g.now()
	switch {
	case err == nil:
		onBodyEnd(response, func() { g.countResponse(in, response.StatusCode, answered-begun) })
		return response, nil
	case r.Context().Err() != nil:
		return nil, err
	}
	// The answer is the proxy's own, and not among those of the service that it counts.
	return synthetic(r, failureStatus(err), "the service does not answer: "+err.Error()), nil
}

// Labels of a demo service's pods. Flagger gives those of a primary the app NAME-primary.
const (
	appLabel      = "app"
	versionLabel  = "version"
	primarySuffix = "-primary"
)

// withWorkloadHeaders lets an answer of the proxy's own say whose pod gave it, as the service's answers do: whoever counts what users got then knows which
// workload turned them away. Linkerd's proxy does not say it.
func withWorkloadHeaders(r *http.Response, pod map[string]string) *http.Response {
	workload, version := pod[appLabel], pod[versionLabel]
	if workload == "" || version == "" {
		return r
	}
	service := strings.TrimSuffix(workload, primarySuffix)
	r.Header[traceheader.ServedHeader] = []string{service + "=" + version}
	r.Header[traceheader.WorkloadHeader] = []string{service + "=" + workload}
	return r
}

// failureStatus is the status for a service that does not answer (linkerd2-proxy, linkerd/app/inbound/src/http/router.rs, ClientRescue).
func failureStatus(err error) int {
	if errors.Is(err, context.DeadlineExceeded) {
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

func (g *authz) toService(r *http.Request, c *redirectedConn) *http.Request {
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

// countRequest counts a request that is let in or not.
func (g *authz) countRequest(c *redirectedConn, verdict mesh.Verdict) (*mesh.Inbound, time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	label := verdict
	label.Reason = ""
	key := inboundKey{c.client.Identity, label}
	in := g.seen[key]
	if in == nil {
		in = g.meter.proxy.Inbound(c.dst, c.client, verdict)
		g.seen[key] = in
	}
	now := g.now()
	if verdict.Allowed {
		in.Request(now)
	} else {
		in.Denied()
	}
	return in, now
}

func (g *authz) countResponse(in *mesh.Inbound, status int, latency time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	in.Response(g.now(), status, latency)
}
