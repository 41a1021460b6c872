package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/loadtest"
	loadreport "coalmine/lab/report/load"
	"coalmine/lab/service"
	"coalmine/lab/verdict/objective"
	"coalmine/lab/verdict/score"
	"coalmine/loadgen/results"
)

// exitObjective is the exit code for a violated objective.
const exitObjective = 6

type loadFlags struct {
	loadtest.Options
	planOnly bool
	format   loadFormat
}

// loadFormat are the flags that choose the form of a report.
type loadFormat struct {
	name   string
	asJSON bool
}

func (f *loadFormat) add(cmd *cobra.Command) {
	var names []string
	for _, format := range loadreport.Formats() {
		names = append(names, string(format))
	}
	cmd.Flags().StringVarP(&f.name, "format", "f", string(loadreport.FormatText),
		"print a report in `FORMAT`: "+strings.Join(names, ", "))
	jsonFlag(cmd, &f.asJSON)
}

// parse returns the format. Only text may be printed to standard error, where it goes if a file is
// written to standard output.
func (f *loadFormat) parse(changed, onStdout bool) (loadreport.Format, error) {
	format, err := loadreport.ParseFormat(f.name)
	switch {
	case err != nil:
		return "", err
	case f.asJSON && changed && format != loadreport.FormatJSON:
		return "", fmt.Errorf("--json and --format %s are two formats: write one of them", f.name)
	case f.asJSON:
		format = loadreport.FormatJSON
	}
	if format != loadreport.FormatText && onStdout {
		return "", fmt.Errorf("--format %s and - both write to standard output: name a file", format)
	}
	return format, nil
}

func newLoadCommand(env *Env) *cobra.Command {
	var f loadFlags
	cmd := &cobra.Command{
		Use:   "load WORKLOAD",
		Short: "Send a workload to real services and report every response",
		Long: "Send a workload to real services, using vegeta, and report every response by cohort, route and " +
			"serving version. WORKLOAD is a scenario, a workload of the library, a workload file, or a URL that is " +
			"requested 50 times per second unless --rate says otherwise; with --replay it may be omitted, with " +
			"--targets it is.\n\n" +
			"The same seed always sends the same requests of the same users in the same order. Latency counts from " +
			"the time for which a request was planned, so a server that stalls cannot hide it. With --target sim the " +
			"same plan is sent to the simulated services in virtual time.\n\n" +
			"Exit codes: 0 sent and every objective met, 1 no request was answered, 2 invalid input, 5 interrupted, " +
			"an objective that the responses cannot decide, or a generator that reached a limit of its own: late, or " +
			"out of ports or file descriptors; 6 an objective violated.",
		Example: `coalmine app hidden-segment --version v2-faulty
coalmine load hidden-segment --target http://127.0.0.1:8080 --duration 30s
coalmine load hidden-segment --target sim --version v2-faulty --duration 30s
coalmine load browse --target http://127.0.0.1:8080 --objective 'cohort=premium route=/checkout p99<500ms'
coalmine load http://127.0.0.1:8080/api/items --rate 100 --duration 30s
coalmine load --replay access.log --speed 2 --target http://127.0.0.1:8080
coalmine load browse --target http://127.0.0.1:8080 --objective 'p99<1s' --format junit > load.xml
coalmine load hidden-segment --plan-only --duration 10s`,
		Args: between(0, "WORKLOAD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Dir, f.Output.Stdout = env.Dir, env.raw()
			name := strings.Join(args, "")
			format, err := f.format.parse(cmd.Flags().Changed("format"), f.Output.OnStdout())
			if err = cmp.Or(err, f.check(cmd.Flags(), name)); err != nil {
				return usage(cmd, err)
			}
			return env.load(cmd.Context(), name, f, format)
		},
	}
	addPlanFlags(cmd.Flags(), &f.Plan)
	addTargetFlags(cmd.Flags(), &f.Target)
	addOutputFlags(cmd.Flags(), &f.Output)
	cmd.Flags().BoolVar(&f.planOnly, "plan-only", false, "print the planned requests as JSON lines and send nothing")
	cmd.Flags().StringArrayVar(&f.Objectives, "objective", nil,
		"judge the responses by `TEXT`, such as 'cohort=premium route=/checkout p99<500ms errors<1%' (repeatable)")
	cmd.Flags().DurationVar(&f.WarmUp, "warm-up", 0, "send for this `TIME` before the requests that count")
	cmd.Flags().BoolVar(&f.AbortOnViolation, "abort-on-violation", false,
		"end the test once an objective has been violated for 5 seconds")
	f.format.add(cmd)
	cmd.AddCommand(newLoadMergeCommand(env))
	return cmd
}

// load runs a load test and prints its report.
func (env *Env) load(ctx context.Context, name string, f loadFlags, format loadreport.Format) error {
	if f.Output.OnStdout() {
		env = env.withReportOnStderr()
	}
	abort, stop := secondInterrupt()
	defer stop()
	f.Target.Abort = abort
	name = env.shelves().Find(name)
	test, err := interruptible(ctx, func() (*loadtest.Test, error) { return loadtest.New(ctx, name, f.Options) })
	if err != nil {
		return err
	}
	env.printBrokenLines(test)
	for _, note := range test.Notes() {
		fmt.Fprintln(env.Err, note)
	}
	if f.planOnly {
		return test.WritePlan(ctx, env.Out)
	}
	if notice := loadNotice(test.Plan(), test.Targets()); notice != "" && !f.Target.Simulated() {
		fmt.Fprintln(env.Err, notice)
	}
	progress := newLoadProgress(env, test, f.Target.Simulated())
	r, err := test.Run(ctx, env.Version, env.Err, progress.event)
	progress.close()
	if err != nil {
		return err
	}
	report := loadreport.Test{Results: r.Results, Verdicts: r.Verdicts, Err: r.Err}
	if err := env.writeLoadReport(report, test.RouteObjectives(), format); err != nil {
		return err
	}
	if r.Err != nil {
		return r.Err
	}
	return exitWith(loadExit(r.Results, r.Verdicts))
}

// printBrokenLines reports the lines of a log that are not replayed.
func (env *Env) printBrokenLines(t *loadtest.Test) {
	broken, parsed := t.BrokenLines()
	if broken.Count == 0 {
		return
	}
	fmt.Fprintf(env.Err, "%d of %d lines of the log cannot be parsed and are skipped\n", broken.Count,
		broken.Count+parsed)
	for _, l := range broken.First {
		fmt.Fprintf(env.Err, "  line %d: %s\n", l.Number, l.Reason)
	}
}

func (env *Env) writeLoadReport(t loadreport.Test, levels []service.Objective, format loadreport.Format) error {
	return t.Write(env.Out, format, loadreport.Options{Width: env.Width, Color: env.color(), Objectives: levels})
}

// loadExit returns the exit code for results and the verdicts on the objectives. If the generator
// reached a limit, the results prove nothing, whether there are objectives or not.
func loadExit(r *results.Results, verdicts []objective.Verdict) int {
	worst := objective.Worst(verdicts)
	switch {
	case worst == objective.Inconclusive || len(r.Limits()) > 0:
		return score.ExitInconclusive
	case worst == objective.Violated:
		return exitObjective
	}
	return score.ExitPassed
}
