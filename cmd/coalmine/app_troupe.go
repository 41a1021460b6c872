package main

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

	"coalmine/lab/scenario"
	"coalmine/lab/scenario/services"
	"coalmine/lab/service/server"
)

// troupe is the services of a cast, listening.
type troupe struct {
	scenario *scenario.Scenario
	clock    server.Clock
	acts     []*act
	aside    aside
}

// act is one service that listens.
type act struct {
	part
	listener net.Listener
	address  *url.URL
	server   *server.Server
	done     chan struct{} // closed when it has stopped
}

// newTroupe lets every part listen, and then begin to start up: where all of them are is known by then.
func (env *Env) newTroupe(c *cast, clock server.Clock, f appFlags) (*troupe, error) {
	s := &troupe{scenario: c.scenario, clock: clock}
	addresses := maps.Clone(c.elsewhere)
	for i, p := range c.parts {
		address := f.listen
		if i > 0 {
			address = "127.0.0.1:0"
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, errors.Join(listenError(address, err), s.close())
		}
		a := &act{part: p, listener: l, address: addressOf(l), done: make(chan struct{})}
		addresses[p.service.Name] = a.address
		s.acts = append(s.acts, a)
	}
	log := slog.New(slog.NewTextHandler(env.Err, nil))
	for _, a := range s.acts {
		config := a.config(c, clock, f)
		config.Upstreams, config.Log = addresses, log
		var err error
		if a.server, err = server.New(config); err != nil {
			return nil, errors.Join(err, s.close())
		}
		if a.chosen {
			s.aside.server, s.aside.service, s.aside.version, s.aside.log = a.server, a.service.Name, a.version, log
		}
	}
	if err := s.aside.open(f); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (a *act) config(c *cast, clock server.Clock, f appFlags) server.Config {
	w := c.plan.Workload()
	config := server.Config{
		Service: a.service.Name, Version: a.version, Workload: &w, Seed: f.seed, Clock: clock,
		Model:      services.Compiler(a.behaviour, services.Vocabulary(c.plan), a.service.Name),
		ExitOnKill: f.onKill == onKillExit, Linger: f.linger, Drain: f.drain,
	}
	if a.chosen {
		config.Weight, config.Deployment = f.weight, f.workload
	}
	return config
}

// listenError says what to do about an address.
func listenError(address string, err error) error {
	hint := "--listen takes HOST:PORT, as 127.0.0.1:8080 or :8080; port 0 is any free one"
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return invalid(hint, "cannot listen on %q: %w", address, err)
}

// addressOf is where clients of this machine find a listener.
func addressOf(l net.Listener) *url.URL {
	at := l.Addr().(*net.TCPAddr).AddrPort()
	if at.Addr().IsUnspecified() {
		return &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", at.Port())}
	}
	return &url.URL{Scheme: "http", Host: at.String()}
}

// close ends a troupe that does not play.
func (s *troupe) close() error {
	var errs []error
	if s.aside.metrics != nil {
		errs = append(errs, s.aside.metrics.Close())
	}
	for _, a := range s.acts {
		errs = append(errs, a.listener.Close())
		if a.server != nil {
			a.server.Close()
		}
	}
	return errors.Join(errs...)
}

// announce tells what runs where, a line for each service.
func (s *troupe) announce(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, a := range s.acts {
		fmt.Fprintf(table, "%s\t%s\t%s\n", a.service.Name, withRole(s.scenario, a.service, a.version), a.address)
	}
	if l := s.aside.metrics; l != nil {
		fmt.Fprintf(table, "metrics\tof %s\t%s\n", s.aside.service, addressOf(l))
	}
	table.Flush()
}

// play serves until the context ends, or one of the services does.
func (s *troupe) play(ctx context.Context, w io.Writer) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(s.acts))
	var group sync.WaitGroup
	for i, a := range s.acts {
		own, end := context.WithCancel(context.WithoutCancel(ctx))
		group.Go(func() {
			defer end()
			<-ctx.Done()
			s.awaitCallers(a)
		})
		group.Go(func() {
			defer stop()
			defer close(a.done)
			errs[i] = a.server.Serve(own, a.listener)
		})
	}
	group.Go(func() { s.tellReady(ctx, w) })
	group.Go(func() { s.aside.play(ctx) })
	group.Wait()
	return errors.Join(errs...)
}

// awaitCallers waits until the services that call one have stopped, so that they can finish what they do. No calls come round.
func (s *troupe) awaitCallers(callee *act) {
	for _, a := range s.acts {
		for _, r := range a.behaviour.Routes {
			if r.Calls == callee.service.Name && a != callee {
				<-a.done
				break
			}
		}
	}
}

// tellReady says when all services are.
func (s *troupe) tellReady(ctx context.Context, w io.Writer) {
	until := s.clock.Now()
	for _, a := range s.acts {
		if at := s.clock.Now().Add(a.server.ReadyIn()); at.After(until) {
			until = at
		}
	}
	if left := until.Sub(s.clock.Now()); left > 0 {
		fmt.Fprintf(w, "Starting up, %v to go.\n", left.Round(100*time.Millisecond))
	}
	if s.clock.SleepUntil(ctx, until) == nil {
		fmt.Fprintln(w, "Ready. Ctrl-C stops.")
	}
}
