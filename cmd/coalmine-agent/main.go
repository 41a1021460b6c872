// Command coalmine-agent is the program of the lab's pods in a kind cluster: the agent, the traffic
// pods and the demo services. The Makefile embeds it into coalmine, which puts it into an image.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"coalmine/cmd/internal/cli"
	"coalmine/cmd/internal/podcmd"
	"coalmine/lab/input"
	"coalmine/lab/scenario"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	var code cli.ExitCode
	if err != nil && !errors.As(err, &code) {
		fmt.Fprintln(os.Stderr, "coalmine-agent: "+err.Error())
	}
	os.Exit(exitCode(err))
}

func newRootCommand() *cobra.Command {
	env := &podcmd.Env{
		Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv,
		Path:     func(name string) string { return name },
		Scenario: loadScenario,
	}
	root := &cobra.Command{
		Use:           "coalmine-agent",
		Short:         "The program of the lab's pods; coalmine starts it",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(podcmd.NewAgent(env), podcmd.NewTraffic(env), podcmd.NewApp(env))
	return root
}

// loadScenario loads the scenario in a folder, which a pod mounts.
func loadScenario(dir string) (*scenario.Scenario, error) {
	folder, err := scenario.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	s, err := folder.Load()
	return s, errors.Join(err, folder.Close())
}

// exitCode returns the code of coalmine for the same error.
func exitCode(err error) int {
	var code cli.ExitCode
	var input *input.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &input):
		return 2
	}
	return 1
}
