package main

import (
	"os"

	"github.com/spf13/cobra"

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
			// Standard output carries events; what anything else in the process prints must not stand between them.
			os.Stdout = os.Stderr
			return worker.Serve(cmd.Context(), env.In, env.Out, env.Cluster)
		},
	}
}

// newPlayer plays each run in a process of its own, or in this one where the program cannot find itself.
func newPlayer(env *Env) run.Player {
	path, err := os.Executable()
	if err != nil {
		return run.InProcess{Cluster: env.Cluster}
	}
	return worker.Player{Path: path, Args: []string{"coalmine", workerVerb}}
}
