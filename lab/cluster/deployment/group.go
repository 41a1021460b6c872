package deployment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"sync"
	"text/tabwriter"
	"time"

	"coalmine/lab/input"
	"coalmine/lab/scenario"
	"coalmine/lab/scenario/services"
	"coalmine/lab/service/server"
)

// Group is the services of a [Config], listening.
type Group struct {
	scenario *scenario.Scenario
	clock    server.Clock
	services []*runningService
	sidecar  sidecar
	opened   chan struct{} // closed when the first service accepts connections
}

// runningService is one service that listens.
type runningService struct {
	serviceConfig
	listener net.Listener
	address  *url.URL
	server   *server.Server
	done     chan struct{} // closed when the service has stopped
}

// Listen opens the listeners of all services and then creates their servers, which need each
// other's addresses. Serve or Close must be called afterwards.
func (c *Config) Listen(clock server.Clock, log *slog.Logger) (*Group, error) {
	g := &Group{scenario: c.scenario, clock: clock, opened: make(chan struct{})}
	addresses := maps.Clone(c.elsewhere)
	for i, s := range c.services {
		address := c.options.Listen
		if i > 0 {
			address = "127.0.0.1:0"
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, errors.Join(listenError(address, err), g.Close())
		}
		r := &runningService{serviceConfig: s, listener: l, address: localURL(l), done: make(chan struct{})}
		addresses[s.service.Name] = r.address
		g.services = append(g.services, r)
	}
	for _, r := range g.services {
		config := c.serverConfig(r, clock)
		config.Upstreams, config.Log = addresses, log
		var err error
		if r.server, err = server.New(config); err != nil {
			return nil, errors.Join(err, g.Close())
		}
		if r.selected {
			g.sidecar.server, g.sidecar.service, g.sidecar.version, g.sidecar.log = r.server, r.service.Name,
				r.label, log
		}
	}
	if err := g.sidecar.open(c.options); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func (c *Config) serverConfig(r *runningService, clock server.Clock) server.Config {
	w := c.plan.Workload()
	config := server.Config{
		Service: r.service.Name, Version: r.label, Workload: &w, Seed: c.options.Seed, Clock: clock,
		Model:      services.Compiler(r.behaviour, services.Vocabulary(c.plan), r.service.Name),
		ExitOnKill: c.options.ExitOnKill, Linger: c.options.Linger, Drain: c.options.Drain,
		Released: r.service.Name == c.scenario.Release.Service && r.version != r.service.Baseline,
	}
	if r.selected {
		config.Weight, config.Deployment = c.options.Weight, c.options.Workload
	}
	return config
}

// listenError says what to do about an address.
func listenError(address string, err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return input.New("--listen takes HOST:PORT, such as 127.0.0.1:8080 or :8080; port 0 is any free port",
		"cannot listen on %q: %w", address, err)
}

// localURL returns the URL under which clients on this machine reach a listener.
func localURL(l net.Listener) *url.URL {
	addr := l.Addr().(*net.TCPAddr).AddrPort()
	if addr.Addr().IsUnspecified() {
		return &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", addr.Port())}
	}
	return &url.URL{Scheme: "http", Host: addr.String()}
}

// Close closes a group that does not serve.
func (g *Group) Close() error {
	var errs []error
	if g.sidecar.metrics != nil {
		errs = append(errs, g.sidecar.metrics.Close())
	}
	for _, r := range g.services {
		errs = append(errs, r.listener.Close())
		if r.server != nil {
			r.server.Close()
		}
	}
	return errors.Join(errs...)
}

// WriteAddresses lists the services with their versions and URLs, one per line.
func (g *Group) WriteAddresses(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range g.services {
		version := r.label
		if version == r.version {
			version = withRole(g.scenario, r.service, version)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.service.Name, version, r.address)
	}
	if l := g.sidecar.metrics; l != nil {
		fmt.Fprintf(table, "metrics\tof %s\t%s\n", g.sidecar.service, localURL(l))
	}
	return table.Flush()
}

// Serve serves until ctx ends or one of the services stops. It reports on w when all are ready.
func (g *Group) Serve(ctx context.Context, w io.Writer) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(g.services))
	var group sync.WaitGroup
	for i, r := range g.services {
		own, end := context.WithCancel(context.WithoutCancel(ctx))
		group.Go(func() {
			defer end()
			<-ctx.Done()
			g.waitForCallers(r)
		})
		group.Go(func() {
			defer stop()
			defer close(r.done)
			if i == 0 {
				errs[i] = g.openWhenReady(ctx, r)
				close(g.opened)
			}
			if errs[i] == nil {
				errs[i] = r.server.Serve(own, r.listener)
			}
		})
	}
	group.Go(func() { g.reportReady(ctx, w) })
	group.Go(func() { g.sidecar.run(ctx) })
	group.Wait()
	return errors.Join(errs...)
}

// openWhenReady closes the listener of the first service until the services that it calls are
// ready: users whose requests fail during the start would be counted against the version.
func (g *Group) openWhenReady(ctx context.Context, r *runningService) error {
	ready := g.readyAt()
	if len(g.services) == 1 || !ready.After(g.clock.Now()) {
		return nil
	}
	address := r.listener.Addr().String()
	if err := r.listener.Close(); err != nil {
		return err
	}
	if g.clock.SleepUntil(ctx, ready) != nil {
		// The server closes its listener at once.
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return listenError(address, err)
	}
	r.listener = l
	return nil
}

// readyAt returns when all services are ready.
func (g *Group) readyAt() time.Time {
	at := g.clock.Now()
	for _, r := range g.services {
		if ready := g.clock.Now().Add(r.server.ReadyIn()); ready.After(at) {
			at = ready
		}
	}
	return at
}

// waitForCallers waits until the services that call this one have stopped, so that they can finish
// their requests. Calls have no cycles.
func (g *Group) waitForCallers(callee *runningService) {
	for _, r := range g.services {
		for _, route := range r.behaviour.Routes {
			if route.Calls == callee.service.Name && r != callee {
				<-r.done
				break
			}
		}
	}
}

// reportReady reports when all services are ready.
func (g *Group) reportReady(ctx context.Context, w io.Writer) {
	until := g.readyAt()
	if left := until.Sub(g.clock.Now()); left > 0 {
		fmt.Fprintf(w, "Starting up, ready in %v.\n", left.Round(100*time.Millisecond))
	}
	if g.clock.SleepUntil(ctx, until) == nil {
		<-g.opened
		fmt.Fprintln(w, "Ready. Ctrl-C stops.")
	}
}
