package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coalmine/lab/loadtest"
	loadreport "coalmine/lab/report/load"
	"coalmine/lab/service"
	"coalmine/lab/verdict/objective"
	"coalmine/lab/verdict/score"
	"coalmine/loadgen/results"
)

// Bounds of the flags. A value beyond them is more likely a typing error than intended.
const (
	maxLoadRate     = 200_000
	maxLoadDuration = 24 * time.Hour
	maxLoadWorkers  = 100_000
)

// exitObjective is the exit code for a violated objective.
const exitObjective = 6

type loadFlags struct {
	loadtest.Options
	planOnly bool
	asJSON   bool
}

func newLoadCommand(env *Env) *cobra.Command {
	var f loadFlags
	cmd := &cobra.Command{
		Use:   "load WORKLOAD",
		Short: "Send a workload to real services and report every response",
		Long: "Send a workload to real services, using vegeta, and report every response by cohort, route and " +
			"serving version. WORKLOAD is a scenario, a workload of the library or a workload file; with --replay " +
			"it may be " +
			"omitted.\n\n" +
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
coalmine load --replay access.log --speed 2 --target http://127.0.0.1:8080
coalmine load hidden-segment --plan-only --duration 10s`,
		Args: between(0, "WORKLOAD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.Dir = env.Dir
			name := strings.Join(args, "")
			if err := f.check(cmd.Flags(), name); err != nil {
				return usage(cmd, err)
			}
			return env.load(cmd.Context(), name, f)
		},
	}
	addPlanFlags(cmd.Flags(), &f.Plan)
	addTargetFlags(cmd.Flags(), &f.Target)
	addOutputFlags(cmd.Flags(), &f.Output)
	cmd.Flags().BoolVar(&f.planOnly, "plan-only", false, "print the planned requests as JSON lines and send nothing")
	cmd.Flags().StringArrayVar(&f.Objectives, "objective", nil,
		"judge the responses by `TEXT`, such as 'cohort=premium route=/checkout p99<500ms errors<1%' (repeatable)")
	jsonFlag(cmd, &f.asJSON)
	cmd.AddCommand(newLoadMergeCommand(env))
	return cmd
}

func addPlanFlags(flags *pflag.FlagSet, o *loadtest.PlanOptions) {
	flags.Float64Var(&o.Rate, "rate", 0, "send `N` requests per second instead of the workload's curve")
	flags.DurationVar(&o.Duration, "duration", 0, "send for this `TIME` (default 1m, or the length of a replayed log)")
	flags.Uint64Var(&o.Seed, "seed", 1, "seed `N` of the plan")
	flags.StringVar(&o.Shard, "shard", "", "send only part `I/N` of the plan")
	flags.StringVar(&o.Replay, "replay", "", "take the requests from access log `FILE`")
	flags.StringVar(&o.LogFormat, "log-format", "", "`FORMAT` of the log: common, combined or json (default: detected)")
	flags.Float64Var(&o.Speed, "speed", 0, "replay `N` times as fast as the log")
	flags.StringArrayVar(&o.Headers, "header", nil, "send `'NAME: VALUE'` with each request (repeatable)")
}

func addTargetFlags(flags *pflag.FlagSet, o *loadtest.TargetOptions) {
	flags.StringArrayVarP(&o.URLs, "target", "t", nil,
		"send to `URL`, to SERVICE=URL for one service (repeatable), or to sim, the simulated services in virtual time")
	flags.StringVar(&o.Version, "version", "", "with --target sim: `VERSION` of the released service (default "+
		"the baseline)")
	flags.StringVar(&o.Service, "service", "", "report by the version of this `SERVICE` (default the released one)")
	flags.StringVar(&o.VersionHeader, "version-header", "", "read the serving version from this response `HEADER`")
	flags.IntVar(&o.Workers, "workers", 0, "keep at most `N` requests in flight (default depends on the rate)")
	flags.IntVar(&o.Connections, "connections", 0, "open `N` connections before the first request (default depends "+
		"on the rate)")
	flags.DurationVar(&o.Timeout, "timeout", 30*time.Second, "wait this `TIME` for a response")
	flags.StringVar(&o.CA, "ca", "", "trust the certificate authorities in `FILE` (PEM)")
	flags.BoolVar(&o.Insecure, "insecure", false, "accept any server certificate")
}

func addOutputFlags(flags *pflag.FlagSet, o *loadtest.OutputOptions) {
	flags.StringVar(&o.Save, "save", "", "write the results to `FILE` (JSON), for coalmine load merge")
	flags.StringVar(&o.HDR, "hdr", "", "write the latency histograms to `FILE` (HDR histogram log)")
	flags.StringVar(&o.Results, "results", "", "write each result to `FILE` in vegeta's encoding (.json and .csv by "+
		"extension, gob otherwise)")
	flags.StringVar(&o.Events, "events", "", "write one-second aggregates to `FILE` as events (JSON lines)")
	flags.StringVar(&o.Metrics, "metrics", "", "serve Prometheus metrics on `ADDRESS` during the test")
}

// check checks the flags that do not depend on files.
func (f *loadFlags) check(flags *pflag.FlagSet, name string) error {
	p, t := f.Plan, f.Target
	switch {
	case name == "" && p.Replay == "":
		return errors.New("WORKLOAD is missing: name a scenario, a workload or a workload file, or give an access " +
			"log with --replay")
	case flags.Changed("rate") && !(p.Rate > 0 && p.Rate <= maxLoadRate):
		return fmt.Errorf("--rate is %g: write a number of requests per second, over 0 and up to %d", p.Rate,
			maxLoadRate)
	case flags.Changed("duration") && !(p.Duration > 0 && p.Duration <= maxLoadDuration):
		return fmt.Errorf("--duration is %v: write a time over 0 and up to %v", p.Duration, maxLoadDuration)
	case flags.Changed("speed") && !(p.Speed > 0 && p.Speed <= 1000):
		return fmt.Errorf("--speed is %g: write a number over 0 and up to 1000", p.Speed)
	case p.Seed > 1<<53:
		return fmt.Errorf("--seed is %d: write a number up to 2^53, which JSON keeps exactly", p.Seed)
	case t.Workers < 0 || t.Workers > maxLoadWorkers:
		return fmt.Errorf("--workers is %d: write 1 to %d", t.Workers, maxLoadWorkers)
	case t.Connections < 0 || t.Connections > maxLoadWorkers:
		return fmt.Errorf("--connections is %d: write 1 to %d", t.Connections, maxLoadWorkers)
	case t.Timeout <= 0:
		return fmt.Errorf("--timeout is %v: write a time over 0", t.Timeout)
	case len(t.URLs) == 0 && !f.planOnly:
		return errors.New("--target is missing: write the URL of the services, or sim for the simulated ones")
	case t.Version != "" && !t.Simulated():
		return errors.New("--version is for --target sim: real servers have the version that they run (see coalmine " +
			"app --version)")
	}
	return nil
}

// load runs a load test and prints its report.
func (env *Env) load(ctx context.Context, name string, f loadFlags) error {
	test, err := loadtest.New(name, f.Options)
	if err != nil {
		return err
	}
	env.printBrokenLines(test)
	if f.planOnly {
		return test.WritePlan(ctx, env.Out)
	}
	if notice := loadNotice(test.Plan(), f.Target.URLs); notice != "" && !f.Target.Simulated() {
		fmt.Fprintln(env.Err, notice)
	}
	progress := newLoadProgress(env, test.Plan().Duration(), f.Target.Simulated())
	r, err := test.Run(ctx, env.Version, env.Err, progress.event)
	progress.close()
	if err != nil {
		return err
	}
	if err := env.writeLoadReport(r.Results, test.RouteObjectives(), r.Verdicts, f.asJSON); err != nil {
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

func (env *Env) writeLoadReport(r *results.Results, levels []service.Objective, verdicts []objective.Verdict,
	asJSON bool) error {
	if asJSON {
		return loadreport.WriteJSON(env.Out, r, verdicts)
	}
	if err := loadreport.Text(env.Out, r, loadreport.Options{Width: env.Width, Color: env.color(),
		Objectives: levels}); err != nil {
		return err
	}
	return loadreport.WriteVerdicts(env.Out, verdicts)
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
