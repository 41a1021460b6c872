// Command testmesh is the test mesh of the end-to-end tests: see package testmesh. Its subcommands
// control, proxy and init run in pods, and bundle makes the bundle that `coalmine up --bundle`
// installs the mesh from.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newRootCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "testmesh: "+err.Error())
		os.Exit(1)
	}
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "testmesh",
		Short:         "A small service mesh for coalmine's end-to-end tests",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newBundleCommand(), newControlCommand(), newInitCommand(), newProxyCommand())
	return root
}
