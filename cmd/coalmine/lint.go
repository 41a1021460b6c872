package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/format"
	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/lint"
	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
	"coalmine/scenarios"
)

func newLintCommand(env *Env) *cobra.Command {
	var scenario string
	cmd := &cobra.Command{
		Use:   "lint DIR",
		Short: "Check guardrails without playing them",
		Long: "Check guardrails without playing them, one finding on a line. Errors end with exit code 2; warnings " +
			"do not prevent a run. Without --scenario, only what holds in every scenario is checked. With it, DIR " +
			"may be a variant of " +
			"the scenario.",
		Example: "coalmine lint full-rollout --scenario full-rollout",
		Args:    exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.lint(cmd.Context(), args[0], scenario)
		},
	}
	cmd.Flags().StringVar(&scenario, "scenario", "", "`SCENARIO` that the guardrails are for, by name or path")
	return cmd
}

func (env *Env) lint(ctx context.Context, dir, scenario string) error {
	if err := env.limitReader(false); err != nil {
		return err
	}
	set, err := env.check(ctx, dir, scenario)
	var findings guardrail.Errors
	if set != nil {
		for _, f := range set.Notes {
			fmt.Fprintln(env.Out, findingLine("note", trial.PrefixFinding(dir, f)))
		}
	}
	switch {
	case errors.As(err, &findings):
		for _, f := range findings {
			fmt.Fprintln(env.Out, findingLine("error", f))
		}
		fmt.Fprintln(env.Err, format.Plural(len(findings), "error"))
		return outcome(score.ExitInvalid)
	case err != nil:
		return err
	}
	warnings := lint.Check(set)
	for _, f := range warnings {
		fmt.Fprintln(env.Out, findingLine("warning", trial.PrefixFinding(dir, f)))
	}
	fmt.Fprintf(env.Err, "%s, %s\n", format.Plural(len(set.Objects), "object"), format.Plural(len(warnings), "warning"))
	return nil
}

func (env *Env) check(ctx context.Context, dir, scenario string) (*guardrail.Set, error) {
	if scenario != "" {
		src, err := env.openScenario(scenario)
		if err != nil {
			return nil, err
		}
		defer src.Close()
		set, _, err := src.LoadGuardrails(ctx, env.Dir, dir)
		return set, err
	}
	if _, err := os.Stat(env.path(dir)); err != nil {
		return nil, invalid("name a folder of manifests, or a variant of a scenario together with --scenario",
			"there are no guardrails %q", dir)
	}
	any, err := anyEnvironment()
	if err != nil {
		return nil, err
	}
	set, err := guardrail.Load(ctx, env.path(dir), any)
	return set, trial.PrefixFindings(env.path(dir), err)
}

// anyEnvironment has the services of every scenario of the library.
func anyEnvironment() (guardrail.Environment, error) {
	e := guardrail.Environment{Namespace: scenario.Namespace}
	all, err := scenario.List(scenarios.Library())
	for _, s := range all {
		e.VersionLabels = append(e.VersionLabels, guardrail.VersionLabels(s)...)
		for _, svc := range s.Services {
			if !slices.Contains(e.Targets, svc.Name) {
				e.Targets = append(e.Targets, svc.Name)
			}
		}
	}
	return e, err
}

// findingLine puts the place first, as compilers do, so that editors can jump there; the rule's
// name comes last.
func findingLine(severity string, f guardrail.Finding) string {
	place := f.Position.String() + ": "
	line := place + severity + ": " + strings.TrimPrefix(f.String(), place)
	if f.Rule != "" {
		line += " [" + f.Rule + "]"
	}
	return line
}
