package main

import (
	"context"

	"github.com/spf13/cobra"

	"coalmine/lab/input"
	"coalmine/lab/loadtest"
	loadreport "coalmine/lab/report/load"
	"coalmine/lab/verdict/objective"
	"coalmine/loadgen"
	"coalmine/loadgen/results"
)

func newLoadMergeCommand(env *Env) *cobra.Command {
	var incomplete bool
	var f loadFormat
	var o loadtest.Options
	cmd := &cobra.Command{
		Use:   "merge FILE...",
		Short: "Add up the results of shards",
		Long: "Add up the results that coalmine load --save has written for the shards of one plan. Counts and " +
			"histograms are exact: they equal those of one run with all requests.",
		Example: `coalmine load browse --shard 1/2 --save one.json --target http://127.0.0.1:8080
coalmine load browse --shard 2/2 --save two.json --target http://127.0.0.1:8080
coalmine load merge one.json two.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			return between(1, "FILE")(cmd, args[:min(len(args), 1)])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Dir, o.Output.Stdout = env.Dir, env.raw()
			format, err := f.parse(cmd.Flags().Changed("format"), o.Output.OnStdout())
			if err != nil {
				return usage(cmd, err)
			}
			return env.mergeLoads(cmd.Context(), args, o, incomplete, format)
		},
	}
	cmd.Flags().BoolVar(&incomplete, "incomplete", false, "merge although shards are missing")
	cmd.Flags().StringVar(&o.Output.Save, "save", "", "write the sum to `FILE` (JSON), which can be merged again")
	cmd.Flags().StringVar(&o.Output.HDR, "hdr", "", "write the latency histograms to `FILE` (HDR histogram log)")
	cmd.Flags().BoolVar(&o.Output.Force, "force", false, "overwrite the files that --save and --hdr name")
	cmd.Flags().StringArrayVar(&o.Objectives, "objective", nil,
		"judge the sum by `TEXT`, as coalmine load does (repeatable)")
	f.add(cmd)
	return cmd
}

func (env *Env) mergeLoads(ctx context.Context, names []string, o loadtest.Options, incomplete bool,
	format loadreport.Format) error {
	if o.Output.OnStdout() {
		env = env.withReportOnStderr()
	}
	var documents []results.Document
	for _, name := range names {
		d, err := interruptible(ctx, func() (results.Document, error) { return env.readResults(ctx, name) })
		if ctx.Err() != nil {
			return err
		}
		if err != nil {
			return invalid("name files that coalmine load --save has written", "%w", err)
		}
		documents = append(documents, d)
	}
	merged, err := results.Merge(documents, incomplete)
	if err != nil {
		return invalid("", "%w", err)
	}
	parsed, err := parseObjectives(o.Objectives, merged)
	if err != nil {
		return err
	}
	if err := o.WriteResults(ctx, merged); err != nil {
		return err
	}
	verdicts := objective.JudgeAll(parsed, merged)
	if err := env.writeLoadReport(loadreport.Test{Results: merged, Verdicts: verdicts}, nil, format); err != nil {
		return err
	}
	return exitWith(loadExit(merged, verdicts))
}

// parseObjectives parses objectives on merged results, which know the names that objectives may use.
func parseObjectives(texts []string, merged *results.Results) ([]objective.Objective, error) {
	var w loadgen.Workload
	for _, name := range merged.Cohorts() {
		w.Cohorts = append(w.Cohorts, loadgen.Cohort{Name: name})
	}
	for _, r := range merged.Routes() {
		w.Routes = append(w.Routes, loadgen.Route{Name: r.Name, Path: r.Path})
	}
	var parsed []objective.Objective
	for _, text := range texts {
		o, err := objective.Parse(text, &w)
		if err != nil {
			return nil, invalid("see coalmine load --help for an example", "--objective: %w", err)
		}
		parsed = append(parsed, o)
	}
	return parsed, nil
}

func (env *Env) readResults(ctx context.Context, name string) (results.Document, error) {
	f, err := input.OpenFile(ctx, env.path(name))
	if err != nil {
		return results.Document{}, err
	}
	defer f.Close()
	return results.ReadDocument(name, f)
}
