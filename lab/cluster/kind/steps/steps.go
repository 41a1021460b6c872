// Package steps runs named steps that can be resumed: each step first checks whether it is done.
// What the steps do is data (see package install); this package runs a list of them in order, with
// timing, progress and cancellation.
package steps

import (
	"context"
	"time"
)

// Step is one step.
type Step struct {
	// Name is short and does not change between versions: "cluster", "images", "gateway-api",
	// "trust", "linkerd-crds", …
	Name string
	// Title describes the step for the user.
	Title string
	// Hint says what to do if the step fails, unless the error has its own hint.
	Hint string
	// Done reports whether nothing is left to do. It must not change anything. Nil means never.
	Done func(context.Context) (bool, error)
	// Do does the rest of the work. It must be safe to repeat and to interrupt anywhere. Say
	// reports progress.
	Do func(ctx context.Context, say func(format string, args ...any)) error
}

// State of a step.
type State string

// States of a step.
const (
	Waiting     State = "waiting"
	Running     State = "running"
	Done        State = "done" // by this call
	AlreadyDone State = "kept" // was done before
	Failed      State = "failed"
	Stopped     State = "stopped" // interrupted
)

// Progress describes the state of a step.
type Progress struct {
	Step  Step
	Index int
	State State
	Took  time.Duration
	// Note is the last message of the step.
	Note string
	Err  error
}
