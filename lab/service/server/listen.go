package server

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Limits of a connection, against slow clients.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

var errStopped = errors.New("the server has stopped")

// Serve serves a listener until the context ends, and then shuts down: the service becomes unready,
// the listener is closed after Linger, and requests in progress have the time Drain to finish
// before they are aborted. Serve then returns nil. Otherwise it returns [ErrKilled] or the
// listener's error. The server cannot be used again.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	base, cancel := context.WithCancelCause(context.Background())
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return base },
		ConnContext: withConnection, ConnState: s.conns.onState,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	server.RegisterOnShutdown(s.conns.closeUnused)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	var err error
	select {
	case err = <-served:
		served <- err
	case <-s.killed:
		err = ErrKilled
	case <-ctx.Done():
		s.drain(server)
	}
	cancel(errStopped)
	_ = server.Close() // closes the remaining connections
	<-served
	s.Close()
	return err
}

// drain shuts down a server without losing requests.
func (s *Server) drain(server *http.Server) {
	s.stopping.Store(true)
	clock := s.cfg.Clock
	_ = clock.SleepUntil(context.Background(), clock.Now().Add(s.cfg.Linger)) // only fails if the clock is closed
	ctx, cancel := context.WithCancel(context.Background())
	var waiting sync.WaitGroup
	waiting.Go(func() {
		defer cancel()
		_ = clock.SleepUntil(ctx, clock.Now().Add(s.cfg.Drain)) // as above
	})
	if err := server.Shutdown(ctx); err != nil {
		s.log.Warn("requests were aborted: they did not finish in time", "requests", s.inFlight.count())
	}
	cancel()
	waiting.Wait()
}

// Close waits for requests in progress and stops the service; later requests are aborted. Serve
// calls it; it is for servers that are used as a handler only.
func (s *Server) Close() {
	s.inFlight.close()
	s.pod.stop()
	s.calls.transport.CloseIdleConnections()
}

// connection is the connection of a request; nil if unknown.
type connection = net.Conn

type connectionKey struct{}

func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

func connectionOf(r *http.Request) connection {
	c, _ := r.Context().Value(connectionKey{}).(net.Conn)
	return c
}

// conns tracks open connections, and those to be closed because the service was killed.
type conns struct {
	mu sync.Mutex
	// open maps each connection to whether it has had no request yet.
	open map[net.Conn]bool
	// marked are the connections that were open when the service was killed.
	marked  []net.Conn
	closing bool
}

func (c *conns) onState(conn net.Conn, state http.ConnState) {
	if state == http.StateIdle {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		if c.open == nil {
			c.open = map[net.Conn]bool{}
		}
		c.open[conn] = true
		if c.closing {
			_ = conn.Close() // as in closeUnused
		}
	case http.StateActive:
		c.open[conn] = false
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
}

// closeUnused closes connections without a request, for which Server.Shutdown would wait five
// seconds.
func (c *conns) closeUnused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	for conn, unused := range c.open {
		if unused {
			_ = conn.Close() // the error does not matter
		}
	}
}

// markOpen marks the connections that are open now. Later ones belong to the restarted service.
func (c *conns) markOpen() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.marked = slices.AppendSeq(c.marked, maps.Keys(c.open))
}

// closeMarked closes the marked connections, except one.
func (c *conns) closeMarked(except connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.marked {
		if conn != except {
			_ = conn.Close() // the error does not matter
		}
	}
	c.marked = nil
}

// inFlightGroup counts requests in progress. After close, no request can enter.
type inFlightGroup struct {
	mu     sync.Mutex
	n      int
	closed bool
	empty  chan struct{}
}

func (g *inFlightGroup) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.n++
	return true
}

func (g *inFlightGroup) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n--
	if g.closed && g.n == 0 {
		close(g.empty)
	}
}

func (g *inFlightGroup) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.n
}

// close refuses further requests and waits for those in progress.
func (g *inFlightGroup) close() {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return
	}
	g.closed, g.empty = true, make(chan struct{})
	if g.n == 0 {
		close(g.empty)
	}
	g.mu.Unlock()
	<-g.empty
}
