package kindlab

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/util/retry"

	"coalmine/lab"
	"coalmine/lab/desk/client"
	"coalmine/lab/event"
	"coalmine/lab/kindlab/place"
	"coalmine/lab/stage"
)

// world is a cluster prepared for one flight. It implements [lab.World].
type world struct {
	cluster *Cluster
	flight  lab.Flight
	desk    *client.Desk
	lease   *lease
	zero    time.Time // the run's start
	order   order
	*observer
	health  *health
	watches *watches
	// changed has room for one: something was observed.
	changed chan struct{}
	// counted is closed when the traffic's totals have come.
	counted  chan struct{}
	onCount  sync.Once
	stop     context.CancelFunc
	readers  sync.WaitGroup
	deskMu   sync.Mutex
	deskLost error
}

// open begins to observe. From here on, time is the run's.
func (c *Cluster) open(ctx context.Context, f lab.Flight, rec *event.Recorder, desk *client.Desk, l *lease) (*world, error) {
	w := &world{
		cluster: c, flight: f, desk: desk, lease: l, zero: time.Now(), order: order{rec: rec},
		changed: make(chan struct{}, 1), counted: make(chan struct{}),
	}
	w.observer = newObserver(f.Scenario.Release.Service, w.note)
	w.health = newHealth(f.Scenario, w.decided)
	var err error
	if w.watches, err = c.clients.watchObjects(ctx, w.observer, w.health, w.wake); err != nil {
		return nil, err
	}
	w.health.begin()
	read, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = stop
	w.readers.Go(func() { w.lose(client.Follow(read, desk.Facts, w.hear)) })
	w.readers.Go(func() { w.ask(read) })
	return w, nil
}

// close ends the observation. What has not come by then is no part of the run.
func (w *world) close() {
	w.health.end()
	w.stop()
	w.watches.close()
	w.readers.Wait()
	w.order.close(w.elapsed())
}

func (w *world) elapsed() time.Duration { return time.Since(w.zero) }

func (w *world) note(at time.Time, source string, f event.Fact) {
	w.order.note(at.Sub(w.zero), source, f)
}

func (w *world) wake() {
	select {
	case w.changed <- struct{}{}:
	default: // it is awake
	}
}

// decided tells whether Prometheus and Flagger can change nothing any more.
func (w *world) decided() bool {
	if w.flight.Guardrails == nil {
		return true
	}
	phase := w.observer.Phase()
	return phase == event.PhaseSucceeded || phase == event.PhaseFailed
}

// hear takes a fact of the desk.
func (w *world) hear(f client.Fact) error {
	if err := w.deskFact(f); err != nil {
		return err
	}
	if f.Kind == event.KindTrafficTotals {
		w.onCount.Do(func() { close(w.counted) })
	}
	w.wake()
	return nil
}

// askEvery is how often the desk is asked whether its account is whole.
const askEvery = 3 * time.Second

func (w *world) ask(ctx context.Context) {
	every := time.NewTicker(askEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		asked, cancel := context.WithTimeout(ctx, askEvery)
		status, err := w.desk.Status(asked)
		cancel()
		switch {
		case errors.Is(err, client.ErrRestarted):
			w.lose(err)
		case err == nil && status.Fault != "":
			w.lose(errors.New(status.Fault))
		}
	}
}

// lose keeps the first reason why the desk's account is not whole.
func (w *world) lose(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	w.deskMu.Lock()
	defer w.deskMu.Unlock()
	if w.deskLost == nil {
		w.deskLost = err
		w.wake()
	}
}

// fault is the lab's, nil as long as all is well.
func (w *world) fault() error {
	w.deskMu.Lock()
	lost := w.deskLost
	w.deskMu.Unlock()
	if err := w.health.fault(time.Now()); err != nil {
		return err // what a pod says of itself says more than that the desk misses it
	}
	if lost != nil {
		return fmt.Errorf("the traffic's account is not whole: %w", lost)
	}
	return w.lease.fault()
}

// Now implements [lab.World]. What is known to have happened before is recorded first.
func (w *world) Now() time.Duration {
	now := w.elapsed()
	w.order.drain(now)
	return now
}

// lookAgain is how often a condition is looked at where nothing changes.
const lookAgain = time.Second

// Wait implements [lab.World].
func (w *world) Wait(ctx context.Context, until time.Duration, condition func() bool) (bool, error) {
	for {
		now := w.elapsed()
		w.order.drain(now - holdBack)
		if err := errors.Join(ctx.Err(), w.fault()); err != nil {
			return false, err
		}
		if condition != nil && condition() {
			return true, nil
		}
		if now >= until {
			return false, nil
		}
		pause := time.NewTimer(min(lookAgain, until-now))
		select {
		case <-ctx.Done():
		case <-w.changed:
		case <-pause.C:
		}
		pause.Stop()
	}
}

// ApplyGuardrails implements [lab.World].
func (w *world) ApplyGuardrails(ctx context.Context) error {
	applied, err := w.cluster.applySet(ctx, w.flight.Guardrails, event.OwnerLearner)
	w.noteApplied(applied)
	return err
}

func (w *world) noteApplied(applied []event.Applied) {
	for _, a := range applied {
		w.note(time.Now(), sourceRun, a)
	}
}

// trafficLead is the time until traffic begins: for the order to reach the traffic pods, and for their connections to stand.
const trafficLead = 3 * time.Second

