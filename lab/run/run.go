// Package run plays runs on any cluster: prepare, apply the guardrails, start the traffic, release
// a version, watch until the horizon. Every step is recorded as an event.
package run

import (
	"context"
	"fmt"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
)

// InitLimit returns how long Flagger may take to bring the released service's canary to phase
// Initialized. Flagger needs two control loops, which are an analysis interval apart, and the
// primary's pods for that; after another loop and at least five minutes it is stuck.
func InitLimit(spec cluster.RunSpec) time.Duration {
	const least, pods, loops = 5 * time.Minute, 2 * time.Minute, 3
	if spec.Guardrails == nil {
		return least
	}
	c := spec.Guardrails.CanaryFor(spec.Scenario.Release.Service)
	if c == nil || c.GetAnalysis() == nil {
		return least
	}
	return max(least, pods+loops*c.GetAnalysisInterval())
}

// runSource is the source of the facts that the runner records. It sorts before the sources of a
// cluster.
const runSource = ""

// Play plays one run on a cluster and passes every event to sink, in order and from one goroutine
// at a time.
//
// The last event is always a RunEnded, unless the process dies. Guardrails that never become ready
// are an outcome, not an error. If ctx ends, the error is its cause; any other error is a fault of
// the lab.
func Play(ctx context.Context, c cluster.Cluster, spec cluster.RunSpec, sink func(event.Event)) error {
	r := &runner{spec: spec, rec: event.NewRecorder(sink), outcome: event.OutcomeCompleted}
	r.record(0, started(c.Describe(), spec))
	err := c.Session(ctx, spec, r.rec, r.play)
	return r.finish(ctx, err)
}

func started(d cluster.Description, spec cluster.RunSpec) event.RunStarted {
	s := spec.Scenario
	var baseline string
	if svc := s.Released(); svc != nil {
		baseline = svc.Baseline
	}
	return event.RunStarted{
		Format:   event.Format,
		Scenario: s.Name,
		Service:  s.Release.Service,
		Version:  spec.Version,
		Baseline: baseline,
		Role:     s.Role(spec.Version),
		Seed:     spec.Seed,
		Cluster:  d.Cluster,
		Mesh:     d.Mesh,
		Guarded:  spec.Guardrails != nil,
		Versions: d.Versions,

		ScenarioDigest:   s.Digest(),
		GuardrailsDigest: spec.Guardrails.Digest(),
		Drawn:            s.Drawn,
	}
}

// runner plays one run.
type runner struct {
	spec    cluster.RunSpec
	rec     *event.Recorder
	outcome string
	reason  string
	// at is the time of the closing event.
	at time.Duration
}

func (r *runner) play(ctx context.Context, w cluster.World) error {
	defer func() { r.at = w.Now() }()
	ready, err := r.prepare(ctx, w)
	if err != nil || !ready {
		return err
	}
	if err := r.baseline(ctx, w); err != nil {
		return err
	}
	if err := r.rollout(ctx, w); err != nil {
		return err
	}
	if err := w.StopTraffic(ctx); err != nil {
		return fmt.Errorf("stop the traffic: %w", err)
	}
	return nil
}

// prepare applies the guardrails and reports whether the canary was initialized.
func (r *runner) prepare(ctx context.Context, w cluster.World) (bool, error) {
	r.enterStage(w, event.StagePrepare, "")
	if r.spec.Guardrails == nil {
		return true, nil
	}
	if err := w.ApplyGuardrails(ctx); err != nil {
		return false, fmt.Errorf("apply the guardrails: %w", err)
	}
	limit := InitLimit(r.spec)
	ready, err := w.Wait(ctx, w.Now()+limit, func() bool { return w.Phase() == event.PhaseInitialized })
	if err != nil {
		return false, fmt.Errorf("wait for the canary to be initialized: %w", err)
	}
	if !ready {
		r.outcome = event.OutcomeNotReady
		r.reason = notReady(w.Phase(), limit)
	}
	return ready, nil
}

func notReady(phase string, limit time.Duration) string {
	if phase == "" {
		return fmt.Sprintf("no canary showed up within %v", limit)
	}
	return fmt.Sprintf("the canary was in phase %s, not %s, after %v", phase, event.PhaseInitialized, limit)
}

func (r *runner) baseline(ctx context.Context, w cluster.World) error {
	r.enterStage(w, event.StageBaseline, "")
	if err := w.StartTraffic(ctx); err != nil {
		return fmt.Errorf("start the traffic: %w", err)
	}
	if _, err := w.Wait(ctx, w.Now()+r.spec.Scenario.Timing.Baseline, nil); err != nil {
		return fmt.Errorf("wait for the end of the baseline: %w", err)
	}
	return nil
}

// rollout releases the version and continues to the horizon, so that the harm of different
// guardrails is counted over equal times.
func (r *runner) rollout(ctx context.Context, w cluster.World) error {
	r.enterStage(w, event.StageRollout, "")
	horizon := w.Now() + r.spec.Scenario.Timing.Horizon
	if err := w.Release(ctx); err != nil {
		return fmt.Errorf("release %s %s: %w", r.spec.Scenario.Release.Service, r.spec.Version, err)
	}
	if r.spec.Guardrails != nil {
		decided, err := w.Wait(ctx, horizon, func() bool { return terminal(w.Phase()) })
		if err != nil {
			return fmt.Errorf("wait for the rollout's end: %w", err)
		}
		if !decided {
			return nil
		}
		r.enterStage(w, event.StageSettle, "the canary is in phase "+w.Phase())
	}
	if _, err := w.Wait(ctx, horizon, nil); err != nil {
		return fmt.Errorf("wait for the horizon: %w", err)
	}
	return nil
}

func terminal(phase string) bool { return phase == event.PhaseSucceeded || phase == event.PhaseFailed }

func (r *runner) enterStage(w cluster.World, name, reason string) {
	r.record(w.Now(), event.Stage{Name: name, Reason: reason})
}

// record flushes pending facts first, so that f sorts after them even at the same instant.
func (r *runner) record(at time.Duration, f event.Fact) {
	r.rec.Flush()
	r.rec.Record(at, runSource, f)
	r.rec.Flush()
}

func (r *runner) finish(ctx context.Context, err error) error {
	switch {
	case err != nil && ctx.Err() != nil:
		r.outcome, r.reason = event.OutcomeInterrupted, "the run was stopped"
		err = context.Cause(ctx)
	case err != nil:
		r.outcome, r.reason = event.OutcomeLabFault, err.Error()
		err = fmt.Errorf("%s %s with seed %d: %w", r.spec.Scenario.Name, r.spec.Version, r.spec.Seed, err)
	}
	r.record(r.at, event.RunEnded{Outcome: r.outcome, Reason: r.reason})
	return err
}
