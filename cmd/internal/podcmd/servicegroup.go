package podcmd

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

	"coalmine/lab/run"
	"coalmine/lab/scenario"
	"coalmine/lab/scenario/services"
	"coalmine/lab/service/server"
)

// serviceGroup is the services of an app config, listening.
type serviceGroup struct {
	scenario *scenario.Scenario
	clock    server.Clock
	services []*runningService
	sidecar  sidecarTasks
}

type runningService struct {
	serviceConfig
	listener net.Listener
	address  *url.URL
	server   *server.Server
	done     chan struct{} // closed when it has stopped
}

// newServiceGroup opens all listeners before it makes the servers, which have to know each other's
// addresses.
func (env *Env) newServiceGroup(c *appConfig, clock server.Clock, f appFlags) (*serviceGroup, error) {
	g := &serviceGroup{scenario: c.scenario, clock: clock}
	addresses := maps.Clone(c.upstreams)
	for i, config := range c.services {
		address := f.listen
		if i > 0 {
			address = "127.0.0.1:0"
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, errors.Join(listenError(address, err), g.close())
		}
		s := &runningService{serviceConfig: config, listener: l, address: addressOf(l), done: make(chan struct{})}
		addresses[config.service.Name] = s.address
		g.services = append(g.services, s)
	}
	log := slog.New(slog.NewTextHandler(env.Err, nil))
	for _, s := range g.services {
		config := s.config(c, clock, f)
		config.Upstreams, config.Log = addresses, log
		var err error
		if s.server, err = server.New(config); err != nil {
			return nil, errors.Join(err, g.close())
		}
		if s.target {
			g.sidecar.server, g.sidecar.service, g.sidecar.version, g.sidecar.log = s.server, s.service.Name, s.version, log
		}
	}
	if err := g.sidecar.open(f); err != nil {
		return nil, errors.Join(err, g.close())
	}
	return g, nil
}

func (s *runningService) config(c *appConfig, clock server.Clock, f appFlags) server.Config {
	w := c.plan.Workload()
	config := server.Config{
		Service: s.service.Name, Version: s.version, Workload: &w, Seed: f.seed, Clock: clock,
		Model:      services.Compiler(s.behaviour, services.Vocabulary(c.plan), s.service.Name),
		ExitOnKill: f.onKill == onKillExit, Linger: f.linger, Drain: f.drain,
	}
	if s.target {
		config.Weight, config.Deployment = f.weight, f.workload
	}
	return config
}

func listenError(address string, err error) error {
	hint := "--listen takes HOST:PORT, as 127.0.0.1:8080 or :8080; port 0 is any free one"
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return run.Invalid(hint, "cannot listen on %q: %w", address, err)
}

// addressOf returns the URL of a listener for clients on this machine.
func addressOf(l net.Listener) *url.URL {
	at := l.Addr().(*net.TCPAddr).AddrPort()
	if at.Addr().IsUnspecified() {
		return &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", at.Port())}
	}
	return &url.URL{Scheme: "http", Host: at.String()}
}

// close releases a group that does not run.
func (g *serviceGroup) close() error {
	var errs []error
	if g.sidecar.metrics != nil {
		errs = append(errs, g.sidecar.metrics.Close())
	}
	for _, s := range g.services {
		errs = append(errs, s.listener.Close())
		if s.server != nil {
			s.server.Close()
		}
	}
	return errors.Join(errs...)
}

// announce prints a line for each service: its name, version and URL.
func (g *serviceGroup) announce(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range g.services {
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.service.Name, withRole(g.scenario, s.service, s.version), s.address)
	}
	if l := g.sidecar.metrics; l != nil {
		fmt.Fprintf(table, "metrics\tof %s\t%s\n", g.sidecar.service, addressOf(l))
	}
	table.Flush()
}

// run serves until the context or one of the services ends.
func (g *serviceGroup) run(ctx context.Context, w io.Writer) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(g.services))
	var group sync.WaitGroup
	for i, s := range g.services {
		serving, end := context.WithCancel(context.WithoutCancel(ctx))
		group.Go(func() {
			defer end()
			<-ctx.Done()
			g.waitForCallers(s)
		})
		group.Go(func() {
			defer stop()
			defer close(s.done)
			errs[i] = s.server.Serve(serving, s.listener)
		})
	}
	group.Go(func() { g.reportReady(ctx, w) })
	group.Go(func() { g.sidecar.run(ctx) })
	group.Wait()
	return errors.Join(errs...)
}

// waitForCallers waits until the services that call callee have stopped, so that they can finish
// their requests. Scenarios have no cycles of calls.
func (g *serviceGroup) waitForCallers(callee *runningService) {
	for _, s := range g.services {
		for _, r := range s.behaviour.Routes {
			if r.Calls == callee.service.Name && s != callee {
				<-s.done
				break
			}
		}
	}
}

// reportReady prints a line when all services are ready.
func (g *serviceGroup) reportReady(ctx context.Context, w io.Writer) {
	until := g.clock.Now()
	for _, s := range g.services {
		if at := g.clock.Now().Add(s.server.ReadyIn()); at.After(until) {
			until = at
		}
	}
	if left := until.Sub(g.clock.Now()); left > 0 {
		fmt.Fprintf(w, "Starting up, %v to go.\n", left.Round(100*time.Millisecond))
	}
	if g.clock.SleepUntil(ctx, until) == nil {
		fmt.Fprintln(w, "Ready. Ctrl-C stops.")
	}
}
