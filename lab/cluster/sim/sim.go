// Package sim is the cluster in virtual time: the real Flagger controller, the real Prometheus storage and PromQL engine, and
// models of Kubernetes' Deployments, Linkerd's proxies and the demo services, in one process without any network.
//
// A session runs in a bubble of virtual time. One goroutine, the driver, moves the world: it wakes once a second and after each
// change. The package knows how to play a flight, not what its story or its score is.
//
// # Who acts at which instant
//
// What goroutines do at one instant of virtual time happens in the order in which they are scheduled, which differs from run to
// run. So each of those that act has instants of its own, and a run is the same on every repetition:
//
//	Flagger             whole seconds: it starts 1 s after the bubble's begin, and its loops tick every 10 s and every analysis
//	                    interval from there
//	driver, windows     37.311 ms after each whole second; every tenth window ends with a scrape
//	driver, changes     137.311 ms after a change in the API server: what it took to reach the proxies (see propagation)
//	driver, pods        when a pod becomes ready
//	story               71.713 ms after a whole second, but for its begin, when Flagger has just come to rest at 1 s
//
// Whoever reads or writes what others share first lets the bubble settle: everybody else waits then. Requests are no
// goroutines: the driver, the story and the gates play those that are due when they look. Gates answer outside of the bubble,
// while Flagger's goroutine waits inside and time stands still.
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

// Names of what plays a run here.
const (
	Name = "sim"
	Mesh = "linkerd-model"
)

// defaultStallTimeout is how long, in real time, virtual time may stand still before the session is given up. A tick takes less than a
// millisecond; only a query that slipped past the limits can take seconds.
const defaultStallTimeout = 60 * time.Second

// clock is the virtual time as the outside sees it.
type clock struct {
	published atomic.Int64 // since the run's start
	// abandoned is set when the session was given up: what it still does, should it come free, is no part of the run any more.
	abandoned atomic.Bool
}

// ErrStalled says that virtual time stood still.
var ErrStalled = errors.New("virtual time stands still: something in the run is busy or waits for the real world")

// Cluster is the sim. The zero value is ready for use.
type Cluster struct {
	// Version of coalmine, for the log.
	Version string
	// StallTimeout is how long, in real time, virtual time may stand still; 0 stands for a minute. Whoever holds the sink of a run
	// back, to show it slowly, must let go of it more often than that.
	StallTimeout time.Duration
}

// sessionCount numbers the sessions of the process: each serves its hosts under names of its own.
var sessionCount atomic.Int64

// Describe implements [lab.Cluster].
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

// Session implements [lab.Cluster].
func (c Cluster) Session(ctx context.Context, f cluster.RunSpec, rec *event.Recorder, story func(context.Context, cluster.World) error) error {
	net, err := network.Install()
	if err != nil {
		return err
	}
	clock := &clock{}
	done := make(chan error, 1)
	go func() {
		done <- vclock.Run(func() error { return session(ctx, net, f, rec, story, clock) })
	}()
	return waitSession(done, clock, cmp.Or(c.StallTimeout, defaultStallTimeout))
}

// waitSession waits for the session, and gives it up when virtual time stands still. What is stuck cannot be ended: it stays behind
// until the process ends, and is not listened to any more.
func waitSession(done <-chan error, c *clock, patience time.Duration) error {
	last, t := c.published.Load(), time.NewTicker(patience)
	defer t.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-t.C:
			now := c.published.Load()
			if now == last {
				c.abandoned.Store(true)
				return fmt.Errorf("%w (at %v, for %v)", ErrStalled, time.Duration(now), patience)
			}
			last = now
		}
	}
}

// session plays one flight; it runs in the bubble.
func session(ctx context.Context, net *network.Network, f cluster.RunSpec, rec *event.Recorder, story func(context.Context, cluster.World) error, c *clock) (err error) {
	w, err := newWorld(net, f, rec, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.open(); err != nil {
		return err
	}
	return story(ctx, w)
}
