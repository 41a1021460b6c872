package attack

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"sync"
	"time"
)

// dialer opens connections for net/http, some of them before they are asked for, and closes all of them in the end.
type dialer struct {
	net     net.Dialer
	tls     *tls.Config
	observe func(net.Conn) net.Conn
	// lead is told of writes.
	lead *lead

	// ctx ends dials under way, which net/http goes on with for the next request even if nobody waits for them any more.
	ctx    context.Context
	cancel context.CancelFunc
	dials  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[*conn]struct{}
	stock  map[place][]net.Conn
}

// place is where connections lead.
type place struct {
	secure bool
	addr   string
}

func newDialer(timeout time.Duration, config *tls.Config, http2 bool) *dialer {
	d := &dialer{net: net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}, tls: clientConfig(config, http2), lead: &lead{}}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.open, d.stock = make(map[*conn]struct{}), make(map[place][]net.Conn)
	return d
}

// clientConfig names the protocols that are to be spoken.
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
	return d.get(ctx, place{false, addr})
}

// dialTLS is for http.Transport.DialTLSContext.
func (d *dialer) dialTLS(ctx context.Context, _, addr string) (net.Conn, error) {
	return d.get(ctx, place{true, addr})
}

// get takes a connection out of stock, or opens one.
func (d *dialer) get(ctx context.Context, to place) (net.Conn, error) {
	for c := d.pick(to); c != nil; c = d.pick(to) {
		if !stale(c) {
			return c, nil
		}
		c.Close()
	}
	return d.connect(ctx, to)
}

func (d *dialer) pick(to place) net.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.stock[to]
	if len(list) == 0 {
		return nil
	}
	c := list[len(list)-1]
	d.stock[to] = list[:len(list)-1]
	return c
}

// connect opens a connection, for a secure place with a handshake.
func (d *dialer) connect(ctx context.Context, to place) (net.Conn, error) {
	if !d.enter() {
		return nil, errStopped
	}
	defer d.dials.Done()
	ctx, cancel := context.WithTimeout(ctx, d.net.Timeout)
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)()
	plain, err := d.net.DialContext(ctx, "tcp", to.addr)
	if err != nil {
		return nil, err
	}
	c := d.own(plain)
	if !to.secure {
		return c, nil
	}
	secure, err := shake(ctx, c, to.addr, d.tls)
	if err != nil {
		c.Close()
		return nil, err
	}
	return secure, nil
}

// shake does the handshake on a new connection. Errors are a [handshakeError].
func shake(ctx context.Context, c net.Conn, addr string, config *tls.Config) (*tls.Conn, error) {
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

// enter counts a dial, unless the dialer is closed.
func (d *dialer) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.dials.Add(1)
	return true
}

// conn leaves its dialer's account when it is closed.
type conn struct {
	net.Conn
	dialer *dialer
}

func (d *dialer) own(c net.Conn) *conn {
	if d.observe != nil {
		c = d.observe(c)
	}
	mine := &conn{c, d}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[mine] = struct{}{}
	return mine
}

func (c *conn) Write(p []byte) (int, error) {
	c.dialer.lead.written()
	return c.Conn.Write(p)
}

func (c *conn) Close() error {
	c.dialer.mu.Lock()
	delete(c.dialer.open, c)
	c.dialer.mu.Unlock()
	return c.Conn.Close()
}

// stockUp opens n connections, shared evenly by the hosts. Those that fail will fail again when they are needed, so that errors do
// not matter here; a host that has one gets no more.
func (d *dialer) stockUp(ctx context.Context, targets []*url.URL, n int) {
	ctx, cancel := context.WithTimeout(ctx, stockTime)
	defer cancel()
	hosts := places(targets)
	var all sync.WaitGroup
	for i, to := range hosts {
		share := n / len(hosts)
		if i < n%len(hosts) {
			share++
		}
		all.Go(func() { d.stockPlace(ctx, to, share) })
	}
	all.Wait()
}

// stockTime bounds the time before the first request.
const stockTime = 2 * time.Second

// stockers is how many connections are opened at a time to one host: few enough not to look like an attack of another kind.
const stockers = 8

func (d *dialer) stockPlace(ctx context.Context, to place, n int) {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var all sync.WaitGroup
	for i := range min(stockers, n) {
		all.Go(func() {
			for j := i; j < n && ctx.Err() == nil; j += stockers {
				c, err := d.connect(ctx, to)
				if err != nil {
					giveUp()
					return
				}
				d.put(to, c)
			}
		})
	}
	all.Wait()
}

func (d *dialer) put(to place, c net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stock[to] = append(d.stock[to], c)
}

// places lists where targets lead, each once.
func places(targets []*url.URL) []place {
	var list []place
	seen := make(map[place]bool)
	for _, u := range targets {
		if to := placeOf(u); !seen[to] {
			seen[to] = true
			list = append(list, to)
		}
	}
	return list
}

// placeOf is the key that net/http dials by.
func placeOf(u *url.URL) place {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return place{u.Scheme == "https", net.JoinHostPort(u.Hostname(), port)}
}

// close ends dials under way and closes every connection.
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
