// Package trafficpod is a traffic pod: it sends its part of a flight's plan to the services when the desk says so, and tells the desk each
// second what came of it. It knows the desk by its client only, and nothing of Kubernetes.
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
	"coalmine/lab/scenario"
	"coalmine/lab/service"
	"coalmine/loadgen"
	"coalmine/loadgen/attack"
)

// Config is what a shard is made of. Proxy and Log may be left out.
type Config struct {
	Scenario *scenario.Scenario
	Seed     uint64
	// Pod the shard is; its Process is drawn by who makes it.
	Pod   client.TrafficPod
	Agent *client.Agent
	// Targets are the base URLs of the services that clients ask, by name.
	Targets map[string]*url.URL
	// Proxy is asked until it answers 200, before anything else: requests past a proxy that is not ready would go astray. "" is for
	// pods without one.
	Proxy string
	Log   *slog.Logger
}

// Run waits for the start, sends, and tells. It returns nil when the desk has been told everything.
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
	orders := newCommandWatcher()
	go func() { cancel(orders.run(ctx, c.Agent, c.Pod)) }()
	go s.runDrills(ctx, orders)
	return s.play(ctx, orders)
}

// trafficPod is one under way.
type trafficPod struct {
	Config
	plan     *loadgen.Plan
	targets  []*url.URL // by route
	recorder *recorder
}

func newTrafficPod(c Config) (*trafficPod, error) {
	s := &trafficPod{Config: c}
	part, err := loadgen.ParseShard(fmt.Sprintf("%d/%d", c.Pod.Index, c.Pod.Count))
	if err != nil {
		return nil, err
	}
	t := c.Scenario.Timing
	plan, err := loadgen.NewPlan(c.Scenario.Traffic, c.Seed, t.Baseline+t.Horizon)
	if err != nil {
		return nil, fmt.Errorf("the traffic of scenario %s: %w", c.Scenario.Name, err)
	}
	if !slices.ContainsFunc(c.Scenario.Clients, func(x scenario.Client) bool { return x.Name == c.Pod.Client }) {
		return nil, fmt.Errorf("scenario %s has no client %q", c.Scenario.Name, c.Pod.Client)
	}
	s.plan = plan.Only(func(x *loadgen.Cohort) bool { return clientOf(c.Scenario, x) == c.Pod.Client })
	for _, r := range plan.Routes() {
		name := cmp.Or(r.Service, c.Scenario.Services[0].Name)
		u := c.Targets[name]
		if u == nil {
			return nil, fmt.Errorf("route %s asks service %s, whose address is not known", r.Name, name)
		}
		s.targets = append(s.targets, u)
	}
	s.Pod.Index, s.Pod.Count = max(part.Index, 1), max(part.Count, 1)
	return s, nil
}

// clientOf is the client workload that sends a cohort's requests.
func clientOf(s *scenario.Scenario, c *loadgen.Cohort) string {
	return cmp.Or(c.Client, s.Clients[0].Name)
}

// proxyPollInterval is the time between two looks whether the proxy is ready.
const proxyPollInterval = 200 * time.Millisecond

// waitProxy waits for the pod's own proxy.
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
			resp.Body.Close() // the status says it
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(resp.Status)
		}
		if !sleep(ctx, proxyPollInterval) {
			return fmt.Errorf("wait for the pod's proxy: %w (%w)", context.Cause(ctx), err)
		}
	}
}

// errStop ends the attack when the desk says so.
var errStop = errors.New("the traffic has ended")

// play goes from the start to the end.
func (s *trafficPod) play(ctx context.Context, f *commandWatcher) error {
	orders, err := f.wait(ctx, func(o client.Commands) bool { return o.Start != nil || o.Stop != nil })
	if err != nil || orders.Start == nil {
		return err
	}
	start := *orders.Start
	s.Log.Info("traffic begins", "in", time.Until(time.Unix(0, start.Begin)).Round(time.Millisecond))
	s.recorder = newRecorder(s.plan, start, s.Pod.Client, s.Scenario.Release.Service, s.Scenario.Released().Baseline,
		func(route string) time.Duration { return service.LatencyObjective(s.Scenario.Objectives, route) })
	watch, end := context.WithCancel(ctx)
	defer end()
	go s.recorder.follow(watch, f)
	teller := newReporter(s.Agent, s.Pod, s.recorder)
	told := make(chan error, 1)
	telling, finish := context.WithCancel(ctx)
	go func() { told <- teller.run(telling) }()
	report, err := s.attack(ctx, f, time.Unix(0, start.Begin))
	if err == nil {
		orders, err = f.wait(ctx, func(o client.Commands) bool { return o.Stop != nil })
	}
	if err == nil && !sleep(ctx, time.Until(time.Unix(0, orders.Stop.At))) {
		err = context.Cause(ctx)
	}
	finish()
	if errTold := <-told; err == nil {
		err = errTold
	}
	if err != nil {
		return teller.reportFault(ctx, err)
	}
	s.Log.Info("traffic ended", "arrivals", report.Arrivals, "attempts", report.Attempts, "unsent", report.Unsent,
		"lag_p50", report.Lag.P50, "lag_p99", report.Lag.P99, "lag_max", report.Lag.Max)
	return teller.close(ctx, *orders.Stop, report.Arrivals)
}

// attack sends the plan until its end, or until the desk stops it.
func (s *trafficPod) attack(ctx context.Context, f *commandWatcher, begin time.Time) (attack.Report, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		o, err := f.wait(ctx, func(o client.Commands) bool { return o.Stop != nil })
		if err == nil && sleep(ctx, time.Until(time.Unix(0, o.Stop.At))) {
			cancel(errStop)
		}
	}()
	report, err := attack.Attack{
		Plan: s.plan, Shard: loadgen.Shard{Index: s.Pod.Index, Count: s.Pod.Count}, Targets: s.targets, Start: begin,
		Grace: -1, Service: s.Scenario.Release.Service, Done: s.recorder.add,
	}.Run(ctx)
	if errors.Is(err, errStop) {
		err = nil
	}
	return report, err
}

// sleep waits; false when the context ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
