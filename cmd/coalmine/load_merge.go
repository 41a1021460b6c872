package main

import (
	"os"

	"github.com/spf13/cobra"

	"coalmine/lab/verdict/objective"
	"coalmine/loadgen"
	"coalmine/loadgen/results"
)

func newLoadMergeCommand(env *Env) *cobra.Command {
	var asJSON, incomplete bool
	var objectives []string
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
		RunE: func(_ *cobra.Command, args []string) error {
			return env.mergeLoads(args, objectives, incomplete, asJSON)
		},
	}
	cmd.Flags().BoolVar(&incomplete, "incomplete", false, "merge although shards are missing")
	cmd.Flags().StringArrayVar(&objectives, "objective", nil,
		"judge the sum by `TEXT`, as coalmine load does (repeatable)")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (env *Env) mergeLoads(names, objectives []string, incomplete, asJSON bool) error {
	var documents []results.Document
	for _, name := range names {
		d, err := env.readResults(name)
		if err != nil {
			return invalid("name files that coalmine load --save has written", "%w", err)
		}
		documents = append(documents, d)
	}
	merged, err := results.Merge(documents, incomplete)
	if err != nil {
		return invalid("", "%w", err)
	}
	var w loadgen.Workload // with the names that objectives may use
	for _, name := range merged.Cohorts() {
		w.Cohorts = append(w.Cohorts, loadgen.Cohort{Name: name})
	}
	for _, r := range merged.Routes() {
		w.Routes = append(w.Routes, loadgen.Route{Name: r.Name, Path: r.Path})
	}
	var parsed []objective.Objective
	for _, text := range objectives {
		o, err := objective.Parse(text, &w)
		if err != nil {
			return invalid("see coalmine load --help for an example", "--objective: %w", err)
		}
		parsed = append(parsed, o)
	}
	verdicts := objective.JudgeAll(parsed, merged)
	if err := env.writeLoadReport(merged, nil, verdicts, asJSON); err != nil {
		return err
	}
	return exitWith(loadExit(merged, verdicts))
}

func (env *Env) readResults(name string) (results.Document, error) {
	f, err := os.Open(env.path(name))
	if err != nil {
		return results.Document{}, err
	}
	defer f.Close()
	return results.ReadDocument(name, f)
}
