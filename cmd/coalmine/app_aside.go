package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/service/server"
)

// aside is what a service in a cluster does beside answering its users: it shows its metrics where the mesh does not look, and asks
// for the share of the traffic that it gets. It is of the service that version and faults are for.
type aside struct {
	server           *server.Server
	service, version string
	log              *slog.Logger
	// metrics is nil, and desk "", for a service that does not.
	metrics net.Listener
	desk    string
}

// open listens, and finds out what is wrong with the flags.
func (a *aside) open(f appFlags) error {
	a.desk = strings.TrimSuffix(strings.TrimSuffix(f.weightFrom, "/"), client.PathWeight)
	if a.server == nil && (f.metrics != "" || f.weightFrom != "") {
		return invalid("leave them out, or the service's --upstream", "--metrics and --weight-from are for a service that does not run here")
	}
	if f.metrics == "" {
		return nil
	}
	l, err := net.Listen("tcp", f.metrics)
	if err != nil {
		return invalid("--metrics takes HOST:PORT, as 127.0.0.1:9102 or :9102", "%w", err)
	}
	a.metrics = l
	return nil
}

// play does it until the context ends.
func (a *aside) play(ctx context.Context) {
	var group sync.WaitGroup
	if a.metrics != nil {
		group.Go(func() { a.show(ctx) })
	}
	if a.desk != "" {
		group.Go(func() { a.follow(ctx) })
	}
	group.Wait()
}

func (a *aside) show(ctx context.Context) {
	server := &http.Server{Handler: a.server.OpsHandler(), ReadHeaderTimeout: metricsTimeout}
	stop := context.AfterFunc(ctx, func() { server.Close() }) //nolint:errcheck // nothing is lost with a scrape
	defer stop()
	if err := server.Serve(a.metrics); !errors.Is(err, http.ErrServerClosed) {
		a.log.Warn("operators are not answered any more", "error", err)
	}
}

// How often the share is asked for, and how long an answer may take.
const (
	weightEvery   = time.Second
	weightTimeout = 2 * time.Second
)

// follow keeps the service's share what the desk says it is. Where the desk does not answer it stays as it was.
func (a *aside) follow(ctx context.Context) {
	every := time.NewTicker(weightEvery)
	defer every.Stop()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	failing := false
	for {
		err := a.ask(ctx, transport)
		if failed := err != nil; failed != failing && ctx.Err() == nil {
			failing = failed
			a.log.Info("the share of the traffic", "known", !failed, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

func (a *aside) ask(ctx context.Context, transport http.RoundTripper) error {
	ctx, cancel := context.WithTimeout(ctx, weightTimeout)
	defer cancel()
	// Each time a new caller: another desk than before is as good.
	w, err := (&client.Agent{Base: a.desk, Transport: transport}).Weight(ctx, a.service, a.version)
	if err != nil {
		return err
	}
	a.server.SetWeight(w.Percent)
	return nil
}
