package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/run/folder"
	"coalmine/lab/scenario"
	"coalmine/lab/teaching/authoring"
	"coalmine/lab/verdict/score"
	"coalmine/scenarios"
)

func newScenarioCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scenario",
		Short: "Write a scenario of your own",
		Long: "Write a scenario of your own: start from one that works, change it, and check what learners and " +
			"instructors rely on. docs/authoring.md is the guide. Other verbs take a scenario by the path of its " +
			"folder, or by its name with --scenarios or $" + scenariosVariable + ".",
		Example: `coalmine scenario new my-scenarios/late-orders
coalmine scenario check my-scenarios/late-orders
coalmine list --scenarios my-scenarios`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newScenarioNewCommand(env), newScenarioCheckCommand(env), newScenarioSchemaCommand(env))
	return cmd
}

func newScenarioNewCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "new DIR",
		Short: "Write a scenario that works, to start from",
		Long: "Write a scenario that works, to start from. DIR must not exist; the scenario has the name of its last " +
			"element.",
		Example: "coalmine scenario new my-scenarios/late-orders",
		Args:    exactly("DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := args[0]
			name, err := filepath.Abs(env.path(dir))
			if err != nil {
				return err
			}
			files, err := authoring.Scaffold(filepath.Base(name))
			if err != nil {
				return err
			}
			if err := writeFolder(env.path(dir), files); err != nil {
				return err
			}
			_, err = fmt.Fprintf(env.Out, "Made %s with %d files. Edit %s first, then check it with: "+
				"coalmine scenario check %s\n", dir, len(files), filepath.Join(dir, scenario.FileScenario), quoted(dir))
			return err
		},
	}
}

// checkFlags are the options of scenario check.
type checkFlags struct {
	seeds, margin int
	asJSON        bool
}

func newScenarioCheckCommand(env *Env) *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Check a scenario: texts, quiz, labels, and that it can be solved",
		Long: "Check a scenario, with a line for each check and what to do about a failed one: texts, hints and " +
			"sources exist; the quiz cannot be guessed; no label tells the faulty version from the healthy one; " +
			"the solution passes and the naive guardrails miss on 20 seeds, each with parameters that it draws, by " +
			"a margin of points. DIR may also be the name of a scenario.\n\n" +
			"Exit codes: 0 all checks passed, 3 one failed, 2 the scenario is not valid, 1 the lab failed, 5 " +
			"interrupted.",
		Example: `coalmine scenario check my-scenarios/late-orders
coalmine scenario check my-scenarios/late-orders --seeds 0   # only what needs no run`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.seeds < 0 || f.seeds > folder.MaxCheckSeeds {
				return usage(cmd, fmt.Errorf("--seeds is %d: write 0 to %d", f.seeds, folder.MaxCheckSeeds))
			}
			return env.checkScenario(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&f.seeds, "seeds", defaultCheckSeeds, "play `N` seeds; 0 plays none and proves nothing")
	flags.IntVar(&f.margin, "margin", 20, "ask for `N` points between the solution and the naive guardrails")
	jsonFlag(cmd, &f.asJSON)
	return cmd
}

func (env *Env) checkScenario(ctx context.Context, dir string, f checkFlags) error {
	if err := env.limitReader(false); err != nil {
		return err
	}
	src, err := env.openScenario(dir)
	if err != nil {
		return err
	}
	defer src.Close()
	report, err := authoring.Check(ctx, src, dir, authoring.Options{Seeds: f.seeds, Margin: f.margin,
		Player: env.Player, Workers: env.Workers})
	if err != nil {
		return err
	}
	if f.asJSON {
		err = writeJSON(env.Out, report)
	} else {
		err = report.Text(env.Out)
	}
	if err == nil && !report.Passed() {
		err = exitWith(score.ExitMissed)
	}
	return err
}

func newScenarioSchemaCommand(env *Env) *cobra.Command {
	schemas := scenarios.Schemas()
	kinds := slices.Sorted(maps.Keys(schemas))
	return &cobra.Command{
		Use:   "schema [KIND]",
		Short: "Print the JSON schema of a file, or write all of them",
		Long: "Print the JSON schema of a kind of file: " + strings.Join(kinds, ", ") + ". Editors with a YAML " +
			"language server complete and check files by it.",
		Example: `coalmine scenario schema > scenario.schema.json
coalmine scenario schema quiz > quiz.schema.json`,
		Args:      between(0, "KIND"),
		ValidArgs: kinds,
		RunE: func(_ *cobra.Command, args []string) error {
			kind := "scenario"
			if len(args) > 0 {
				kind = args[0]
			}
			schema, ok := schemas[kind]
			if !ok {
				return invalid("write one of "+strings.Join(kinds, ", "), "there is no schema of %q", kind)
			}
			_, err := env.Out.Write(schema)
			return err
		},
	}
}
