// Package steps brings a lab up by named steps that can be resumed: each looks first whether it is done, and does what is left.
// What the steps are is data (see the steps of package kindlab); this package knows how a list of them is gone through, timed, told
// and stopped.
package steps

import (
	"context"
	"time"
)

// Step is one part of the way.
type Step struct {
	// Name is short and stays the same over versions: "cluster", "images", "gateway-api", "trust", "linkerd-crds", …
	Name string
	// Title says for people what is being done.
	Title string
	// Hint says what to do when the step fails, unless the error has a hint of its own.
	Hint string
	// Done tells whether nothing is left to do. It must not change anything. Nil is never.
	Done func(context.Context) (bool, error)
	// Do does what is left. It must bear being done twice, and being cut off anywhere. Say tells what goes on.
	Do func(ctx context.Context, say func(format string, args ...any)) error
}

// State of a step.
type State string

// States of a step.
const (
	Waiting     State = "waiting"
	Running     State = "running"
	Done        State = "done" // by this run
	AlreadyDone State = "kept" // was done before
	Failed      State = "failed"
	Stopped     State = "stopped" // cut off
)

// Progress tells of a step.
type Progress struct {
	Step  Step
	Index int
	State State
	Took  time.Duration
	// Note is the last that the step said.
	Note string
	Err  error
}
