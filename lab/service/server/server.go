// Package server runs a demo service as an HTTP server: the behaviour model of package app in real time.
//
// A request that carries a mark of a plan (see package mark) meets the fate that the plan's seed gives it, as in the sim; one
// from elsewhere gets a place of its own. Answers say in headers who served, which injected faults touched the request and
// whether the content is wrong. The package knows neither scenarios nor clusters: it is handed the service's model and the
// addresses of the services that it calls.
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

// Config is what a server is made of. Service, Version, Workload, Model and Clock are needed.
type Config struct {
	// Service and Version that is served.
	Service, Version string
	// Deployment is the workload that the server is a pod of, which answers tell; "" tells none.
	Deployment string
	// Workload has the routes that can be asked for, and the cohorts that requests are told apart by.
	Workload *loadgen.Workload
	// Model compiles the version's behaviour for the seed of a plan. It is asked once for a seed, and again when many others came
	// between.
	Model func(seed uint64) (*service.Model, error)
	// Seed is that of requests without a mark.
	Seed uint64
	// Weight is the share of the service's traffic that this version gets, in percent, until [Server.SetWeight] says otherwise; 0
	// stands for 100.
	Weight float64
	// Upstreams has the base URL of each service that the behaviour calls. A call of another is answered 502.
	Upstreams map[string]*url.URL
	Clock     Clock
	// ExitOnKill ends the server with [ErrKilled] when the service runs out of memory. Without it the service begins a new life.
	ExitOnKill bool
	// Linger is the time between a stop's notice, from which on the service is not ready, and the end of listening: for whoever
	// sends requests to find out. Drain is what requests under way get after that; 0 stands for 10s.
	Linger, Drain time.Duration
	// Log gets what an operator should know; nil is nowhere.
	Log *slog.Logger
}

// ErrKilled is how a server ends whose service ran out of memory, where the configuration asks for it.
var ErrKilled = errors.New("out of memory: the service was killed")

// defaultDrain is less than the 30 s that Kubernetes gives a pod after SIGTERM.
const defaultDrain = 10 * time.Second

// Server is one service at one version. It is an [http.Handler], and serves by itself with [Server.Serve].
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

	// callsFailing is set while calls of other services fail, so that the log says it once.
	callsFailing atomic.Bool
	stopping     atomic.Bool
	killed       chan struct{} // closed at the end that ExitOnKill asks for
	exit         sync.Once
}

// New makes a server whose service begins to start up now. The error says what is missing in the configuration, or is that of
// the model.
func New(c Config) (*Server, error) {
	if c.Service == "" || c.Version == "" || c.Workload == nil || c.Model == nil || c.Clock == nil {
		return nil, errors.New("serve: service, version, workload, model and clock are needed")
	}
	c.Weight, c.Drain = cmp.Or(c.Weight, 100), cmp.Or(c.Drain, defaultDrain)
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s := &Server{
		cfg: c, log: c.Log.With("service", c.Service, "version", c.Version), models: models{compile: c.Model},
		routes: newRoutes(c.Workload, c.Service), identifier: newIdentifier(c.Workload), calls: newCalls(c.Upstreams), killed: make(chan struct{}),
	}
	m, err := s.models.get(c.Seed)
	if err != nil {
		return nil, fmt.Errorf("serve: %s %s: %w", c.Service, c.Version, err)
	}
	s.pod = newPod(m, c.Clock, c.Weight)
	s.pod.onKill = s.onOutOfMemory
	s.metrics = newMetrics(c.Version, s.pod)
	s.template = newResponseTemplate(s)
	return s, nil
}

// ReadyIn is the time to readiness: what is left of the start-up, 0 for a service that is there.
func (s *Server) ReadyIn() time.Duration { return s.pod.readyIn() }

// SetWeight sets the share of the service's traffic that this version gets, in percent, for faults that ask for it.
func (s *Server) SetWeight(percent float64) { s.pod.setWeight(percent) }

// OpsHandler answers what operators ask, /metrics, /healthz and /readyz, and nothing else: for who listens to them somewhere else than to
// users.
func (s *Server) OpsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.routes.opsPaths[r.URL.Path] {
			http.NotFound(w, r)
			return
		}
		s.ServeHTTP(w, r)
	})
}

// Restarts counts the lives of the service after the first.
func (s *Server) Restarts() int { return s.pod.restartCount() }

// onOutOfMemory is called when the service has run out of memory, with the pod locked.
func (s *Server) onOutOfMemory() {
	s.log.Warn("out of memory: the service was killed", "restarts", s.pod.restarts)
	s.metrics.reset()
	s.conns.markOpen()
}

// closeAfterKill ends what the operating system ends with a process: its connections, but for the one that was still answered on.
func (s *Server) closeAfterKill(but connection) {
	s.conns.closeMarked(but)
	if s.cfg.ExitOnKill {
		s.exit.Do(func() { close(s.killed) })
	}
}
