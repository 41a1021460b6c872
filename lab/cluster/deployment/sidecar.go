package deployment

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
	"coalmine/lab/input"
	"coalmine/lab/service/server"
)

// sidecar runs the tasks of the selected service in a cluster besides serving users: it serves
// metrics on a port outside of the mesh, and polls the agent for the service's share of the
// traffic.
type sidecar struct {
	server           *server.Server
	service, version string
	log              *slog.Logger
	metrics          net.Listener // nil for none
	agent            string       // base URL, "" for none
}

// open opens the listener for metrics and checks the options.
func (s *sidecar) open(o Options) error {
	s.agent = strings.TrimSuffix(strings.TrimSuffix(o.WeightFrom, "/"), client.PathWeight)
	if s.server == nil && (o.Metrics != "" || o.WeightFrom != "") {
		return input.New("remove them, or the service's --upstream",
			"--metrics and --weight-from apply to a service that does not run here")
	}
	if o.Metrics == "" {
		return nil
	}
	l, err := net.Listen("tcp", o.Metrics)
	if err != nil {
		return input.New("--metrics takes HOST:PORT, such as 127.0.0.1:9102 or :9102", "%w", err)
	}
	s.metrics = l
	return nil
}

// run runs the tasks until ctx ends.
func (s *sidecar) run(ctx context.Context) {
	var group sync.WaitGroup
	if s.metrics != nil {
		group.Go(func() { s.serveMetrics(ctx) })
	}
	if s.agent != "" {
		group.Go(func() { s.pollWeight(ctx) })
	}
	group.Wait()
}

// metricsTimeout limits how long a client of the metrics may take to send its request.
const metricsTimeout = 5 * time.Second

func (s *sidecar) serveMetrics(ctx context.Context) {
	server := &http.Server{Handler: s.server.OpsHandler(), ReadHeaderTimeout: metricsTimeout}
	stop := context.AfterFunc(ctx, func() { server.Close() }) //nolint:errcheck // an aborted scrape loses nothing
	defer stop()
	if err := server.Serve(s.metrics); !errors.Is(err, http.ErrServerClosed) {
		s.log.Warn("metrics are no longer served", "error", err)
	}
}

// Interval and timeout of polling the weight.
const (
	weightEvery   = time.Second
	weightTimeout = 2 * time.Second
)

// pollWeight keeps the service's weight up to date. If the agent does not respond, the weight stays
// as it is.
func (s *sidecar) pollWeight(ctx context.Context) {
	every := time.NewTicker(weightEvery)
	defer every.Stop()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	failing := false
	for {
		err := s.updateWeight(ctx, transport)
		if failed := err != nil; failed != failing && ctx.Err() == nil {
			failing = failed
			s.log.Info("traffic weight", "known", !failed, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

func (s *sidecar) updateWeight(ctx context.Context, transport http.RoundTripper) error {
	ctx, cancel := context.WithTimeout(ctx, weightTimeout)
	defer cancel()
	// A new client each time accepts a restarted agent.
	w, err := (&client.Agent{Base: s.agent, Transport: transport}).Weight(ctx, s.service, s.version)
	if err != nil {
		return err
	}
	s.server.SetWeight(w.Percent)
	return nil
}
