package attack

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"
)

// dialer opens connections for net/http, some of them in advance, and closes all of them in the
// end.
type dialer struct {
	net net.Dialer
	tls *tls.Config
	// addresses is that of the attack.
	addresses map[string]string
	observe   func(net.Conn) net.Conn
	// maxUnused is how long a connection may be open before something is sent on it; 0 is no limit.
	maxUnused time.Duration
	// offset learns from writes.
	offset *dispatchOffset

	// ctx cancels dials in progress. net/http continues a dial for later requests even if nothing
	// waits for it any more.
	ctx    context.Context
	cancel context.CancelFunc
	dials  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[*conn]struct{}
	idle   map[endpoint][]net.Conn
}

// endpoint is the peer of a connection.
type endpoint struct {
	secure bool
	addr   string
}

func newDialer(timeout time.Duration, a Attack) *dialer {
	d := &dialer{net: net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second},
		tls: clientConfig(a.TLS, a.HTTP2), addresses: a.Addresses, offset: &dispatchOffset{}}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.open, d.idle = make(map[*conn]struct{}), make(map[endpoint][]net.Conn)
	return d
}

// clientConfig sets the protocols to negotiate.
func clientConfig(c *tls.Config, http2 bool) *tls.Config {
	if c = c.Clone(); c == nil {
		c = &tls.Config{}
	}
	c.NextProtos = []string{"http/1.1"}
	if http2 {
		c.NextProtos = []string{"h2", "http/1.1"}
	}
	return c
}

// dial is for http.Transport.DialContext.
func (d *dialer) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	return d.get(ctx, endpoint{false, addr})
}

// dialTLS is for http.Transport.DialTLSContext.
func (d *dialer) dialTLS(ctx context.Context, _, addr string) (net.Conn, error) {
	return d.get(ctx, endpoint{true, addr})
}

// get returns an idle connection, or opens one.
func (d *dialer) get(ctx context.Context, to endpoint) (net.Conn, error) {
	for c := d.takeIdle(to); c != nil; c = d.takeIdle(to) {
		if !stale(c) {
			return c, nil
		}
		c.Close()
	}
	return d.connect(ctx, to)
}

func (d *dialer) takeIdle(to endpoint) net.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.idle[to]
	if len(list) == 0 {
		return nil
	}
	c := list[len(list)-1]
	d.idle[to] = list[:len(list)-1]
	return c
}

// connect opens a connection, with a TLS handshake if the endpoint is secure.
func (d *dialer) connect(ctx context.Context, to endpoint) (net.Conn, error) {
	if !d.beginDial() {
		return nil, errStopped
	}
	defer d.dials.Done()
	ctx, cancel := context.WithTimeout(ctx, d.net.Timeout)
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)()
	network, addr := d.address(to.addr)
	plain, err := d.net.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := d.track(plain)
	if !to.secure {
		return c, nil
	}
	secure, err := handshake(ctx, c, to.addr, d.tls)
	if err != nil {
		c.Close()
		return nil, err
	}
	return secure, nil
}

// unixPrefix marks the path of a socket among addresses.
const unixPrefix = "unix:"

// address returns what to dial for an address.
func (d *dialer) address(addr string) (network, instead string) {
	if other, ok := d.addresses[addr]; ok {
		addr = other
	}
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		return "unix", path
	}
	return "tcp", addr
}

// handshake performs the TLS handshake. Its errors are of type [handshakeError].
func handshake(ctx context.Context, c net.Conn, addr string, config *tls.Config) (*tls.Conn, error) {
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		config = config.Clone()
		config.ServerName = host
	}
	secure := tls.Client(c, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, &handshakeError{err}
	}
	return secure, nil
}

// beginDial counts a dial in progress, unless the dialer is closed.
func (d *dialer) beginDial() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.dials.Add(1)
	return true
}

// conn is a connection of a dialer. If it was unused for too long, its first write opens another in
// its place.
type conn struct {
	net.Conn
	dialer *dialer
	// expires is when an unused connection may not be used any more; zero means never.
	expires time.Time
	// used is set by the first write. Writes do not overlap.
	used bool

	mu     sync.Mutex
	closed bool
	// fresh is the connection in place of Conn; nil means none.
	fresh net.Conn
}

