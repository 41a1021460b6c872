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

// listener accepts the connections of one direction. HTTP/1 is served by an HTTP server, the rest
// is tunnelled.
type listener struct {
	proxy   *Proxy
	server  *http.Server
	handoff *connListener
	// pending are the connections that have not been passed to the server.
	pending sync.WaitGroup
	mu      sync.Mutex
	open    map[net.Conn]bool
}

// redirectedConn is a connection with its original destination. It is in the context of its
// requests.
type redirectedConn struct {
	net.Conn
	// dst is the original destination.
	dst netip.AddrPort
	// client is the client of an inbound connection.
	client mesh.Client
}

type connKey struct{}

// connOf returns the connection of a request.
func connOf(ctx context.Context) *redirectedConn { return ctx.Value(connKey{}).(*redirectedConn) }

func (p *Proxy) newListener(h http.Handler, idle time.Duration) *listener {
	ln := &listener{proxy: p, open: map[net.Conn]bool{},
		handoff: &connListener{conns: make(chan net.Conn), closed: make(chan struct{})}}
	ln.server = &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idle, MaxHeaderBytes: maxHeader, ErrorLog: p.quiet(),
		DisableGeneralOptionsHandler: true,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c.(*redirectedConn))
		},
	}
	return ln
}

// connHandler handles a connection: see [Proxy.handleInbound] and [Proxy.handleOutbound].
type connHandler func(ctx context.Context, conn net.Conn, dst netip.AddrPort)

// accept accepts connections until l is closed.
func (ln *listener) accept(ctx context.Context, l net.Listener, handle connHandler) {
	ln.pending.Go(func() { _ = ln.server.Serve(ln.handoff) }) // ends by Shutdown
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // most likely too many open files: others will be closed
			ln.proxy.log.Warn("cannot accept a connection", "error", err)
			if backoff.Sleep(ctx, dialBackoffMin) != nil {
				return
			}
			continue
		}
		ln.track(conn, true)
		ln.pending.Go(func() {
			defer ln.track(conn, false)
			ln.dispatch(ctx, conn, handle)
		})
	}
}

// dispatch finds the original destination of a connection. Connections that were not redirected, or
// were sent to the proxy's own listeners, are closed: they would loop. Those to the metrics port of
// other pods are forwarded.
func (ln *listener) dispatch(ctx context.Context, conn net.Conn, handle connHandler) {
	dst, err := ln.proxy.cfg.OriginalDestination(conn)
	switch dst.Port() {
	case 0, wire.OutboundPort, wire.InboundPort:
		err = errors.Join(err, errors.New("it was not redirected"))
	}
	if err != nil {
		ln.proxy.log.Debug("refused a connection", "from", conn.RemoteAddr(), "to", dst, "error", err)
		_ = conn.Close()
		return
	}
	handle(ctx, conn, netip.AddrPortFrom(dst.Addr().Unmap(), dst.Port()))
}

func (ln *listener) track(conn net.Conn, on bool) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if on {
		ln.open[conn] = true
	} else {
		delete(ln.open, conn)
	}
}

// serve passes a connection to the HTTP server.
func (ln *listener) serve(conn *redirectedConn) {
	select {
	case ln.handoff.conns <- conn:
	case <-ln.handoff.closed:
		_ = conn.Close()
	}
}

// close waits for requests and tunnels in flight, and closes what is left when the context ends.
func (ln *listener) close(ctx context.Context) {
	if err := ln.server.Shutdown(ctx); err != nil {
		_ = ln.server.Close()
	}
	done := make(chan struct{})
	go func() {
		ln.pending.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		ln.closeAll()
		<-done
	}
}

func (ln *listener) closeAll() {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	for conn := range ln.open {
		_ = conn.Close()
	}
}

// connListener is a listener of connections that were accepted elsewhere.
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

// copyOneWay copies one direction. EOF is passed on; an error ends both directions.
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

// reset closes a connection with a TCP reset, so that the client sees an error.
func reset(conn net.Conn) {
	if c, ok := conn.(interface{ SetLinger(int) error }); ok {
		_ = c.SetLinger(0)
	}
	_ = conn.Close()
}
