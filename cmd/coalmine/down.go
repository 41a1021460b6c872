package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/kind/kindcluster"
)

func newDownCommand(env *Env) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Delete a cluster created by up, complete or not",
		Long: "Delete a cluster created by coalmine up, complete or not: its containers with their volumes, its " +
			"context in the kubeconfig, and kind's Docker network, if coalmine created it and nothing else uses it. " +
			"Images stay in Docker, so that the next up is fast. Clusters that coalmine did not create are left " +
			"alone.\n\n" +
			"Exit codes: 0 nothing is left, 1 the cluster could not be deleted, 2 invalid input.",
		Example: `coalmine down
coalmine down --name second`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkCluster(name); err != nil {
				return err
			}
			return env.down(cmd.Context(), name)
		},
	}
	clusterFlag(cmd, &name)
	return cmd
}

func (env *Env) down(ctx context.Context, name string) error {
	c := kindcluster.New(name)
	unlock, err := c.Lock()
	if err != nil {
		return clusterError(err)
	}
	defer unlock()
	removed, err := c.Delete(ctx)
	writeRemoved(env.Out, removed)
	if err == nil && removed.Empty() {
		fmt.Fprintf(env.Out, "there is no cluster %s\n", name)
	}
	return clusterError(err)
}

func writeRemoved(w io.Writer, r kindcluster.Removed) {
	for _, c := range r.Containers {
		fmt.Fprintln(w, "deleted container", c)
	}
	if r.Network {
		fmt.Fprintln(w, "deleted Docker network kind")
	}
	if r.Context != "" {
		fmt.Fprintln(w, "deleted context", r.Context)
	}
}
