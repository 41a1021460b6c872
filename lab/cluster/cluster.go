// Package cluster defines what a cluster does for a run: the contract that the sim and the kind cluster implement and that
// package conformance checks.
package cluster

import (
	"context"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
)

// Cluster is a place where rollouts happen.
type Cluster interface {
	// Describe says what plays the run, for the log.
	Describe() Description
	// Session makes a fresh world for a flight, calls story in it and takes the world down again. Facts that the world
	// observes go to the recorder. In virtual time, time passes only while the story waits. A session's error is the lab's fault, never the guardrails'.
	Session(ctx context.Context, f RunSpec, rec *event.Recorder, story func(context.Context, World) error) error
}

// Description names a cluster's parts.
type Description struct {
	Cluster, Mesh string
	Versions      map[string]string
}

// RunSpec is what a run is asked to play.
type RunSpec struct {
	Scenario *scenario.Scenario
	// Guardrails is nil for a run without any: the release goes straight to everyone.
	Guardrails *guardrail.Set
	// Version is the version of the released service.
	Version string
	Seed    uint64
	// ApproveAfter is when the gate /approve begins to say yes, counted from the release; negative means never.
	ApproveAfter time.Duration
}

// World is a cluster prepared for one flight. Its methods are called from the story's goroutine only.
type World interface {
	// Now is the time since the run's start.
	Now() time.Duration
	// Wait lets time pass until the given time since the run's start, or until the condition holds. It tells whether the
	// condition held. A nil condition only waits.
	Wait(ctx context.Context, until time.Duration, condition func() bool) (bool, error)
	// ApplyGuardrails creates the learner's objects.
	ApplyGuardrails(ctx context.Context) error
	// StartTraffic begins the plan of the flight's seed.
	StartTraffic(ctx context.Context) error
	// Release gives the flight's version to the released service.
	Release(ctx context.Context) error
	// Phase is the phase of the released service's canary, "" when there is none.
	Phase() string
	// StopTraffic ends the plan and records its totals.
	StopTraffic(ctx context.Context) error
}
