package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	flaggerfake "github.com/fluxcd/flagger/pkg/client/clientset/versioned/fake"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/sim/flagger"
	"coalmine/lab/cluster/sim/network"
	"coalmine/lab/cluster/sim/prom"
	"coalmine/lab/cluster/sim/vclock"
	"coalmine/lab/event"
	"coalmine/lab/guardrail/loadtester"
	"coalmine/lab/scenario"
)

// world is the cluster of one session. It implements [cluster.World].
type world struct {
	spec  cluster.RunSpec
	clock *clock
	log   *event.Recorder
	net   *network.Network
	hosts hostnames

	kube          *fake.Clientset
	flaggerClient *flaggerfake.Clientset
	flagger       *flagger.Controller
	db            *prom.DB

	traffic    guarded[traffic]
	policies   guarded[policies]
	canaries   guarded[canaries]
	queries    guarded[queries]
	routeState guarded[routeState]
	loadTester guarded[loadtester.Server]
	changes    changes
	waits      gateWaits

	// autoscaled is set when an autoscaler was applied.
	autoscaled atomic.Bool

	released atomic.Int64   // when the version was released; 0 before
	failed   guarded[error] // of the driver or of a query
	closing  atomic.Bool
	stop     chan struct{} // stops the driver
	running  sync.WaitGroup
	cleanups []func()
}

func newWorld(net *network.Network, spec cluster.RunSpec, log *event.Recorder, c *clock) (*world, error) {
	db := prom.Open()
	plane, models, err := newPlane(spec)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &world{
		spec: spec, clock: c, log: log, net: net, hosts: newHostnames(sessionCount.Add(1)), db: db,
		// NewClientset would parse an OpenAPI schema on each call.
		kube: fake.NewSimpleClientset(), flaggerClient: flaggerfake.NewSimpleClientset(),
		traffic:    guarded[traffic]{value: traffic{plane: plane, models: models}},
		canaries:   guarded[canaries]{value: canaries{statuses: map[string]event.Canary{}}},
		routeState: guarded[routeState]{value: routeState{created: map[string]time.Duration{}}},
		changes:    changes{wake: make(chan struct{}, 1)},
		stop:       make(chan struct{}),
	}, nil
}

// open starts services, Flagger and the driver.
func (w *world) open() error {
	ctx := context.Background() // the runner's context is not virtual: waiting for it would stall virtual time
	w.watchObjects()
	w.loadTester.value.Approved = w.approved
	w.cleanups = append(w.cleanups,
		w.net.RegisterTransport(w.hosts.prometheus, w.db.RoundTripper(time.Now, w.recordQuery)),
		w.net.RegisterTransport(w.hosts.alerts, alertSink{w}),
	)
	if err := w.createServices(ctx); err != nil {
		return err
	}
	f, err := flagger.Start(flagger.Clients{Kube: w.kube, Flagger: w.flaggerClient}, "http://"+w.hosts.prometheus, w)
	if err != nil {
		return err
	}
	w.flagger = f
	// How often client-go polled before its caches were synced depends on the machine. What is
	// applied next happens after that.
	w.clock.publish()
	w.running.Go(newDriver(w).drive)
	return w.applyManifests(ctx, "environment.yaml", w.spec.Scenario.Environment)
}

// close stops everything. Flagger stops working on a canary only when it is deleted.
func (w *world) close() error {
	ctx := context.Background()
	vclock.WaitIdle()
	w.closing.Store(true)
	var errs []error
	if w.flagger != nil {
		canaries := w.flaggerClient.FlaggerV1beta1().Canaries(scenario.Namespace)
		list, err := canaries.List(ctx, metav1.ListOptions{})
		errs = append(errs, err)
		for i := range list.Items {
			errs = append(errs, canaries.Delete(ctx, list.Items[i].Name, metav1.DeleteOptions{}))
		}
		errs = append(errs, w.flagger.Stop(ctx))
	}
	close(w.stop)
	w.running.Wait()
	for _, cleanup := range w.cleanups {
		cleanup()
	}
	failed, unlock := w.failed.lock()
	defer unlock()
	return errors.Join(append(errs, *failed, w.db.Close())...)
}

