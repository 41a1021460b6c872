package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/format"
	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/findings"
	"coalmine/lab/guardrail/source"
	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
	"coalmine/lab/verdict/score"
)

// lintOptions are the flags of lint.
type lintOptions struct {
	scenario string
	rps      float64
	format   string
	failOn   string
	names    nameMap
	reader   readerFlags
}

func newLintCommand(env *Env) *cobra.Command {
	var o lintOptions
	cmd := &cobra.Command{
		Use:   "lint DIR",
		Short: "Check guardrails without playing them",
		Long: "Check guardrails without playing them, one finding on a line. Findings as bad as --fail-on end with " +
			"exit code 2. Without --scenario, only what holds in every scenario is checked. With it, DIR " +
			"may be a variant of the scenario. docs/lint.md describes the rules.\n\n" +
			"DIR is a folder, a file, or - for standard input. A Kustomization is built, without anything remote " +
			"and without plugins. A Helm chart is rendered with --helm-values.",
		Example: "coalmine lint full-rollout --scenario full-rollout\ncoalmine lint deploy --format sarif\n" +
			"kubectl kustomize overlays/production | coalmine lint -",
		Args: exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.lint(cmd.Context(), args[0], o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.scenario, "scenario", "", "`SCENARIO` that the guardrails are for, by name or path")
	flags.Float64Var(&o.rps, "rps", 0, "requests per second of the released service, for rules about traffic")
	flags.StringVar(&o.format, "format", "text", "`FORMAT`: "+strings.Join(findings.Formats(), ", "))
	o.names.add(flags)
	o.reader.add(flags)
	flags.StringVar(&o.failOn, "fail-on", "error", "least `SEVERITY` that fails: error, warning or note")
	return cmd
}

func (env *Env) lint(ctx context.Context, dir string, o lintOptions) error {
	limit, ok := findings.Severity(o.failOn)
	switch {
	case !ok:
		return invalid("write error, warning or note", "there is no severity %q", o.failOn)
	case !slices.Contains(findings.Formats(), o.format):
		return invalid("write one of "+strings.Join(findings.Formats(), ", "), "there is no format %q", o.format)
	case !(o.rps >= 0):
		return invalid("write a number above 0", "--rps %v is not a rate", o.rps)
	}
	if err := env.limitReader(false); err != nil {
		return err
	}
	reader, err := o.reader.options(env)
	if err != nil {
		return err
	}
	set, err := env.check(ctx, dir, o, reader)
	var wrong guardrail.Errors
	if err != nil && !errors.As(err, &wrong) {
		return err
	}
	if set != nil {
		set.Environment.Now = env.Now()
		if o.rps > 0 {
			set.Environment.Rates = rates(set.Environment, o.rps)
		}
	}
	r := findings.New(set, wrong, func(f guardrail.Finding) guardrail.Finding {
		return trial.PrefixFinding(source.Folder(dir), f)
	})
	if err := r.Write(env.Out, o.format, env.Version); err != nil {
		return err
	}
	fmt.Fprintln(env.Err, summary(r))
	if r.Fails(limit) {
		return outcome(score.ExitInvalid)
	}
	return nil
}

// summary counts what was checked and found.
func summary(r findings.Report) string {
	parts := []string{format.Plural(r.Objects, "object")}
	for _, s := range []guardrail.Severity{guardrail.SeverityError, guardrail.SeverityWarning, guardrail.SeverityNote} {
		if n := r.Count(s); n > 0 || s == guardrail.SeverityWarning {
			parts = append(parts, format.Plural(n, s.String()))
		}
	}
	if n := len(r.Findings) - len(r.Active()); n > 0 {
		parts = append(parts, fmt.Sprintf("%d suppressed", n))
	}
	return strings.Join(parts, ", ")
}

// rates returns the traffic of the environment, with a rate for the service that is released or, if
// that is not known, for any.
func rates(e guardrail.Environment, rps float64) map[string]float64 {
	all := maps.Clone(e.Rates)
	if all == nil {
		all = map[string]float64{}
	}
	for _, target := range e.Targets {
		if e.ReleaseTarget == "" || e.ReleaseTarget == target {
			all[target] = rps
		}
	}
	return all
}

// check reads the manifests in the environment of the scenario, or of none. With errors of type
// [guardrail.Errors] it returns the set as far as it was read.
func (env *Env) check(ctx context.Context, dir string, o lintOptions, reader source.Options) (*guardrail.Set, error) {
	if o.scenario != "" {
		src, err := env.openScenario(o.scenario)
		if err != nil {
			return nil, err
		}
		defer src.Close()
		src.Map, src.Reader = o.names, reader
		set, _, err := src.LoadGuardrails(ctx, env.Dir, dir)
		return set, err
	}
	path := dir
	if dir != source.Stdin {
		path = env.path(dir)
	}
	if _, err := os.Stat(path); err != nil && dir != source.Stdin {
		return nil, invalid("name a folder of manifests, or a variant of a scenario together with --scenario",
			"there are no guardrails %q", dir)
	}
	any, err := env.anyEnvironment()
	if err != nil {
		return nil, err
	}
	any.Map = o.names
	set, err := source.Load(ctx, path, any, reader)
	return set, trial.PrefixFindings(source.Folder(path), err)
}

// anyEnvironment has the services of every scenario that can be named.
func (env *Env) anyEnvironment() (guardrail.Environment, error) {
	e := guardrail.Environment{Namespace: scenario.Namespace}
	all, err := env.listScenarios()
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
