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

// Bounds of a connection, against clients that take their time on purpose.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

var errStopped = errors.New("the server has stopped")

// Serve answers on a listener until the context ends, then stops: the service is not ready any more, after Linger nobody is
// listened to, and requests under way get Drain to finish; those that do not are broken off. A stop is no error. Other ends are
// [ErrKilled] and what the listener fails with. The server cannot serve again.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	base, end := context.WithCancelCause(context.Background())
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return base },
		ConnContext: withConnection, ConnState: s.conns.onState, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
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
	end(errStopped)
	_ = server.Close() // the listener's error, and it is closed
	<-served
	s.Close()
	return err
}

// drain stops a server in the order that loses nothing.
func (s *Server) drain(server *http.Server) {
	s.stopping.Store(true)
	clock := s.cfg.Clock
	_ = clock.SleepUntil(context.Background(), clock.Now().Add(s.cfg.Linger)) // a clock that has ended lingers no longer
	patience, end := context.WithCancel(context.Background())
	var waiting sync.WaitGroup
	waiting.Go(func() {
		defer end()
		_ = clock.SleepUntil(patience, clock.Now().Add(s.cfg.Drain)) // as above
	})
	if err := server.Shutdown(patience); err != nil {
		s.log.Warn("requests were broken off: they took longer than a stop waits", "requests", s.inFlight.count())
	}
	end()
	waiting.Wait()
}

// Close ends what the service still waits for; requests come to nothing from now on. It is for servers whose handler is used by
// itself: Serve calls it.
func (s *Server) Close() {
	s.inFlight.close()
	s.pod.stop()
	s.calls.transport.CloseIdleConnections()
}

// connection is one that a request came on; nil where it is not known.
type connection = net.Conn

type connectionKey struct{}

func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

func connectionOf(r *http.Request) connection {
	c, _ := r.Context().Value(connectionKey{}).(net.Conn)
	return c
}

// conns knows the connections that are open, and which of them are to end with a life of the service.
type conns struct {
	mu sync.Mutex
	// open tells of each whether no request has come on it yet.
	open    map[net.Conn]bool
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
			_ = conn.Close() // as in closeFresh
		}
	case http.StateActive:
		c.open[conn] = false
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
}

// closeUnused closes those on which no request has come: a stop would wait five seconds for one (net/http, Server.Shutdown).
func (c *conns) closeUnused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	for conn, fresh := range c.open {
		if fresh {
			_ = conn.Close() // it is gone either way
		}
	}
}

// markOpen chooses those that are open now; who connects later meets the next life.
func (c *conns) markOpen() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.marked = slices.AppendSeq(c.marked, maps.Keys(c.open))
}

// closeMarked closes the chosen ones, but for one.
func (c *conns) closeMarked(but connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.marked {
		if conn != but {
			_ = conn.Close() // it is gone either way
		}
	}
	c.marked = nil
}

// inFlightGroup counts the requests inside, and closes.
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

// close lets nobody in and waits until nobody is inside.
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
