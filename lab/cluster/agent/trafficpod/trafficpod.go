// Package trafficpod is a traffic pod. It sends its part of a run's plan to the services when the
// agent commands it, and reports the results to the agent every second. It uses the agent's client
// and does not depend on Kubernetes.
package trafficpod

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/backoff"
	"coalmine/lab/scenario"
	"coalmine/loadgen"
	"coalmine/loadgen/attack"
)

// Config configures a traffic pod. Proxy and Log are optional.
type Config struct {
	Scenario *scenario.Scenario
	// Spec is the run that the pod sends for.
	Spec client.RunSpec
	// Pod is this pod, with a random Process.
	Pod   client.TrafficPod
	Agent *client.Agent
	// Targets are the base URLs of the services that clients call, by name.
	Targets map[string]*url.URL
	// Proxy is the readiness URL of the pod's proxy, "" for pods without one. Nothing is sent
	// before it answers 200: requests would bypass a proxy that is not ready.
	Proxy string
	Log   *slog.Logger
}

// Run waits for the start, sends, and reports. It returns nil when the agent has all reports.
func Run(ctx context.Context, c Config) error {
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	s, err := newTrafficPod(c)
	if err != nil {
		return err
	}
	if err := waitProxy(ctx, c.Proxy); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	commands := newCommandWatcher()
	go func() { cancel(commands.run(ctx, c.Agent, c.Pod)) }()
	go s.runDrills(ctx, commands)
	return s.play(ctx, commands)
}

// trafficPod is a running traffic pod.
type trafficPod struct {
	Config
	plan     *loadgen.Plan
	targets  []*url.URL // by route
	recorder *recorder
}

func newTrafficPod(c Config) (*trafficPod, error) {
	p := &trafficPod{Config: c}
	shard, err := loadgen.ParseShard(fmt.Sprintf("%d/%d", c.Pod.Index, c.Pod.Count))
	if err != nil {
		return nil, err
	}
	t := c.Scenario.Timing
	plan, err := loadgen.NewPlan(c.Scenario.Traffic, c.Spec.Seed, t.Baseline+t.Horizon)
	if err != nil {
		return nil, fmt.Errorf("the traffic of scenario %s: %w", c.Scenario.Name, err)
	}
	if !slices.ContainsFunc(c.Scenario.Clients, func(x scenario.Client) bool { return x.Name == c.Pod.Client }) {
		return nil, fmt.Errorf("scenario %s has no client %q", c.Scenario.Name, c.Pod.Client)
	}
	p.plan = plan.Only(func(x *loadgen.Cohort) bool { return clientOf(c.Scenario, x) == c.Pod.Client })
	for _, r := range plan.Routes() {
		name := cmp.Or(r.Service, c.Scenario.Services[0].Name)
		u := c.Targets[name]
		if u == nil {
			return nil, fmt.Errorf("route %s: the URL of service %s is not known", r.Name, name)
		}
		p.targets = append(p.targets, u)
	}
	p.Pod.Index, p.Pod.Count = max(shard.Index, 1), max(shard.Count, 1)
	return p, nil
}

// clientOf returns the client workload that sends a cohort's requests.
func clientOf(s *scenario.Scenario, c *loadgen.Cohort) string {
	return cmp.Or(c.Client, s.Clients[0].Name)
}

// proxyPollInterval is the time between two checks of the proxy.
const proxyPollInterval = 200 * time.Millisecond

// waitProxy waits until the pod's proxy is ready.
func waitProxy(ctx context.Context, address string) error {
	if address == "" {
		return nil
	}
	c := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := c.Do(r)
		if err == nil {
			resp.Body.Close() // the status is all that matters
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(resp.Status)
		}
		if backoff.Sleep(ctx, proxyPollInterval) != nil {
			return fmt.Errorf("wait for the pod's proxy: %w (%w)", context.Cause(ctx), err)
		}
	}
}

// maxUnused is how long a connection may be open before its first request. A proxy that sees no byte
// for 10 s takes a connection for opaque TCP, and what is sent on it later follows no HTTPRoute
// (linkerd2-proxy, linkerd/app/src/env.rs, DEFAULT_OUTBOUND_DETECT_TIMEOUT). net/http leaves such
// connections in its pool when another gets free before they are open.
const maxUnused = 5 * time.Second

// errStop ends the attack on the agent's command.
var errStop = errors.New("the traffic has ended")

// play sends and reports from the start to the end.
func (p *trafficPod) play(ctx context.Context, watcher *commandWatcher) error {
	commands, err := watcher.wait(ctx, func(o client.Commands) bool { return o.Start != nil || o.Stop != nil })
	if err != nil || commands.Start == nil {
		return err
	}
	start := *commands.Start
	p.Log.Info("traffic starts", "in", time.Until(time.Unix(0, start.Begin)).Round(time.Millisecond))
	p.recorder = newRecorder(p.Config, p.plan, start)
	watching, end := context.WithCancel(ctx)
	defer end()
	go p.recorder.follow(watching, watcher)
	reporter := newReporter(p.Agent, p.Pod, p.recorder)
	reported := make(chan error, 1)
	reporting, finish := context.WithCancel(ctx)
	go func() { reported <- reporter.run(reporting) }()
	report, err := p.attack(ctx, watcher, time.Unix(0, start.Begin))
	if err == nil {
		commands, err = watcher.wait(ctx, func(o client.Commands) bool { return o.Stop != nil })
	}
	if err == nil && backoff.Sleep(ctx, time.Until(time.Unix(0, commands.Stop.At))) != nil {
		err = context.Cause(ctx)
	}
	finish()
	if reportErr := <-reported; err == nil {
		err = reportErr
	}
	if err != nil {
		return reporter.reportFault(ctx, err)
	}
	p.Log.Info("traffic ended", "arrivals", report.Arrivals, "attempts", report.Attempts, "unsent", report.Unsent,
		"lag_p50", report.Lag.P50, "lag_p99", report.Lag.P99, "lag_max", report.Lag.Max)
	return reporter.close(ctx, *commands.Stop, report.Arrivals)
}

// attack sends the plan until its end or the agent's stop.
func (p *trafficPod) attack(ctx context.Context, watcher *commandWatcher, begin time.Time) (attack.Report, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		o, err := watcher.wait(ctx, func(o client.Commands) bool { return o.Stop != nil })
		if err == nil && backoff.Sleep(ctx, time.Until(time.Unix(0, o.Stop.At))) == nil {
			cancel(errStop)
		}
	}()
	report, err := attack.Attack{
		Plan: p.plan, Shard: loadgen.Shard{Index: p.Pod.Index, Count: p.Pod.Count}, Targets: p.targets, Start: begin,
		MaxUnused: maxUnused, Grace: -1, Service: p.Scenario.Release.Service, Traced: true, Done: p.recorder.add,
	}.Run(ctx)
	if errors.Is(err, errStop) {
		err = nil
	}
	return report, err
}
