// Package worker plays runs in separate processes. Guardrails are untrusted input: a query that
// exhausts memory, or a loop that stops virtual time, then ends one process with resource limits
// instead of the program.
//
// A worker is the same program, started with a hidden verb: it reads one job from standard input
// and writes the run's events to standard output. The caller chooses the cluster that the worker
// uses.
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

// maxJob limits the size of a job. The limits of scenarios and guardrails are far below it.
const maxJob = 64 << 20

// job is the JSON form of a run spec that is sent to a worker.
type job struct {
	Scenario *scenario.Scenario
	// Guarded distinguishes an empty set of guardrails from an unguarded run.
	Guarded      bool
	Guardrails   map[string][]byte
	Version      string
	Seed         uint64
	ApproveAfter time.Duration
}

func newJob(spec cluster.RunSpec) job {
	j := job{Scenario: spec.Scenario, Version: spec.Version, Seed: spec.Seed, ApproveAfter: spec.ApproveAfter}
	if spec.Guardrails != nil {
		j.Guarded, j.Guardrails = true, spec.Guardrails.Files
	}
	return j
}

// runSpec validates the guardrails again and parses the log that the traffic replays.
func (j job) runSpec() (cluster.RunSpec, error) {
	spec := cluster.RunSpec{Scenario: j.Scenario, Version: j.Version, Seed: j.Seed, ApproveAfter: j.ApproveAfter}
	if j.Scenario == nil {
		return spec, errors.New("the job has no scenario")
	}
	if err := j.Scenario.ReadLog(); err != nil {
		return spec, err
	}
	if !j.Guarded {
		return spec, nil
	}
	set, err := guardrail.Parse(j.Guardrails, guardrail.EnvironmentOf(j.Scenario))
	spec.Guardrails = set
	return spec, err
}

// Serve plays the job that it reads from in and writes its events, as JSON lines, to out. It first
// limits the resources of the process. A run has no parallelism, so GOMAXPROCS is set to 1.
func Serve(ctx context.Context, in io.Reader, out io.Writer, c cluster.Cluster) error {
	if err := limitProcess(); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	runtime.GOMAXPROCS(1)
	var j job
	d := json.NewDecoder(io.LimitReader(in, maxJob))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return fmt.Errorf("worker: decode the job: %w", err)
	}
	spec, err := j.runSpec()
	if err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	w := event.NewWriter(out)
	err = run.Play(ctx, c, spec, w.Write)
	return errors.Join(err, w.Close())
}

// GCPercent lets the heap of a run, which is small, grow between collections: it takes some percent
// less CPU time. Near the limit of the memory the collector does not wait for it.
const GCPercent = 300
