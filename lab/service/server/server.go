// Package server runs a demo service as an HTTP server: the model of package service in real time.
//
// A request with the trace header of a plan (see package traceheader) has the outcome that the
// plan's seed determines, as in the sim; other requests are numbered as they come. Headers of the
// response say which service and version served, which injected faults hit the request and whether
// the content is wrong. The package does not depend on scenarios or clusters: it is given the
// service's model and the addresses of the services that it calls.
package server

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"coalmine/lab/service"
	"coalmine/loadgen"
)

// Config configures a server. Service, Version, Workload, Model and Clock are required.
type Config struct {
	// Service and Version that are served.
	Service, Version string
	// Released is set if the version is not the one that ran before the release: what its calls do to
	// other services is then its fault.
	Released bool
	// Deployment is the workload of the server's pod, for a response header; "" if unknown.
	Deployment string
	// Workload has the routes that are served, and the cohorts of requests.
	Workload *loadgen.Workload
	// Model compiles the version's behaviour for the seed of a plan. Its results are cached.
	Model func(seed uint64) (*service.Model, error)
	// Seed of requests without a trace header.
	Seed uint64
	// Weight is the share of the service's traffic that this version gets, in percent, until
	// [Server.SetWeight] changes it; 0 means 100.
	Weight float64
	// Upstreams has the base URL of each service that the behaviour calls. Calls of others are
	// answered 502.
	Upstreams map[string]*url.URL
	Clock     Clock
	// ExitOnKill ends the server with [ErrKilled] when the service runs out of memory. Otherwise
	// the service restarts.
	ExitOnKill bool
	// Linger is how long the server keeps listening after a stop has made the service unready, so
	// that clients can notice.
	Linger time.Duration
	// Drain is how long requests in progress may take after that; 0 means 10s.
	Drain time.Duration
	// Log may be nil.
	Log *slog.Logger
}

// ErrKilled is returned by [Server.Serve] if the service ran out of memory and ExitOnKill is set.
var ErrKilled = errors.New("out of memory: the service was killed")

// defaultDrain is less than the default grace period of pods, 30 s.
const defaultDrain = 10 * time.Second

// Server is one version of one service. It is an [http.Handler]; [Server.Serve] serves a listener.
type Server struct {
	cfg        Config
	log        *slog.Logger
	routes     routes
	identifier identifier
	models     models
	pod        *pod
	metrics    *metrics
	calls      calls
	conns      conns
	inFlight   inFlightGroup
	template   responseTemplate

	// callsFailing is set while calls of other services fail, so that it is logged once.
	callsFailing atomic.Bool
	stopping     atomic.Bool
	killed       chan struct{} // closed when ExitOnKill ends the server
	exit         sync.Once
}

// New returns a server whose service starts up now. It fails if the configuration is incomplete or
// the model does not compile.
func New(c Config) (*Server, error) {
	if c.Service == "" || c.Version == "" || c.Workload == nil || c.Model == nil || c.Clock == nil {
		return nil, errors.New("server: service, version, workload, model and clock are required")
	}
	c.Weight, c.Drain = cmp.Or(c.Weight, 100), cmp.Or(c.Drain, defaultDrain)
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s := &Server{
		cfg: c, log: c.Log.With("service", c.Service, "version", c.Version), models: models{compile: c.Model},
		routes: newRoutes(c.Workload, c.Service), identifier: newIdentifier(c.Workload),
		calls: newCalls(c.Upstreams), killed: make(chan struct{}),
	}
	m, err := s.models.get(c.Seed)
	if err != nil {
		return nil, fmt.Errorf("server: %s %s: %w", c.Service, c.Version, err)
	}
	s.pod = newPod(m, c.Clock, c.Weight)
	s.pod.onKill = s.onOutOfMemory
	s.metrics = newMetrics(c.Version, s.pod)
	s.template = newResponseTemplate(s)
	return s, nil
}

// ReadyIn returns the time until the service is ready, 0 if it is.
func (s *Server) ReadyIn() time.Duration { return s.pod.readyIn() }

// SetWeight sets the share of the service's traffic that this version gets, in percent, on which
// faults may depend.
func (s *Server) SetWeight(percent float64) { s.pod.setWeight(percent) }

// OpsHandler returns a handler of /metrics, /healthz and /readyz only, for a separate listener.
func (s *Server) OpsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.routes.opsPaths[r.URL.Path] {
			http.NotFound(w, r)
			return
		}
		s.ServeHTTP(w, r)
	})
}

// Restarts returns the number of restarts of the service.
func (s *Server) Restarts() int { return s.pod.restartCount() }

// onOutOfMemory is called with the pod locked when the service runs out of memory.
func (s *Server) onOutOfMemory() {
	s.log.Warn("out of memory: the service was killed", "restarts", s.pod.restarts)
	s.metrics.reset()
	s.conns.markOpen()
}

// closeAfterKill closes the connections that the end of a process would close, except the one of
// the last response.
func (s *Server) closeAfterKill(except connection) {
	s.conns.closeMarked(except)
	if s.cfg.ExitOnKill {
		s.exit.Do(func() { close(s.killed) })
	}
}
