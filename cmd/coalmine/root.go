package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newRootCommand(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "coalmine",
		Short: "A flight simulator for progressive delivery",
		Long: "A flight simulator for progressive delivery: write ordinary Flagger and Linkerd manifests, play an incident against " +
			"them, and see whether they would have saved the users. On a terminal, coalmine alone shows the scenarios and leads through them.",
		Version:       env.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Example: `coalmine
coalmine list
coalmine start full-rollout
coalmine run full-rollout --guardrails full-rollout`,
		Args: unknownVerb,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if env.onTerminal() {
				return env.home(cmd.Context())
			}
			return cmd.Help()
		},
		// One pair of letters in the wrong order is a distance of two.
		SuggestionsMinimumDistance: 2,
	}
	root.SetFlagErrorFunc(usage)
	env.setHelp(root)
	root.AddCommand(
		newListCommand(env),
		newShowCommand(env),
		newStartCommand(env),
		newLintCommand(env),
		newRunCommand(env),
		newReplayCommand(env),
		newReportCommand(env),
		newAppCommand(env),
		newLoadCommand(env),
		newUpCommand(env),
		newStatusCommand(env),
		newCheckCommand(env),
		newDownCommand(env),
		newBundleCommand(env),
		newVersionCommand(env),
		newWorkerCommand(env),
		newAgentCommand(env),
		newTrafficCommand(env),
	)
	return root
}

// unknownVerb refuses arguments that are no verb.
func unknownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see coalmine --help for all verbs"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return invalid(hint, "there is no verb %q", args[0])
}

// exactly asks for arguments by their names.
func exactly(names ...string) cobra.PositionalArgs { return between(len(names), names...) }

// between asks for at least the first arguments of the named ones.
func between(least int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least {
			return usage(cmd, fmt.Errorf("%s is missing", names[len(args)]))
		}
		if len(args) > len(names) {
			return usage(cmd, fmt.Errorf("%q is one argument too many", args[len(names)]))
		}
		return nil
	}
}