// elapsed returns the time since the run's start. It must be called in the bubble.
func elapsed() time.Duration { return time.Since(vclock.Epoch) }

// record records a fact at the published time, inside or outside the bubble. Facts from after the
// end of the run, when the world is closing or was given up, are dropped.
func (w *world) record(source string, f event.Fact) {
	if !w.closing.Load() && !w.clock.abandoned.Load() {
		w.log.Record(w.clock.now(), source, f)
	}
}

// Now implements [cluster.World].
func (w *world) Now() time.Duration { w.clock.publish(); return elapsed() }

// The runner looks at the world between the driver's instants and Flagger's (see the package
// comment): each second for a condition, and often enough for a cancellation otherwise.
const (
	runnerStep     = time.Second
	runnerOffset   = 71_713 * time.Microsecond
	runnerMaxSleep = 5 * time.Second
)

// Wait implements [cluster.World].
func (w *world) Wait(ctx context.Context, until time.Duration, condition func() bool) (bool, error) {
	for {
		vclock.WaitIdle()
		if condition != nil && condition() {
			return true, nil
		}
		if err := errors.Join(ctx.Err(), w.failure()); err != nil {
			return false, err
		}
		now := elapsed()
		if now >= until {
			return false, nil
		}
		next := now.Truncate(runnerStep) + runnerOffset + runnerStep
		if condition == nil {
			next = max(next, min(now+runnerMaxSleep, until))
		}
		time.Sleep(next - now)
		w.clock.publish()
	}
}

// Phase implements [cluster.World].
func (w *world) Phase() string {
	c, unlock := w.canaries.lock()
	defer unlock()
	return c.phase
}

// ApplyGuardrails implements [cluster.World].
func (w *world) ApplyGuardrails(context.Context) error {
	w.clock.publish()
	return w.applySet(context.Background(), w.spec.Guardrails, event.OwnerLearner)
}

// Release implements [cluster.World].
func (w *world) Release(context.Context) error {
	ctx := context.Background()
	w.clock.publish()
	s := w.spec.Scenario.Service(w.spec.Scenario.Release.Service)
	v, ok := s.Versions[w.spec.Version]
	if !ok {
		return fmt.Errorf("service %s has no version %s", s.Name, w.spec.Version)
	}
	if err := w.applyManifests(ctx, w.spec.Version+".yaml", v.Manifests); err != nil {
		return err
	}
	deployments := w.kube.AppsV1().Deployments(scenario.Namespace)
	d, err := deployments.Get(ctx, s.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	d = d.DeepCopy()
	workloadsOf(w.spec).SetVersion(d, s, w.spec.Version)
	if _, err := deployments.Update(ctx, d, metav1.UpdateOptions{}); err != nil {
		return err
	}
	w.released.Store(int64(elapsed()))
	t, unlock := w.traffic.lock()
	t.plane.MarkRollout()
	unlock()
	w.record(sourceRun, event.Released{Service: s.Name, Version: w.spec.Version})
	return nil
}

// StartTraffic implements [cluster.World].
func (w *world) StartTraffic(context.Context) error {
	w.clock.publish()
	t, unlock := w.traffic.lock()
	defer unlock()
	t.plane.Advance(elapsed())
	t.plane.StartTraffic(elapsed())
	return nil
}

// StopTraffic implements [cluster.World].
func (w *world) StopTraffic(context.Context) error {
	w.clock.publish()
	t, unlock := w.traffic.lock()
	defer unlock()
	t.plane.Advance(elapsed())
	t.plane.StopTraffic()
	w.recordTraffic(t, elapsed())
	w.recordMesh(t, elapsed())
	w.record(sourceRun, t.plane.Totals())
	t.totalsRecorded = true
	return nil
}

// fail fails the run with an error, unless it has failed before.
func (w *world) fail(err error) {
	failed, unlock := w.failed.lock()
	defer unlock()
	if *failed == nil {
		*failed = err
	}
}

// failure returns why the run has failed, or nil.
func (w *world) failure() error {
	if w.clock.abandoned.Load() {
		return ErrStalled
	}
	failed, unlock := w.failed.lock()
	defer unlock()
	return *failed
}
