package main

import (
	"strings"

	"github.com/spf13/cobra"

	"coalmine/cmd/internal/cli"
	"coalmine/cmd/internal/podcmd"
	"coalmine/lab/scenario"
)

func newRootCommand(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "coalmine",
		Short: "A flight simulator for progressive delivery",
		Long: "A flight simulator for progressive delivery: write ordinary Flagger and Linkerd manifests, play an " +
			"incident against them, and see whether they would have saved the users. On a terminal, coalmine alone " +
			"shows the " +
			"scenarios and guides you through them.",
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
		// Two letters in the wrong order are a distance of two.
		SuggestionsMinimumDistance: 2,
	}
	root.SetFlagErrorFunc(usage)
	env.setHelp(root)
	root.AddCommand(env.verbs()...)
	env.addScenarioFolders(root)
	env.setCompletion(root)
	return root
}

// verbs are the commands in the order of the help.
func (env *Env) verbs() []*cobra.Command {
	pods := env.pods()
	return []*cobra.Command{
		newListCommand(env),
		newShowCommand(env),
		newStartCommand(env),
		newScenarioCommand(env),
		newLearnCommand(env),
		newQuizCommand(env),
		newLintCommand(env),
		newAdoptCommand(env),
		newRunCommand(env),
		newReplayCommand(env),
		newReportCommand(env),
		newVerifyCommand(env),
		newCompareCommand(env),
		newEvidenceCommand(env),
		newGradeCommand(env),
		newCheckStepCommand(env),
		podcmd.NewApp(pods),
		newLoadCommand(env),
		newUpCommand(env),
		newStatusCommand(env),
		newCheckCommand(env),
		newDownCommand(env),
		newBundleCommand(env),
		newExportCommand(env),
		newVersionCommand(env),
		newManCommand(env),
		newWorkerCommand(env),
		newGradeWorkerCommand(env), newGradePodCommand(env),
		podcmd.NewAgent(pods),
		podcmd.NewTraffic(pods),
	}
}

// pods is what the commands take that run in the lab's pods, too.
func (env *Env) pods() *podcmd.Env {
	return &podcmd.Env{
		Out: env.Out, Err: env.Err, Getenv: env.Getenv, Path: env.path,
		Scenario: func(name string) (*scenario.Scenario, error) {
			src, err := env.openScenario(name)
			if err != nil {
				return nil, err
			}
			return src.Scenario, src.Close()
		},
	}
}

// unknownVerb rejects arguments that are not a verb.
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

// exactly requires the named arguments.
func exactly(names ...string) cobra.PositionalArgs { return cli.Exactly(names...) }

// between requires the first least of the named arguments and allows the others.
func between(least int, names ...string) cobra.PositionalArgs { return cli.Between(least, names...) }