// StartTraffic implements [lab.World]. It returns when the traffic begins, so that a baseline has its whole time.
func (w *world) StartTraffic(ctx context.Context) error {
	begin := time.Now().Add(trafficLead)
	err := w.tell(ctx, func(ctx context.Context) error {
		return w.desk.Start(ctx, client.Start{Zero: w.zero.UnixNano(), Begin: begin.UnixNano()})
	})
	if err != nil {
		return err
	}
	_, err = w.Wait(ctx, begin.Sub(w.zero), nil)
	return err
}

// Release implements [lab.World].
func (w *world) Release(ctx context.Context) error {
	s := w.flight.Scenario.Released()
	v, ok := s.Versions[w.flight.Version]
	if !ok {
		return fmt.Errorf("service %s has no version %s", s.Name, w.flight.Version)
	}
	set, err := stage.Manifests(w.flight.Scenario, w.flight.Version+".yaml", v.Manifests)
	if err != nil {
		return err
	}
	if set != nil {
		applied, err := w.cluster.applySet(ctx, set, event.OwnerScenario)
		w.noteApplied(applied)
		if err != nil {
			return err
		}
	}
	if err := w.setVersion(ctx, s.Name); err != nil {
		return err
	}
	at := time.Now()
	w.note(at, sourceRun, event.Released{Service: s.Name, Version: w.flight.Version})
	return w.tell(ctx, func(ctx context.Context) error { return w.desk.Released(ctx, client.Released{At: at.UnixNano()}) })
}

// setVersion updates the Deployment, which others write to at the same time.
func (w *world) setVersion(ctx context.Context, service string) error {
	deployments := w.cluster.clients.kube.AppsV1().Deployments(place.Develop)
	return w.tell(ctx, func(ctx context.Context) error {
		return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			d, err := deployments.Get(ctx, service, metav1.GetOptions{})
			if err != nil {
				return err
			}
			stageOf(w.flight.Scenario, w.cluster.image).SetVersion(d, w.flight.Scenario.Service(service), w.flight.Version)
			_, err = deployments.Update(ctx, d, metav1.UpdateOptions{FieldManager: place.FieldManager})
			return err
		})
	})
}

// tell calls the cluster until it answers, as long as the lab has no fault: the API server may be away for a while.
func (w *world) tell(ctx context.Context, f func(context.Context) error) error {
	for {
		err := f(ctx)
		if err == nil || !passing(err) {
			return err
		}
		if _, fault := w.Wait(ctx, w.elapsed()+lookAgain, nil); fault != nil {
			return fmt.Errorf("%w (last: %w)", fault, err)
		}
	}
}

// passing tells errors of an API server that is away, or has just come back, from what it means.
func passing(err error) bool {
	var refused *client.StatusError
	switch {
	case errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &refused):
		return refused.Status >= 500
	case utilnet.IsConnectionRefused(err), utilnet.IsConnectionReset(err), utilnet.IsTimeout(err), utilnet.IsProbableEOF(err):
		return true
	}
	return apierrors.IsServerTimeout(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsInternalError(err)
}

// Limits of the traffic's end.
const (
	totalsLimit = 20 * time.Second
	jobsLimit   = 30 * time.Second
)

// StopTraffic implements [lab.World]. It accounts for every traffic pod: what none of them tells, nobody knows.
func (w *world) StopTraffic(ctx context.Context) error {
	at := time.Now()
	err := w.tell(ctx, func(ctx context.Context) error {
		status, err := w.desk.Stop(ctx, client.Stop{At: at.UnixNano()})
		if err == nil && status.Fault != "" {
			err = errors.New(status.Fault)
		}
		return err
	})
	if err != nil {
		return err
	}
	came, err := w.Wait(ctx, w.elapsed()+totalsLimit, func() bool {
		select {
		case <-w.counted:
			return true
		default:
			return false
		}
	})
	if err != nil {
		return err
	}
	if !came {
		return fmt.Errorf("the traffic's totals have not come from the desk within %v", totalsLimit)
	}
	if err := w.awaitJobs(ctx); err != nil {
		return err
	}
	return w.undecided()
}

// undecided says why a rollout whose end has not come cannot be judged: without the API server Flagger can neither promote nor roll
// back, and what it came too late for is not the guardrails' fault.
func (w *world) undecided() error {
	away := w.lease.absence()
	if away == 0 || w.decided() {
		return nil
	}
	return fmt.Errorf("the rollout has not come to its end (phase %s), and the API server was out of reach for %v meanwhile",
		w.Phase(), away.Round(time.Second))
}

// awaitJobs waits until all traffic pods have ended as they should.
func (w *world) awaitJobs(ctx context.Context) error {
	jobs := w.cluster.clients.kube.BatchV1().Jobs(place.Develop)
	return w.cluster.await(ctx, jobsLimit, "the traffic pods to end", func(ctx context.Context) (string, error) {
		for _, c := range w.flight.Scenario.Clients {
			j, err := jobs.Get(ctx, trafficName(c.Name), metav1.GetOptions{})
			if err != nil {
				return "", err
			}
			if why, err := unfinished(j); why != "" || err != nil {
				return why, err
			}
		}
		return "", nil
	})
}

// unfinished says what is missing in a Job, "" when all of its pods have succeeded.
func unfinished(j *batchv1.Job) (string, error) {
	if j.Status.Failed > 0 {
		return "", fmt.Errorf("%d of the pods of Job %s failed", j.Status.Failed, j.Name)
	}
	if want := *j.Spec.Completions; j.Status.Succeeded < want {
		return fmt.Sprintf("%d of the %d pods of Job %s have ended", j.Status.Succeeded, want, j.Name), nil
	}
	return "", nil
}
