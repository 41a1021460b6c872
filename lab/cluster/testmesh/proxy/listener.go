package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"coalmine/lab/cluster/backoff"
	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
)

// listener takes the connections of one direction. Those that speak HTTP/1 go to a server, the others are tunnels.
type listener struct {
	proxy   *Proxy
	server  *http.Server
	handoff *connListener
	// pending are the connections that have not been handed to the server.
	pending sync.WaitGroup
	mu      sync.Mutex
	open    map[net.Conn]bool
}

// redirectedConn is a connection whose other end is known. The server gets it in the context of its requests.
type redirectedConn struct {
	net.Conn
	// dst is where it was on its way to.
	dst netip.AddrPort
	// client is who came in.
	client mesh.Client
}

type connKey struct{}

// connOf is the connection that a request came by.
func connOf(ctx context.Context) *redirectedConn { return ctx.Value(connKey{}).(*redirectedConn) }

func (p *Proxy) newListener(h http.Handler, idle time.Duration) *listener {
	e := &listener{proxy: p, open: map[net.Conn]bool{}, handoff: &connListener{conns: make(chan net.Conn), closed: make(chan struct{})}}
	e.server = &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idle, MaxHeaderBytes: maxHeader, ErrorLog: p.quiet(),
		DisableGeneralOptionsHandler: true,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c.(*redirectedConn))
		},
	}
	return e
}

// connHandler does with a connection what is to be done: see [entrance.serve] and [Proxy.tunnel].
type connHandler func(ctx context.Context, conn net.Conn, dst netip.AddrPort)

// accept takes connections until the listener closes.
func (e *listener) accept(ctx context.Context, l net.Listener, take connHandler) {
	e.pending.Go(func() { _ = e.server.Serve(e.handoff) }) // ends by Shutdown
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many files, most likely: others end in a while
			e.proxy.log.Warn("cannot take a connection", "error", err)
			if backoff.Sleep(ctx, dialBackoffMin) != nil {
				return
			}
			continue
		}
		e.track(conn, true)
		e.pending.Go(func() {
			defer e.track(conn, false)
			e.dispatch(ctx, conn, take)
		})
	}
}

// dispatch finds out where a connection was on its way to. One that was not redirected, or came to the proxy's own entrances, is closed: it
// would go around in a circle. The port of the metrics leads to no entrance; those who ask other pods for theirs come through here.
func (e *listener) dispatch(ctx context.Context, conn net.Conn, take connHandler) {
	dst, err := e.proxy.cfg.OriginalDestination(conn)
	switch dst.Port() {
	case 0, wire.OutboundPort, wire.InboundPort:
		err = errors.Join(err, errors.New("it was not redirected"))
	}
	if err != nil {
		e.proxy.log.Debug("refused a connection", "from", conn.RemoteAddr(), "to", dst, "error", err)
		_ = conn.Close()
		return
	}
	take(ctx, conn, netip.AddrPortFrom(dst.Addr().Unmap(), dst.Port()))
}

func (e *listener) track(conn net.Conn, on bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if on {
		e.open[conn] = true
	} else {
		delete(e.open, conn)
	}
}

// serve hands a connection to the server.
func (e *listener) serve(c *redirectedConn) {
	select {
	case e.handoff.conns <- c:
	case <-e.handoff.closed:
		_ = c.Close()
	}
}

// close waits for requests and tunnels under way, and cuts off what is left when the context ends.
func (e *listener) close(ctx context.Context) {
	if err := e.server.Shutdown(ctx); err != nil {
		_ = e.server.Close()
	}
	done := make(chan struct{})
	go func() {
		e.pending.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		e.closeAll()
		<-done
	}
}

func (e *listener) closeAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for conn := range e.open {
		_ = conn.Close()
	}
}

// connListener is a listener whose connections somebody else has accepted.
type connListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (h *connListener) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *connListener) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (h *connListener) Addr() net.Addr { return &net.TCPAddr{} }

// tunnel copies between two connections until both directions have ended, and closes them.
func tunnel(a, b net.Conn) {
	defer a.Close()
	defer b.Close()
	var both sync.WaitGroup
	both.Go(func() { copyOneWay(a, b) })
	both.Go(func() { copyOneWay(b, a) })
	both.Wait()
}

// copyOneWay copies one direction. The end of the source is passed on; an error ends both directions.
func copyOneWay(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = to.Close()
		_ = from.Close()
		return
	}
	if c, ok := to.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
		return
	}
	_ = to.Close()
}

// reset closes a connection so that its client sees that something was wrong.
func reset(conn net.Conn) {
	if c, ok := conn.(interface{ SetLinger(int) error }); ok {
		_ = c.SetLinger(0)
	}
	_ = conn.Close()
}
