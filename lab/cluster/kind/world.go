package kind

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

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
)

// world is a cluster prepared for one flight. It implements [lab.World].
type world struct {
	cluster *Cluster
	spec    cluster.RunSpec
	agent   *client.Agent
	lease   *lease
	start   time.Time // the run's start
	buffer  reorderBuffer
	*observer
	health  *health
	watches *watches
	// changed has room for one: something was observed.
	changed chan struct{}
	// totalsSeen is closed when the traffic's totals have come.
	totalsSeen chan struct{}
	totalsOnce sync.Once
	stop       context.CancelFunc
	readers    sync.WaitGroup
	agentMu    sync.Mutex
	agentErr   error
}

// openWorld begins to observe. From here on, time is the run's.
func (c *Cluster) openWorld(ctx context.Context, f cluster.RunSpec, rec *event.Recorder, desk *client.Agent, l *lease) (*world, error) {
	w := &world{
		cluster: c, spec: f, agent: desk, lease: l, start: time.Now(), buffer: reorderBuffer{rec: rec},
		changed: make(chan struct{}, 1), totalsSeen: make(chan struct{}),
	}
	w.observer = newObserver(f.Scenario.Release.Service, w.note)
	w.health = newHealth(f.Scenario, w.decided)
	var err error
	if w.watches, err = c.clients.watchObjects(ctx, w.observer, w.health, w.wake); err != nil {
		return nil, err
	}
	w.health.start()
	read, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = stop
	w.readers.Go(func() { w.agentFailed(client.Follow(read, desk.Facts, w.handleFact)) })
	w.readers.Go(func() { w.pollAgent(read) })
	return w, nil
}

// close ends the observation. What has not come by then is no part of the run.
func (w *world) close() {
	w.health.stop()
	w.stop()
	w.watches.close()
	w.readers.Wait()
	w.buffer.close(w.elapsed())
}

func (w *world) elapsed() time.Duration { return time.Since(w.start) }

func (w *world) note(at time.Time, source string, f event.Fact) {
	w.buffer.add(at.Sub(w.start), source, f)
}

func (w *world) wake() {
	select {
	case w.changed <- struct{}{}:
	default: // it is awake
	}
}

// decided tells whether Prometheus and Flagger can change nothing any more.
func (w *world) decided() bool {
	if w.spec.Guardrails == nil {
		return true
	}
	phase := w.observer.Phase()
	return phase == event.PhaseSucceeded || phase == event.PhaseFailed
}

// handleFact takes a fact of the desk.
func (w *world) handleFact(f client.Fact) error {
	if err := w.agentFact(f); err != nil {
		return err
	}
	if f.Kind == event.KindTrafficTotals {
		w.totalsOnce.Do(func() { close(w.totalsSeen) })
	}
	w.wake()
	return nil
}

// agentPollInterval is how often the desk is asked whether its account is whole.
const agentPollInterval = 3 * time.Second

func (w *world) pollAgent(ctx context.Context) {
	every := time.NewTicker(agentPollInterval)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		asked, cancel := context.WithTimeout(ctx, agentPollInterval)
		status, err := w.agent.Status(asked)
		cancel()
		switch {
		case errors.Is(err, client.ErrRestarted):
			w.agentFailed(err)
		case err == nil && status.Fault != "":
			w.agentFailed(errors.New(status.Fault))
		}
	}
}

// agentFailed keeps the first reason why the desk's account is not whole.
func (w *world) agentFailed(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	w.agentMu.Lock()
	defer w.agentMu.Unlock()
	if w.agentErr == nil {
		w.agentErr = err
		w.wake()
	}
}

// fault is the lab's, nil as long as all is well.
func (w *world) fault() error {
	w.agentMu.Lock()
	lost := w.agentErr
	w.agentMu.Unlock()
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
	w.buffer.drain(now)
	return now
}

// recheckInterval is how often a condition is looked at where nothing changes.
const recheckInterval = time.Second

