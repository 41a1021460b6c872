// Package run plays one run on any cluster: prepare, apply the guardrails, start the traffic, release a version, watch until
// the horizon. Every step is recorded as an event.
package run

import (
	"context"
	"fmt"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
)

// InitLimit is how long Flagger may take to bring a canary to phase Initialized. Flagger needs two control loops and the
// primary's pods for it; what is not there after five minutes waits for something that will not come.
const InitLimit = 5 * time.Minute

// runSource names the story as a source of facts: it sorts before those of a cluster.
const runSource = ""

// Play plays one flight on a cluster and hands every event to sink, in order and from one goroutine at a time.
//
// The log is closed by a RunEnded whatever happens, unless the process dies. Guardrails that never get ready are an outcome
// and no error. The error is the context's when the user stopped the run, and the lab's fault otherwise.
func Play(ctx context.Context, c cluster.Cluster, f cluster.RunSpec, sink func(event.Event)) error {
	t := &runner{spec: f, rec: event.NewRecorder(sink), outcome: event.OutcomeCompleted}
	t.record(0, started(c.Describe(), f))
	err := c.Session(ctx, f, t.rec, t.play)
	return t.finish(ctx, err)
}

func started(d cluster.Description, f cluster.RunSpec) event.RunStarted {
	s := f.Scenario
	var baseline string
	if svc := s.Released(); svc != nil {
		baseline = svc.Baseline
	}
	return event.RunStarted{
		Format:   event.Format,
		Scenario: s.Name,
		Service:  s.Release.Service,
		Version:  f.Version,
		Baseline: baseline,
		Role:     s.Role(f.Version),
		Seed:     f.Seed,
		Cluster:  d.Cluster,
		Mesh:     d.Mesh,
		Guarded:  f.Guardrails != nil,
		Versions: d.Versions,
	}
}

// runner tells the story of one run.
type runner struct {
	spec    cluster.RunSpec
	rec     *event.Recorder
	outcome string
	reason  string
	// at is the time at which the story ended, for the closing event.
	at time.Duration
}

func (t *runner) play(ctx context.Context, w cluster.World) error {
	defer func() { t.at = w.Now() }()
	ready, err := t.prepare(ctx, w)
	if err != nil || !ready {
		return err
	}
	if err := t.baseline(ctx, w); err != nil {
		return err
	}
	if err := t.rollout(ctx, w); err != nil {
		return err
	}
	if err := w.StopTraffic(ctx); err != nil {
		return fmt.Errorf("stop the traffic: %w", err)
	}
	return nil
}

// prepare applies the guardrails and tells whether they came to watch over the service.
func (t *runner) prepare(ctx context.Context, w cluster.World) (bool, error) {
	t.enterStage(w, event.StagePrepare, "")
	if t.spec.Guardrails == nil {
		return true, nil
	}
	if err := w.ApplyGuardrails(ctx); err != nil {
		return false, fmt.Errorf("apply the guardrails: %w", err)
	}
	ready, err := w.Wait(ctx, w.Now()+InitLimit, func() bool { return w.Phase() == event.PhaseInitialized })
	if err != nil {
		return false, fmt.Errorf("wait for the canary to be initialized: %w", err)
	}
	if !ready {
		t.outcome = event.OutcomeNotReady
		t.reason = notReady(w.Phase())
	}
	return ready, nil
}

func notReady(phase string) string {
	if phase == "" {
		return fmt.Sprintf("no canary showed up within %v", InitLimit)
	}
	return fmt.Sprintf("the canary was in phase %s, not %s, after %v", phase, event.PhaseInitialized, InitLimit)
}

func (t *runner) baseline(ctx context.Context, w cluster.World) error {
	t.enterStage(w, event.StageBaseline, "")
	if err := w.StartTraffic(ctx); err != nil {
		return fmt.Errorf("start the traffic: %w", err)
	}
	if _, err := w.Wait(ctx, w.Now()+t.spec.Scenario.Timing.Baseline, nil); err != nil {
		return fmt.Errorf("wait for the end of the baseline: %w", err)
	}
	return nil
}

// rollout releases the version and lasts to the horizon, so that the harm of different guardrails is counted over equal
// times.
func (t *runner) rollout(ctx context.Context, w cluster.World) error {
	t.enterStage(w, event.StageRollout, "")
	horizon := w.Now() + t.spec.Scenario.Timing.Horizon
	if err := w.Release(ctx); err != nil {
		return fmt.Errorf("release %s %s: %w", t.spec.Scenario.Release.Service, t.spec.Version, err)
	}
	if t.spec.Guardrails != nil {
		decided, err := w.Wait(ctx, horizon, func() bool { return terminal(w.Phase()) })
		if err != nil {
			return fmt.Errorf("wait for the rollout's end: %w", err)
		}
		if !decided {
			return nil
		}
		t.enterStage(w, event.StageSettle, "the canary is in phase "+w.Phase())
	}
	if _, err := w.Wait(ctx, horizon, nil); err != nil {
		return fmt.Errorf("wait for the horizon: %w", err)
	}
	return nil
}

func terminal(phase string) bool { return phase == event.PhaseSucceeded || phase == event.PhaseFailed }

func (t *runner) enterStage(w cluster.World, name, reason string) {
	t.record(w.Now(), event.Stage{Name: name, Reason: reason})
}

// record lets everything that happened before stand before the fact, though it may be of the same instant.
func (t *runner) record(at time.Duration, f event.Fact) {
	t.rec.Flush()
	t.rec.Record(at, runSource, f)
	t.rec.Flush()
}

func (t *runner) finish(ctx context.Context, err error) error {
	switch {
	case err != nil && ctx.Err() != nil:
		t.outcome, t.reason = event.OutcomeInterrupted, "the run was stopped"
		err = context.Cause(ctx)
	case err != nil:
		t.outcome, t.reason = event.OutcomeLabFault, err.Error()
		err = fmt.Errorf("%s %s with seed %d: %w", t.spec.Scenario.Name, t.spec.Version, t.spec.Seed, err)
	}
	t.record(t.at, event.RunEnded{Outcome: t.outcome, Reason: t.reason})
	return err
}
