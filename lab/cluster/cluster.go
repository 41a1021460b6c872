// Package cluster defines what a cluster does for a run: the contract that the sim and the kind
// cluster implement and that package conformance tests.
package cluster

import (
	"context"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
)

// Cluster is an environment in which rollouts happen.
type Cluster interface {
	// Describe describes the cluster, for the log.
	Describe() Description
	// Session creates a new world for a run, calls play with it and deletes the world. Facts that
	// the world observes go to the recorder. In virtual time, time passes only while play waits. An
	// error is a fault of the lab, never of the guardrails.
	Session(ctx context.Context, spec RunSpec, rec *event.Recorder, play func(context.Context, World) error) error
}

// Description names a cluster and the versions of its components.
type Description struct {
	Cluster, Mesh string
	Versions      map[string]string
}

// RunSpec is what a run is asked to play.
type RunSpec struct {
	Scenario *scenario.Scenario
	// Guardrails is nil for an unguarded run: the release goes to all users at once.
	Guardrails *guardrail.Set
	// Version is the version of the released service.
	Version string
	Seed    uint64
	// ApproveAfter is when the gate /approve starts to pass, counted from the release; negative
	// means never.
	ApproveAfter time.Duration
}

// World is a cluster prepared for one run. Its methods are called from one goroutine only.
type World interface {
	// Now returns the time since the run's start.
	Now() time.Duration
	// Wait waits until the given time since the run's start, or until the condition holds. It
	// reports whether the condition held. A nil condition never holds.
	Wait(ctx context.Context, until time.Duration, condition func() bool) (bool, error)
	// ApplyGuardrails creates the learner's objects.
	ApplyGuardrails(ctx context.Context) error
	// StartTraffic starts the plan of the run's seed.
	StartTraffic(ctx context.Context) error
	// Release deploys the run's version of the released service.
	Release(ctx context.Context) error
	// Phase returns the phase of the released service's canary, or "" if there is none.
	Phase() string
	// StopTraffic stops the plan and records its totals.
	StopTraffic(ctx context.Context) error
}
