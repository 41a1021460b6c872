// Package agent is the part of the lab that stands inside the kind cluster during a flight. It answers the gates from the live
// cluster, takes Flagger's alerts, stands as a recording Prometheus before the real one, directs the traffic pods and adds up what
// they tell. What it sees it keeps, and streams as facts to whoever reads, as often as they like.
//
// It knows the flight's scenario and guardrails, and nothing of the run's story: when traffic starts and stops, and when the release
// is, it is told. Its account is complete or has a fault; it never guesses.
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

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
)

// Config is what a desk is made of. All but Now and Log are needed.
type Config struct {
	Scenario *scenario.Scenario
	Spec     client.RunSpec
	Clients  Clients
	// Prometheus is the base URL of the real one.
	Prometheus string
	// Now is the clock; nil is the system's.
	Now func() time.Time
	Log *slog.Logger
}

// Agent serves one flight.
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
	// gateMu is held while a gate looks at the cluster.
	gateMu sync.Mutex
}

// New makes a desk for a flight. The error says what of the flight cannot be used.
func New(c Config) (*Agent, error) {
	if c.Scenario == nil || c.Prometheus == "" || c.Clients.Kube == nil || c.Clients.Flagger == nil || c.Clients.Dynamic == nil {
		return nil, errors.New("desk: scenario, clients and the address of Prometheus are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	d := &Agent{
		scenario: c.Scenario, spec: c.Spec, now: c.Now, log: cmp.Or(c.Log, slog.New(slog.DiscardHandler)), instance: rand.Text(),
		facts: newFacts(), proxies: newProxies(), cluster: &cluster{Clients: c.Clients, scenario: c.Scenario},
	}
	if err := d.readGuardrails(c.Spec); err != nil {
		return nil, err
	}
	d.traffic = newTraffic(c.Spec.TrafficPods, d.now, d.record)
	d.events = newEvents(d)
	d.weights = &weights{cluster: d.cluster, now: d.now}
	d.queries = &queries{
		agent: d, base: strings.TrimSuffix(c.Prometheus, "/"), ticks: map[string]tick{},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}},
	}
	return d, nil
}

// readGuardrails reads the flight's guardrails, as the learner wrote them.
func (d *Agent) readGuardrails(f client.RunSpec) error {
	known := map[string]bool{}
	for _, c := range d.scenario.Clients {
		known[c.Name] = true
	}
	for name, n := range f.TrafficPods {
		if !known[name] || n < 1 {
			return fmt.Errorf("desk: the flight has %d traffic pods of client %q, which scenario %s has not", n, name, d.scenario.Name)
		}
	}
	if f.Guardrails == nil {
		return nil
	}
	files := map[string][]byte{}
	for name, text := range f.Guardrails {
		files[name] = []byte(text)
	}
	set, err := guardrail.Parse(files, guardrail.EnvironmentOf(d.scenario))
	if err != nil {
		return fmt.Errorf("desk: the flight's guardrails: %w", err)
	}
	d.guardrails = set
	return nil
}

// record keeps a fact.
func (d *Agent) record(at time.Time, f event.Fact) {
	if err := d.facts.append(at, f); err != nil {
		d.log.Error("a fact is lost", "error", err)
		go d.fault(err.Error()) // the traffic may be locked, whose seconds are facts
	}
}

// fault makes the flight's account incomplete for good.
func (d *Agent) fault(text string) {
	d.log.Error("the account is incomplete", "fault", text)
	d.traffic.mu.Lock()
	defer d.traffic.mu.Unlock()
	d.traffic.fail(text)
}

// canaryName is a canary's name without the namespace.
func (d *Agent) canaryName(canary string) string {
	return workloads.TrimNamespace(canary, scenario.Namespace)
}

// Watch looks for traffic pods that fall silent, and tells them who keeps their requests out, until the context ends.
func (d *Agent) Watch(ctx context.Context) {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			d.traffic.watch()
			if err := d.watchDenials(ctx); err != nil && ctx.Err() == nil {
				d.log.Warn("who denies requests is not known", "error", err)
			}
		}
	}
}
