package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"coalmine/lab/format"
	"coalmine/lab/guardrail"
	"coalmine/lab/run/trial"
	"coalmine/lab/verdict/score"
)

// adoptFlags are the options of adopt.
type adoptFlags struct {
	scenario, output string
	names            nameMap
}

func newAdoptCommand(env *Env) *cobra.Command {
	var f adoptFlags
	cmd := &cobra.Command{
		Use:   "adopt DIR --scenario SCENARIO",
		Short: "Adapt manifests to a scenario and show every edit",
		Long: "Adapt a copy of manifests to a scenario and print the differences, each edit with its reason: names, " +
			"namespaces and ports, and what is for another mesh or ingress than Linkerd (provider, gateways, hosts, " +
			"metrics). DIR stays as it is; with -o the copy is written.\n\n" +
			"Exit codes: 0 the copy can be played, 2 errors are left in it or DIR cannot be adapted.",
		Example: `coalmine adopt deploy --scenario full-rollout
coalmine adopt deploy --scenario full-rollout --map podinfo=backend -o adopted`,
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.scenario == "" {
				return usage(cmd, errors.New("--scenario is missing: name the scenario to which DIR is adapted"))
			}
			return env.adopt(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.scenario, "scenario", "", "`SCENARIO` that the copy is for, by name or path (required)")
	flags.StringVarP(&f.output, "output", "o", "", "write the copy to `OUT`, which must not exist")
	f.names.add(flags)
	return cmd
}

func (env *Env) adopt(ctx context.Context, dir string, f adoptFlags) error {
	if err := env.limitReader(false); err != nil {
		return err
	}
	src, err := env.openScenario(f.scenario)
	if err != nil {
		return err
	}
	defer src.Close()
	e := guardrail.EnvironmentOf(src.Scenario)
	e.Map = f.names
	files, err := guardrail.ReadFiles(ctx, env.path(dir))
	if err != nil {
		return trial.PrefixFindings(dir, err)
	}
	a, err := guardrail.Adopt(files, e)
	if err != nil {
		return trial.PrefixFindings(dir, err)
	}
	env.writeAdoption(files, a)
	if f.output != "" {
		if err := writeFolder(env.path(f.output), a.Files); err != nil {
			return err
		}
		fmt.Fprintf(env.Err, "Made %s\n", f.output)
	}
	for _, n := range a.Notes {
		fmt.Fprintln(env.Err, "note: "+trial.PrefixFinding(dir, n).String())
	}
	fmt.Fprintln(env.Err, "The copy checks what DIR checks, and has no gate that DIR does not have. To try a "+
		"rollback before users meet the canary, add a webhook for http://gate.coalmine/rollback-drill: "+
		"docs/guardrails.md, Gates.")
	e.Map = nil
	_, err = guardrail.Parse(a.Files, e)
	var left guardrail.Errors
	if errors.As(err, &left) {
		fmt.Fprintf(env.Err, "%s left in the copy:\n%s\n", format.Plural(len(left), "error"), left.Error())
		return outcome(score.ExitInvalid)
	}
	return err
}

// writeAdoption prints each edit with its reason, and the differences of the files.
func (env *Env) writeAdoption(files map[string][]byte, a *guardrail.Adoption) {
	for _, name := range slices.Sorted(maps.Keys(a.Files)) {
		for _, e := range a.Edits {
			if e.File == name {
				fmt.Fprintln(env.Out, "# "+adoptionLine(e))
			}
		}
		old, now := "a/"+name, "b/"+name
		if _, exists := files[name]; !exists {
			old = "/dev/null"
			fmt.Fprintf(env.Out, "# %s: new: %s\n", name, a.Added[name])
		}
		env.Out.Write(diff.Diff(old, files[name], now, a.Files[name]))
	}
	fmt.Fprintf(env.Err, "%s\n", format.Plural(len(a.Edits), "edit"))
}

// adoptionLine formats an edit as file:line: field: old → new (reason).
func adoptionLine(e guardrail.AdoptionEdit) string {
	short := func(s string) string { return guardrail.Clip(strings.Join(strings.Fields(s), " ")) }
	what := short(e.Old) + " → " + short(e.New)
	switch {
	case e.Old == "":
		what = "added " + short(e.New)
	case e.New == "":
		what = "removed " + short(e.Old)
	}
	return fmt.Sprintf("%s: %s: %s (%s)", e.Position, e.Field, what, e.Reason)
}