// Wait implements [lab.World].
func (w *world) Wait(ctx context.Context, until time.Duration, condition func() bool) (bool, error) {
	for {
		now := w.elapsed()
		w.buffer.drain(now - reorderDelay)
		if err := errors.Join(ctx.Err(), w.fault()); err != nil {
			return false, err
		}
		if condition != nil && condition() {
			return true, nil
		}
		if now >= until {
			return false, nil
		}
		pause := time.NewTimer(min(recheckInterval, until-now))
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
	applied, err := w.cluster.applySet(ctx, w.spec.Guardrails, event.OwnerLearner)
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
	err := w.retry(ctx, func(ctx context.Context) error {
		return w.agent.Start(ctx, client.Start{Zero: w.start.UnixNano(), Begin: begin.UnixNano()})
	})
	if err != nil {
		return err
	}
	_, err = w.Wait(ctx, begin.Sub(w.start), nil)
	return err
}

// Release implements [lab.World].
func (w *world) Release(ctx context.Context) error {
	s := w.spec.Scenario.Released()
	v, ok := s.Versions[w.spec.Version]
	if !ok {
		return fmt.Errorf("service %s has no version %s", s.Name, w.spec.Version)
	}
	set, err := workloads.ParseManifests(w.spec.Scenario, w.spec.Version+".yaml", v.Manifests)
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
	w.note(at, sourceRun, event.Released{Service: s.Name, Version: w.spec.Version})
	return w.retry(ctx, func(ctx context.Context) error { return w.agent.Release(ctx, client.Release{At: at.UnixNano()}) })
}

// setVersion updates the Deployment, which others write to at the same time.
func (w *world) setVersion(ctx context.Context, service string) error {
	deployments := w.cluster.clients.kube.AppsV1().Deployments(names.DevelopNamespace)
	return w.retry(ctx, func(ctx context.Context) error {
		return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			d, err := deployments.Get(ctx, service, metav1.GetOptions{})
			if err != nil {
				return err
			}
			workloadsOf(w.spec.Scenario, w.cluster.image).SetVersion(d, w.spec.Scenario.Service(service), w.spec.Version)
			_, err = deployments.Update(ctx, d, metav1.UpdateOptions{FieldManager: names.FieldManager})
			return err
		})
	})
}

// retry calls the cluster until it answers, as long as the lab has no fault: the API server may be away for a while.
func (w *world) retry(ctx context.Context, f func(context.Context) error) error {
	for {
		err := f(ctx)
		if err == nil || !transient(err) {
			return err
		}
		if _, fault := w.Wait(ctx, w.elapsed()+recheckInterval, nil); fault != nil {
			return fmt.Errorf("%w (last: %w)", fault, err)
		}
	}
}

// transient tells errors of an API server that is away, or has just come back, from what it means.
func transient(err error) bool {
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
	totalsTimeout = 20 * time.Second
	jobsTimeout   = 30 * time.Second
)

// StopTraffic implements [lab.World]. It accounts for every traffic pod: what none of them tells, nobody knows.
func (w *world) StopTraffic(ctx context.Context) error {
	at := time.Now()
	err := w.retry(ctx, func(ctx context.Context) error {
		status, err := w.agent.Stop(ctx, client.Stop{At: at.UnixNano()})
		if err == nil && status.Fault != "" {
			err = errors.New(status.Fault)
		}
		return err
	})
	if err != nil {
		return err
	}
	came, err := w.Wait(ctx, w.elapsed()+totalsTimeout, func() bool {
		select {
		case <-w.totalsSeen:
			return true
		default:
			return false
		}
	})
	if err != nil {
		return err
	}
	if !came {
		return fmt.Errorf("the traffic's totals have not come from the desk within %v", totalsTimeout)
	}
	if err := w.waitForJobs(ctx); err != nil {
		return err
	}
	return w.undecided()
}

// undecided says why a rollout whose end has not come cannot be judged: without the API server Flagger can neither promote nor roll
// back, and what it came too late for is not the guardrails' fault.
func (w *world) undecided() error {
	away := w.lease.longestOutage()
	if away == 0 || w.decided() {
		return nil
	}
	return fmt.Errorf("the rollout has not come to its end (phase %s), and the API server was out of reach for %v meanwhile",
		w.Phase(), away.Round(time.Second))
}

// waitForJobs waits until all traffic pods have ended as they should.
func (w *world) waitForJobs(ctx context.Context) error {
	jobs := w.cluster.clients.kube.BatchV1().Jobs(names.DevelopNamespace)
	return w.cluster.waitFor(ctx, jobsTimeout, "the traffic pods to end", func(ctx context.Context) (string, error) {
		for _, c := range w.spec.Scenario.Clients {
			j, err := jobs.Get(ctx, trafficJobName(c.Name), metav1.GetOptions{})
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
