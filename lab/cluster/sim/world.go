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
	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/cluster/sim/flagger"
	"coalmine/lab/cluster/sim/kube"
	"coalmine/lab/cluster/sim/network"
	"coalmine/lab/cluster/sim/prom"
	"coalmine/lab/cluster/sim/vclock"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
)

// world is one session's cluster. It implements [lab.World].
type world struct {
	spec  cluster.RunSpec
	rec   *event.Recorder
	net   *network.Network
	hosts hostnames
	// clock has the time since the run's start as last seen inside the bubble, for callers outside of it. Each access to an API
	// server refreshes it, and time stands still while the outside is asked, so it is exact there.
	*clock

	kube          *fake.Clientset
	flaggerClient *flaggerfake.Clientset
	flagger       *flagger.Controller
	pods          *kube.Controller
	db            *prom.DB

	// mu guards the data plane, which the driver, the story and the gates use.
	mu     sync.Mutex
	plane  *dataplane.Plane
	models models

	// The driver's own.
	flushedUntil time.Duration // end of the last traffic aggregate
	totalsNoted  bool          // the totals are noted; guarded by mu
	podCount     int           // given to pods so far
	podStates    []*podState   // guarded by mu
	lastRoutes   map[string]string

	// policies are the Linkerd policies in force, defaultPolicy the namespace's; written by the story, read at other instants.
	policies      []guardrail.Object
	defaultPolicy string
	dirty         struct{ deployments, services, routes, policies atomic.Bool }

	statusMu    sync.Mutex
	queriesAt   int64          // the instant of askedFor
	queryCounts map[string]int // queries by canary and metric
	statuses    map[string]event.Canary
	phase       string
	cookies     workloads.AffinityCookies

	released atomic.Int64 // when the version was released; 0 before
	closing  atomic.Bool
	stop     chan struct{} // made in the bubble, as changed is
	wake     chan struct{} // has room for one: something in the API server changed
	driver   sync.WaitGroup
	err      error // of the driver or a query; written through fail, read after the driver ended or through failure
	errMu    sync.Mutex
	cleanups []func()
}

func newWorld(net *network.Network, f cluster.RunSpec, rec *event.Recorder, c *clock) (*world, error) {
	db, err := prom.Open(time.Now())
	if err != nil {
		return nil, err
	}
	plane, models, err := newPlane(f)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	w := &world{
		spec: f, rec: rec, net: net, hosts: newHostnames(sessionCount.Add(1)), clock: c, db: db, plane: plane, models: models,
		kube: fake.NewSimpleClientset(), flaggerClient: flaggerfake.NewSimpleClientset(), // NewClientset would parse an OpenAPI schema on each call
		statuses: map[string]event.Canary{}, lastRoutes: map[string]string{}, stop: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	w.pods = kube.New(w.kube, scenario.Namespace, f.Seed, models.startUp)
	return w, nil
}

// open brings the platform up: services, Flagger, driver.
func (w *world) open() error {
	ctx := context.Background() // the story's context belongs to the real world: waiting for it would stop virtual time
	w.watchObjects()
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
	// How often client-go looked before its caches were filled depends on the machine; what is applied next happens after that.
	w.publishTime()
	w.driver.Go(w.drive)
	return w.applyManifests(ctx, "environment.yaml", w.spec.Scenario.Environment)
}

// close takes the world down. Flagger stops working on a canary only when it is deleted.
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
	w.driver.Wait()
	for _, remove := range w.cleanups {
		remove()
	}
	return errors.Join(append(errs, w.err, w.db.Close())...)
}

// elapsed is the time since the run's start. It must be called in the bubble.
func elapsed() time.Duration { return time.Since(vclock.Epoch) }

// publishTime lets the outside see the time.
func (w *world) publishTime() { w.published.Store(int64(elapsed())) }

// record records a fact at the current time, inside or outside of the bubble.
// What happens while the world is taken down, or after it was given up, is no part of the run.
func (w *world) record(source string, f event.Fact) {
	if !w.closing.Load() && !w.abandoned.Load() {
		w.rec.Record(time.Duration(w.published.Load()), source, f)
	}
}

// Now implements [lab.World].
func (w *world) Now() time.Duration { w.publishTime(); return elapsed() }

// The story looks at the world between the driver's instants and Flagger's (see the package comment): each second for a
// condition, and often enough for an interruption otherwise.
const (
	runnerStep     = time.Second
	runnerOffset   = 71_713 * time.Microsecond
	runnerMaxSleep = 5 * time.Second
)

// Wait implements [lab.World].
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
		w.publishTime()
	}
}

// Phase implements [lab.World].
func (w *world) Phase() string {
	w.statusMu.Lock()
	defer w.statusMu.Unlock()
	return w.phase
}

// ApplyGuardrails implements [lab.World].
func (w *world) ApplyGuardrails(context.Context) error {
	w.publishTime()
	return w.applySet(context.Background(), w.spec.Guardrails, event.OwnerLearner)
}

// Release implements [lab.World].
func (w *world) Release(context.Context) error {
	ctx := context.Background()
	w.publishTime()
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
	workloadsOf(w.spec.Scenario).SetVersion(d, s, w.spec.Version)
	if _, err := deployments.Update(ctx, d, metav1.UpdateOptions{}); err != nil {
		return err
	}
	w.released.Store(int64(elapsed()))
	w.mu.Lock()
	w.plane.MarkRollout()
	w.mu.Unlock()
	w.record(sourceRun, event.Released{Service: s.Name, Version: w.spec.Version})
	return nil
}

// StartTraffic implements [lab.World].
func (w *world) StartTraffic(context.Context) error {
	w.publishTime()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plane.Advance(elapsed())
	w.plane.StartTraffic(elapsed())
	return nil
}

// StopTraffic implements [lab.World].
func (w *world) StopTraffic(context.Context) error {
	w.publishTime()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.plane.Advance(elapsed())
	w.plane.StopTraffic()
	w.flushTraffic(elapsed())
	w.record(sourceRun, w.plane.Totals())
	w.totalsNoted = true
	return nil
}

// fail ends the run with an error, unless it has one.
func (w *world) fail(err error) {
	w.errMu.Lock()
	defer w.errMu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

// failure is the driver's error or that of the watch, nil as long as all is well.
func (w *world) failure() error {
	if w.abandoned.Load() {
		return ErrStalled
	}
	w.errMu.Lock()
	defer w.errMu.Unlock()
	return w.err
}