func (d *dialer) track(c net.Conn) *conn {
	if d.observe != nil {
		c = d.observe(c)
	}
	tracked := &conn{Conn: c, dialer: d}
	if d.maxUnused > 0 {
		tracked.expires = time.Now().Add(d.maxUnused)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[tracked] = struct{}{}
	return tracked
}

func (c *conn) expired() bool { return !c.expires.IsZero() && time.Now().After(c.expires) }

func (c *conn) current() net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fresh != nil {
		return c.fresh
	}
	return c.Conn
}

func (c *conn) Write(p []byte) (int, error) {
	if !c.used {
		c.used = true
		if c.expired() {
			if err := c.replace(); err != nil {
				return 0, err
			}
		}
	}
	c.dialer.offset.written()
	return c.current().Write(p)
}

// replace opens a connection in place of one that was unused for too long.
func (c *conn) replace() error {
	if !c.dialer.beginDial() {
		return errStopped
	}
	defer c.dialer.dials.Done()
	ctx, cancel := context.WithTimeout(c.dialer.ctx, c.dialer.net.Timeout)
	defer cancel()
	fresh, err := c.dialer.net.DialContext(ctx, "tcp", c.RemoteAddr().String())
	if err != nil {
		return err
	}
	if c.dialer.observe != nil {
		fresh = c.dialer.observe(fresh)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		fresh.Close()
		return net.ErrClosed
	}
	c.fresh = fresh
	return c.Conn.Close() // ends a read, which goes on with the fresh one
}

// Read reads on from the connection that has replaced the one on which it waited.
func (c *conn) Read(p []byte) (int, error) {
	from := c.current()
	n, err := from.Read(p)
	if now := c.current(); n == 0 && err != nil && now != from {
		return now.Read(p)
	}
	return n, err
}

func (c *conn) Close() error {
	c.dialer.mu.Lock()
	delete(c.dialer.open, c)
	c.dialer.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.fresh != nil {
		return c.fresh.Close()
	}
	return c.Conn.Close()
}

// prewarm opens n connections, shared evenly by the hosts. It ignores errors, because they will
// recur when the connection is needed, but stops dialling a host after its first error.
func (d *dialer) prewarm(ctx context.Context, targets []*url.URL, n int) {
	hosts := endpoints(targets)
	var all sync.WaitGroup
	for i, to := range hosts {
		share := n / len(hosts)
		if i < n%len(hosts) {
			share++
		}
		all.Go(func() { d.prewarmEndpoint(ctx, to, share) })
	}
	all.Wait()
}

// prewarmParallel is the number of concurrent dials to one host: few enough not to resemble a SYN
// flood.
const prewarmParallel = 8

func (d *dialer) prewarmEndpoint(ctx context.Context, to endpoint, n int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	for i := range min(prewarmParallel, n) {
		all.Go(func() {
			for j := i; j < n && ctx.Err() == nil; j += prewarmParallel {
				c, err := d.connect(ctx, to)
				if err != nil {
					cancel()
					return
				}
				d.putIdle(to, c)
			}
		})
	}
	all.Wait()
}

func (d *dialer) putIdle(to endpoint, c net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.idle[to] = append(d.idle[to], c)
}

// endpoints lists the endpoints of the targets, without duplicates.
func endpoints(targets []*url.URL) []endpoint {
	var list []endpoint
	seen := make(map[endpoint]bool)
	for _, u := range targets {
		if to := endpointOf(u); !seen[to] {
			seen[to] = true
			list = append(list, to)
		}
	}
	return list
}

// endpointOf returns the endpoint that net/http dials for a target.
func endpointOf(u *url.URL) endpoint {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return endpoint{u.Scheme == "https", net.JoinHostPort(u.Hostname(), port)}
}

// close cancels dials in progress and closes every connection.
func (d *dialer) close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.dials.Wait()
	d.mu.Lock()
	var left []*conn
	for c := range d.open {
		left = append(left, c)
	}
	d.mu.Unlock()
	for _, c := range left {
		c.Close()
	}
}
