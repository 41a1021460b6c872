// Package sim is the cluster in virtual time: the real Flagger controller, the real Prometheus
// storage and PromQL engine, and models of Kubernetes' Deployments, Linkerd's proxies and the demo
// services, in one process and without a network.
//
// A session runs in a bubble of virtual time. One goroutine, the driver, advances the world: it
// wakes once a second and after each change.
//
// # Who acts when
//
// Goroutines that act at the same instant of virtual time run in the order of the scheduler, which
// differs between runs. So each of them acts at instants of its own, which makes runs reproducible:
//
//	Flagger          whole seconds: it starts 1 s after the bubble, and its loops tick every 10 s
//	                 and every analysis interval from then on
//	driver, windows  37.311 ms after each whole second; every tenth window ends with a scrape
//	driver, changes  137.311 ms after a change in the API server: the time that it took to
//	                 reach the proxies (see propagation)
//	driver, pods     when a pod becomes ready
//	runner           71.713 ms after a whole second, except for its start, when Flagger has just
//	                 become idle at 1 s
//
// A goroutine that accesses shared state first calls [vclock.WaitIdle], so that all others are
// blocked. Requests are not goroutines: the driver, the runner and the gates play those that are
// due when they look at the traffic. Gates run outside the bubble, while Flagger's goroutine waits
// inside and time stands still.
package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/sim/flagger"
	"coalmine/lab/cluster/sim/network"
	"coalmine/lab/cluster/sim/vclock"
	"coalmine/lab/event"
)

// Names in [cluster.Description].
const (
	Name = "sim"
	Mesh = "linkerd-model"
)

// defaultStallTimeout is the default of [Cluster].StallTimeout. A tick takes less than a
// millisecond; only a query that escaped the limits can take seconds.
const defaultStallTimeout = 60 * time.Second

// clock passes the virtual time to the outside of the bubble.
type clock struct {
	published atomic.Int64 // since the run's start
	// abandoned is set when the session was given up, so that nothing it does later is recorded.
	abandoned atomic.Bool
}

// publish updates the published time. It must be called in the bubble.
func (c *clock) publish() { c.published.Store(int64(elapsed())) }

// now returns the time published last. Each access to an API server publishes it, and time stands
// still while the outside is called, so it is exact there.
func (c *clock) now() time.Duration { return time.Duration(c.published.Load()) }

// ErrStalled is the error of a session whose virtual time stood still for the stall timeout.
var ErrStalled = errors.New("virtual time stands still: something in the run is busy or waits for the real world")

// Cluster is the sim. The zero value is ready to use.
type Cluster struct {
	// Version is that of coalmine, for the log.
	Version string
	// StallTimeout is how long virtual time may stand still, in real time, before a session is
	// given up; 0 means a minute. A caller that blocks in the sink, to show a run slowly, must
	// return more often.
	StallTimeout time.Duration
}

// sessionCount numbers the sessions of the process, since each serves its hosts under names of its
// own.
var sessionCount atomic.Int64

// Describe implements [cluster.Cluster].
func (c Cluster) Describe() cluster.Description {
	return cluster.Description{Cluster: Name, Mesh: Mesh, Versions: map[string]string{
		"coalmine":   c.Version,
		"flagger":    flagger.Version,
		"prometheus": prometheusVersion,
		"kubernetes": kubernetesVersion,
	}}
}

// Versions of the modules in go.mod, for the log.
const (
	prometheusVersion = "0.313.5"
	kubernetesVersion = "0.35.4"
)

// Session implements [cluster.Cluster].
func (c Cluster) Session(ctx context.Context, spec cluster.RunSpec, rec *event.Recorder,
	runner func(context.Context, cluster.World) error) error {
	net, err := network.Install()
	if err != nil {
		return err
	}
	clock := &clock{}
	done := make(chan error, 1)
	go func() {
		done <- vclock.Run(func() error { return session(ctx, net, spec, rec, runner, clock) })
	}()
	return waitSession(done, clock, cmp.Or(c.StallTimeout, defaultStallTimeout))
}

// waitSession waits for the session, and gives up when virtual time stalls. A stalled session
// cannot be stopped: it lingers until the process ends, but is ignored.
func waitSession(done <-chan error, c *clock, timeout time.Duration) error {
	last, t := c.now(), time.NewTicker(timeout)
	defer t.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-t.C:
			now := c.now()
			if now == last {
				c.abandoned.Store(true)
				return fmt.Errorf("%w (at %v, for %v)", ErrStalled, now, timeout)
			}
			last = now
		}
	}
}

// session plays one run. It runs in the bubble.
func session(ctx context.Context, net *network.Network, spec cluster.RunSpec, rec *event.Recorder,
	runner func(context.Context, cluster.World) error, c *clock) (err error) {
	w, err := newWorld(net, spec, rec, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.open(); err != nil {
		return err
	}
	return runner(ctx, w)
}
