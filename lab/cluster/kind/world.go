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

// world is a cluster prepared for one run. It implements [cluster.World].
type world struct {
	cluster *Cluster
	spec    cluster.RunSpec
	agent   *client.Agent
	lease   *lease
	tester  loadTester
	start   time.Time // of the run
	buffer  reorderBuffer
	*observer
	health  *health
	watches *watches
	// changed has room for one: something was observed.
	changed chan struct{}
	// totalsSeen is closed when the traffic's totals have arrived.
	totalsSeen chan struct{}
	totalsOnce sync.Once
	stop       context.CancelFunc
	readers    sync.WaitGroup
	agentMu    sync.Mutex
	agentErr   error
}

// openWorld starts to observe. From here on, time is the run's.
func (c *Cluster) openWorld(ctx context.Context, f cluster.RunSpec, rec *event.Recorder, agent *client.Agent,
	l *lease) (*world, error) {
	w := &world{
		cluster: c, spec: f, agent: agent, lease: l, start: time.Now(), buffer: reorderBuffer{rec: rec},
		changed: make(chan struct{}, 1), totalsSeen: make(chan struct{}),
	}
	w.observer = newObserver(f, w.note)
	w.health = newHealth(f, w.decided)
	var err error
	if w.watches, err = c.clients.watchObjects(ctx, w.observer, w.health, w.wake); err != nil {
		return nil, err
	}
	w.health.start()
	read, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = stop
	w.readers.Go(func() { w.agentFailed(client.Follow(read, agent.Facts, w.handleFact)) })
	w.readers.Go(func() { w.pollAgent(read) })
	return w, nil
}

// close stops to observe. What has not arrived by then is not part of the run.
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
	default: // a wake-up is pending
	}
}

// decided reports whether Prometheus and Flagger cannot change anything any more.
func (w *world) decided() bool {
	if w.spec.Guardrails == nil {
		return true
	}
	phase := w.observer.Phase()
	return phase == event.PhaseSucceeded || phase == event.PhaseFailed
}

// handleFact handles a fact of the agent.
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

// agentPollInterval is how often the agent is asked whether its facts are complete.
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
		reqCtx, cancel := context.WithTimeout(ctx, agentPollInterval)
		status, err := w.agent.Status(reqCtx)
		cancel()
		switch {
		case errors.Is(err, client.ErrRestarted):
			w.agentFailed(err)
		case err == nil && status.Fault != "":
			w.agentFailed(errors.New(status.Fault))
		}
	}
}

// agentFailed keeps the first reason why the agent's facts are incomplete.
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

// fault returns the lab's fault, or nil.
func (w *world) fault() error {
	w.agentMu.Lock()
	agentErr := w.agentErr
	w.agentMu.Unlock()
	if err := w.health.fault(time.Now()); err != nil {
		return err // a pod's own report is more precise than the agent's that it is missing
	}
	if agentErr != nil {
		return fmt.Errorf("the traffic counts are incomplete: %w", agentErr)
	}
	return w.lease.fault()
}

// Now implements [cluster.World]. Facts known to be earlier are recorded first.
func (w *world) Now() time.Duration {
	now := w.elapsed()
	w.buffer.drain(now)
	return now
}

// recheckInterval is how often a condition is checked while nothing changes.
const recheckInterval = time.Second

// Wait implements [cluster.World].
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

// ApplyGuardrails implements [cluster.World].
func (w *world) ApplyGuardrails(ctx context.Context) error {
	applied, err := w.cluster.applySet(ctx, w.spec.Guardrails, event.OwnerLearner, w.tester)
	w.noteApplied(applied)
	return err
}

func (w *world) noteApplied(applied []event.Fact) {
	for _, a := range applied {
		w.note(time.Now(), sourceRun, a)
	}
}

// trafficLead is the time until traffic starts: for the command to reach the traffic pods, and for
// their connections.
const trafficLead = 3 * time.Second

// StartTraffic implements [cluster.World]. It returns when the traffic starts, so that a baseline
// has its full length.
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

// Release implements [cluster.World].
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
		applied, err := w.cluster.applySet(ctx, set, event.OwnerScenario, w.tester)
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
	w.openTesterGates(ctx, at)
	return w.retry(ctx, func(ctx context.Context) error {
		return w.agent.Release(ctx, client.Release{At: at.UnixNano()})
	})
}

// setVersion updates the Deployment and retries on conflicts with other writers.
func (w *world) setVersion(ctx context.Context, service string) error {
	deployments := w.cluster.clients.kube.AppsV1().Deployments(names.DevelopNamespace)
	return w.retry(ctx, func(ctx context.Context) error {
		return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			d, err := deployments.Get(ctx, service, metav1.GetOptions{})
			if err != nil {
				return err
			}
			workloadsOf(w.spec.Scenario, w.spec.Seed, w.cluster.image).SetVersion(d,
				w.spec.Scenario.Service(service), w.spec.Version)
			_, err = deployments.Update(ctx, d, metav1.UpdateOptions{FieldManager: names.FieldManager})
			return err
		})
	})
}

// retry calls the cluster until it responds, unless the lab has a fault: the API server may be away
// for a while.
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

// transient reports whether an error is due to an API server that is away or has just come back.
func transient(err error) bool {
	var status *client.StatusError
	switch {
	case errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &status):
		return status.Status >= 500
	case utilnet.IsConnectionRefused(err), utilnet.IsConnectionReset(err), utilnet.IsTimeout(err),
		utilnet.IsProbableEOF(err):
		return true
	}
	return apierrors.IsServerTimeout(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsTimeout(err) ||
		apierrors.IsTooManyRequests(err) || apierrors.IsInternalError(err)
}

// Time limits at the end of the traffic.
const (
	totalsTimeout = 20 * time.Second
	jobsTimeout   = 30 * time.Second
)

// StopTraffic implements [cluster.World]. Every traffic pod must report its counts, because nothing
// else has them.
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
		return fmt.Errorf("the traffic's totals did not arrive from the agent within %v", totalsTimeout)
	}
	if err := w.waitForJobs(ctx); err != nil {
		return err
	}
	return w.undecided()
}

// undecided returns why a rollout without an end cannot be judged: without the API server Flagger
// can neither promote nor roll back, and its delay is not the fault of the guardrails.
func (w *world) undecided() error {
	away := w.lease.longestOutage()
	if away == 0 || w.decided() {
		return nil
	}
	return fmt.Errorf("the rollout has not ended (phase %s), and the API server was unreachable for %v meanwhile",
		w.Phase(), away.Round(time.Second))
}

// waitForJobs waits until all traffic pods have succeeded.
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

// unfinished returns what is missing in a Job, or "" if all of its pods have succeeded.
func unfinished(j *batchv1.Job) (string, error) {
	if j.Status.Failed > 0 {
		return "", fmt.Errorf("%d pods of Job %s failed", j.Status.Failed, j.Name)
	}
	if want := *j.Spec.Completions; j.Status.Succeeded < want {
		return fmt.Sprintf("%d of %d pods of Job %s have ended", j.Status.Succeeded, want, j.Name), nil
	}
	return "", nil
}
