package podcmd

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
	"coalmine/lab/run"
	"coalmine/lab/service/server"
)

// sidecarTasks is what a service in a cluster does beside serving its users: it serves its metrics
// on a port that the mesh leaves alone, and asks the agent for its share of the traffic. The tasks
// are those of the target service.
type sidecarTasks struct {
	server           *server.Server
	service, version string
	log              *slog.Logger
	// metrics is nil, and agent "", without the flag for it.
	metrics net.Listener
	agent   string
}

// open checks the flags and listens.
func (t *sidecarTasks) open(f appFlags) error {
	t.agent = strings.TrimSuffix(strings.TrimSuffix(f.weightFrom, "/"), client.PathWeight)
	if t.server == nil && (f.metrics != "" || f.weightFrom != "") {
		return run.Invalid("leave them out, or the service's --upstream", "--metrics and --weight-from are for a service that does not run here")
	}
	if f.metrics == "" {
		return nil
	}
	l, err := net.Listen("tcp", f.metrics)
	if err != nil {
		return run.Invalid("--metrics takes HOST:PORT, as 127.0.0.1:9102 or :9102", "%w", err)
	}
	t.metrics = l
	return nil
}

// run performs the tasks until the context ends.
func (t *sidecarTasks) run(ctx context.Context) {
	var group sync.WaitGroup
	if t.metrics != nil {
		group.Go(func() { t.serveMetrics(ctx) })
	}
	if t.agent != "" {
		group.Go(func() { t.updateWeight(ctx) })
	}
	group.Wait()
}

// metricsTimeout bounds how long a scraper may take to send its request.
const metricsTimeout = 5 * time.Second

func (t *sidecarTasks) serveMetrics(ctx context.Context) {
	server := &http.Server{Handler: t.server.OpsHandler(), ReadHeaderTimeout: metricsTimeout}
	stop := context.AfterFunc(ctx, func() { server.Close() }) //nolint:errcheck // a lost scrape is harmless
	defer stop()
	if err := server.Serve(t.metrics); !errors.Is(err, http.ErrServerClosed) {
		t.log.Warn("the metrics are not served any more", "error", err)
	}
}

const (
	weightInterval = time.Second
	weightTimeout  = 2 * time.Second
)

// updateWeight keeps the service's share of the traffic at what the agent says. While the agent does
// not answer, the share stays as it was.
func (t *sidecarTasks) updateWeight(ctx context.Context) {
	ticker := time.NewTicker(weightInterval)
	defer ticker.Stop()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	failing := false
	for {
		err := t.fetchWeight(ctx, transport)
		if failed := err != nil; failed != failing && ctx.Err() == nil {
			failing = failed
			t.log.Info("the share of the traffic", "known", !failed, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (t *sidecarTasks) fetchWeight(ctx context.Context, transport http.RoundTripper) error {
	ctx, cancel := context.WithTimeout(ctx, weightTimeout)
	defer cancel()
	// A new client each time, as a restarted agent is as good as the old one here.
	w, err := (&client.Agent{Base: t.agent, Transport: transport}).Weight(ctx, t.service, t.version)
	if err != nil {
		return err
	}
	t.server.SetWeight(w.Percent)
	return nil
}
