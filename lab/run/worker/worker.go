// Package worker plays flights in processes of their own. Guardrails are hostile input: a query that eats memory, or a loop
// that stops virtual time, then ends one process with limits, and not the program that has other runs to play.
//
// A worker is this program started anew with a hidden verb: it reads one job from standard input and writes the run's events
// to standard output. The package knows the protocol, not which cluster the worker plays on.
package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/run"
	"coalmine/lab/scenario"
)

// maxJob bounds a job: the limits of scenarios and guardrails lie far below it.
const maxJob = 64 << 20

// job is a flight on its way to a worker.
type job struct {
	Scenario *scenario.Scenario
	// Guarded tells a run with an empty set of guardrails from one without any.
	Guarded      bool
	Guardrails   map[string][]byte
	Version      string
	Seed         uint64
	ApproveAfter time.Duration
}

func newJob(f cluster.RunSpec) job {
	j := job{Scenario: f.Scenario, Version: f.Version, Seed: f.Seed, ApproveAfter: f.ApproveAfter}
	if f.Guardrails != nil {
		j.Guarded, j.Guardrails = true, f.Guardrails.Files
	}
	return j
}

// runSpec checks the guardrails again, and reads the log that traffic replays: a worker trusts nobody.
func (j job) runSpec() (cluster.RunSpec, error) {
	f := cluster.RunSpec{Scenario: j.Scenario, Version: j.Version, Seed: j.Seed, ApproveAfter: j.ApproveAfter}
	if j.Scenario == nil {
		return f, errors.New("the job has no scenario")
	}
	if err := j.Scenario.ReadLog(); err != nil {
		return f, err
	}
	if !j.Guarded {
		return f, nil
	}
	set, err := guardrail.Parse(j.Guardrails, guardrail.EnvironmentOf(j.Scenario))
	f.Guardrails = set
	return f, err
}

// Serve plays the job that stands in the input and writes its events, as JSON lines, to the output. It sets the process's
// limits first. A run is one thread of work, so one processor does it with the least waking of others.
func Serve(ctx context.Context, in io.Reader, out io.Writer, c cluster.Cluster) error {
	if err := limitProcess(); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	runtime.GOMAXPROCS(1)
	var j job
	d := json.NewDecoder(io.LimitReader(in, maxJob))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return fmt.Errorf("worker: the job is not readable: %w", err)
	}
	f, err := j.runSpec()
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	w := event.NewWriter(out)
	err = run.Play(ctx, c, f, w.Write)
	return errors.Join(err, w.Close())
}
