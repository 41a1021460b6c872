// Package agent runs inside the kind cluster during a run. The agent answers the gates from the
// state of the cluster, receives Flagger's alerts and events, proxies and records Flagger's queries
// to Prometheus, commands the traffic pods and merges their reports. It keeps what it observes as
// facts and streams them to any number of readers.
//
// It knows the scenario and the guardrails of the run but not its schedule: the runner tells it
// when traffic starts and stops and when the release is. Its account of the run is complete or has
// a fault; it never fills gaps by guessing.
package agent

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
)

// Config configures an agent. All fields but Now and Log are required.
type Config struct {
	Scenario *scenario.Scenario
	Spec     client.RunSpec
	Clients  Clients
	// Prometheus is the base URL of the real Prometheus.
	Prometheus string
	// Now is the clock; nil is the system's.
	Now func() time.Time
	Log *slog.Logger
}

// Agent serves one run.
type Agent struct {
	scenario   *scenario.Scenario
	spec       client.RunSpec
	guardrails *guardrail.Set
	now        func() time.Time
	log        *slog.Logger
	instance   string

	facts   *facts
	traffic *traffic
	cluster *cluster
	proxies *proxies
	weights *weights
	queries *queries
	events  *events
	// gateMu is held while a gate inspects the cluster.
	gateMu sync.Mutex
	// Only watchDenials uses the following. wasReady has the released service's pods that have been
	// ready.
	denyCounters denyCounters
	wasReady     map[types.UID]bool
	// Only watchMesh uses meshCounters.
	meshCounters meshCounters
}

// New returns an agent for a run, or an error if the run spec cannot be used.
func New(c Config) (*Agent, error) {
	if c.Scenario == nil || c.Prometheus == "" || c.Clients.Kube == nil || c.Clients.Flagger == nil ||
		c.Clients.Dynamic == nil {
		return nil, errors.New("agent: the scenario, the clients and the URL of Prometheus are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &Agent{
		scenario: c.Scenario, spec: c.Spec, now: c.Now, log: cmp.Or(c.Log, slog.New(slog.DiscardHandler)),
		instance: rand.Text(),
		facts:    newFacts(), proxies: newProxies(), cluster: &cluster{Clients: c.Clients, scenario: c.Scenario},
	}
	if err := a.readGuardrails(c.Spec); err != nil {
		return nil, err
	}
	a.traffic = newTraffic(c.Spec.TrafficPods, a.now, a.record)
	a.events = newEvents(a)
	a.weights = &weights{cluster: a.cluster, now: a.now}
	a.queries = &queries{
		agent: a, base: strings.TrimSuffix(c.Prometheus, "/"), ticks: map[string]tick{},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}},
	}
	return a, nil
}

// readGuardrails parses the guardrails of the run as the learner wrote them.
func (a *Agent) readGuardrails(spec client.RunSpec) error {
	clients := map[string]bool{}
	for _, c := range a.scenario.Clients {
		clients[c.Name] = true
	}
	for name, n := range spec.TrafficPods {
		if !clients[name] || n < 1 {
			return fmt.Errorf("agent: %d traffic pods for client %q, which scenario %s does not have", n, name,
				a.scenario.Name)
		}
	}
	if spec.Guardrails == nil {
		return nil
	}
	files := map[string][]byte{}
	for name, text := range spec.Guardrails {
		files[name] = []byte(text)
	}
	set, err := guardrail.Parse(files, guardrail.EnvironmentOf(a.scenario))
	if err != nil {
		return fmt.Errorf("agent: guardrails: %w", err)
	}
	a.guardrails = set
	return nil
}

// record appends a fact.
func (a *Agent) record(at time.Time, f event.Fact) {
	if err := a.facts.append(at, f); err != nil {
		a.log.Error("cannot record a fact", "error", err)
		go a.fault(err.Error()) // the caller may hold the lock of traffic, which records seconds
	}
}

// fault marks the account of the run as incomplete. It cannot be undone.
func (a *Agent) fault(text string) {
	a.log.Error("the account of the run is incomplete", "fault", text)
	a.traffic.mu.Lock()
	defer a.traffic.mu.Unlock()
	a.traffic.fail(text)
}

// canaryName returns a canary's name without the namespace.
func (a *Agent) canaryName(canary string) string {
	return workloads.TrimNamespace(canary, scenario.Namespace)
}

// Watch detects traffic pods that fall silent, tells the others who denies their requests, and records
// what the mesh did, until the context ends.
func (a *Agent) Watch(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			a.traffic.watch()
			if err := a.watchDenials(ctx); err != nil && ctx.Err() == nil {
				a.log.Warn("cannot find out which workloads deny requests", "error", err)
			}
			if err := a.watchMesh(ctx); err != nil && ctx.Err() == nil {
				a.log.Warn("cannot find out what the mesh did", "error", err)
			}
		}
	}
}
