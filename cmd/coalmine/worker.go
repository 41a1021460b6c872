package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/run"
	"coalmine/lab/run/worker"
)

// workerVerb is how the program calls itself to play one run; see package worker.
const workerVerb = "worker"

func newWorkerCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:    workerVerb,
		Short:  "Play the run that standard input asks for (the program calls this itself)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Standard output carries events; what anything else in the process prints must not
			// stand between them.
			os.Stdout = os.Stderr
			return worker.Serve(cmd.Context(), env.In, env.raw(), env.Cluster)
		},
	}
}

// selfPath is this program on Linux, even if another file was put in its place.
const selfPath = "/proc/self/exe"

// newPlayer returns a player that plays each run in a process of its own. Guardrails of others are
// never played in this process: it has no limits.
func newPlayer() run.Player {
	path, err := programPath()
	if err != nil {
		return noPlayer{fmt.Errorf("cannot find the program to start a worker: %w; call it by its path", err)}
	}
	return worker.Player{Path: path, Args: []string{"coalmine", workerVerb}}
}

// programPath finds this program also where /proc is not mounted.
func programPath() (string, error) {
	if _, err := os.Stat(selfPath); err == nil {
		return selfPath, nil
	}
	if path, err := os.Executable(); err == nil {
		return path, nil
	}
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// noPlayer plays nothing.
type noPlayer struct{ err error }

// Play implements [run.Player].
func (p noPlayer) Play(context.Context, cluster.RunSpec, func(event.Event)) error { return p.err }
