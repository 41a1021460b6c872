package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coalmine/lab/verdict/objective"
	"coalmine/loadgen"
)

// Bounds of a load from the command line. A rate over the bound is a typing error more often than a wish.
const (
	maxLoadRate     = 200_000
	maxLoadDuration = 24 * time.Hour
	maxLoadWorkers  = 100_000
	// defaultLoad is how long a load lasts that does not say.
	defaultLoad = time.Minute
	// simTarget stands for the services in virtual time.
	simTarget = "sim"
)

type loadFlags struct {
	loadPlanFlags
	loadTargetFlags
	loadOutputFlags
	objectives []string
}

// loadPlanFlags say what is sent.
type loadPlanFlags struct {
	rate     float64
	duration time.Duration
	seed     uint64
	shard    string
	replay   string
	format   string
	speed    float64
	headers  []string
}

// loadTargetFlags say where it is sent, and how.
type loadTargetFlags struct {
	targets       []string
	version       string
	service       string
	versionHeader string
	workers       int
	connections   int
	timeout       time.Duration
	ca            string
	insecure      bool
}

// loadOutputFlags say what is made of the answers.
type loadOutputFlags struct {
	planOnly bool
	asJSON   bool
	document string
	hdr      string
	results  string
	events   string
	metrics  string
}

func newLoadCommand(env *Env) *cobra.Command {
	var f loadFlags
	cmd := &cobra.Command{
		Use:   "load WORKLOAD",
		Short: "Send a workload to real services, and account for every answer",
		Long: "Send a workload to real services, by vegeta, and account for every answer by cohort, route and serving version. " +
			"WORKLOAD is a scenario, a workload of the library, a workload file, or with --replay nothing but an access log.\n\n" +
			"The same seed sends the same requests of the same users in the same order, always. Latency counts from the time at which " +
			"a request was planned, so a server that stalls cannot hide it. With --target sim the same plan is played against the " +
			"modelled services in virtual time.\n\n" +
			"Exit codes: 0 sent and every objective met, 1 nobody answered, 2 invalid input, 5 interrupted or an objective that the " +
			"answers cannot decide, 6 an objective violated.",
		Example: `coalmine app hidden-segment --version v2-faulty
coalmine load hidden-segment --target http://127.0.0.1:8080 --duration 30s
coalmine load hidden-segment --target sim --version v2-faulty --duration 30s
coalmine load browse --target http://127.0.0.1:8080 --objective 'cohort=premium route=/checkout p99<500ms'
coalmine load --replay access.log --speed 2 --target http://127.0.0.1:8080
coalmine load hidden-segment --plan-only --duration 10s`,
		Args: between(0, "WORKLOAD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			if err := f.check(cmd.Flags(), name); err != nil {
				return usage(cmd, err)
			}
			return env.load(cmd.Context(), name, f)
		},
	}
	f.loadPlanFlags.add(cmd.Flags())
	f.loadTargetFlags.add(cmd.Flags())
	f.loadOutputFlags.add(cmd)
	cmd.Flags().StringArrayVar(&f.objectives, "objective", nil,
		"demand `TEXT`, as 'cohort=premium route=/checkout p99<500ms errors<1%' (repeatable)")
	cmd.AddCommand(newLoadMergeCommand(env))
	return cmd
}

func (f *loadPlanFlags) add(flags *pflag.FlagSet) {
	flags.Float64Var(&f.rate, "rate", 0, "send `N` requests per second instead of the workload's curve")
	flags.DurationVar(&f.duration, "duration", 0, "send for this `TIME` (default 1m, or the length of a replayed log)")
	flags.Uint64Var(&f.seed, "seed", 1, "seed `N` of the plan")
	flags.StringVar(&f.shard, "shard", "", "send part `I/N` of the plan only")
	flags.StringVar(&f.replay, "replay", "", "take the requests from access log `FILE`")
	flags.StringVar(&f.format, "log-format", "", "`FORMAT` of the log: common, combined or json (default: found out)")
	flags.Float64Var(&f.speed, "speed", 0, "replay `N` times as fast as the log")
	flags.StringArrayVar(&f.headers, "header", nil, "send `'NAME: VALUE'` with each request (repeatable)")
}

func (f *loadTargetFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&f.targets, "target", "t", nil,
		"send to `URL`, to SERVICE=URL for one service (repeatable), or to sim: the modelled services in virtual time")
	flags.StringVar(&f.version, "version", "", "with --target sim: `VERSION` of the released service (default the baseline)")
	flags.StringVar(&f.service, "service", "", "count by the version of this `SERVICE` (default the one that the scenario releases)")
	flags.StringVar(&f.versionHeader, "version-header", "", "read the serving version from this `HEADER` of the answers")
	flags.IntVar(&f.workers, "workers", 0, "have at most `N` requests under way (default by the rate)")
	flags.IntVar(&f.connections, "connections", 0, "open `N` connections before the first request (default by the rate)")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Second, "give an answer this `TIME`")
	flags.StringVar(&f.ca, "ca", "", "trust the certificate authorities of `FILE` (PEM)")
	flags.BoolVar(&f.insecure, "insecure", false, "accept any certificate")
}

func (f *loadOutputFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.planOnly, "plan-only", false, "print the planned requests as JSON lines and send nothing")
	flags.StringVar(&f.document, "save", "", "write the accounts to `FILE` (JSON), for coalmine load merge")
	flags.StringVar(&f.hdr, "hdr", "", "write the latency histograms to `FILE` (HDR histogram log)")
	flags.StringVar(&f.results, "results", "", "write each result to `FILE` in vegeta's encoding (.json and .csv by name, gob otherwise)")
	flags.StringVar(&f.events, "events", "", "write one-second aggregates to `FILE` as events (JSON lines)")
	flags.StringVar(&f.metrics, "metrics", "", "serve Prometheus metrics on `ADDRESS` while the load runs")
	jsonFlag(cmd, &f.asJSON)
}

// check finds what is wrong with the flags alone.
func (f *loadFlags) check(flags *pflag.FlagSet, name string) error {
	switch {
	case name == "" && f.replay == "":
		return errors.New("WORKLOAD is missing: name a scenario, a workload or a workload file, or give an access log with --replay")
	case flags.Changed("rate") && !(f.rate > 0 && f.rate <= maxLoadRate):
		return fmt.Errorf("--rate is %g: write a number of requests per second, over 0 and up to %d", f.rate, maxLoadRate)
	case flags.Changed("duration") && !(f.duration > 0 && f.duration <= maxLoadDuration):
		return fmt.Errorf("--duration is %v: write a time over 0 and up to %v", f.duration, maxLoadDuration)
	case flags.Changed("speed") && !(f.speed > 0 && f.speed <= 1000):
		return fmt.Errorf("--speed is %g: write a number over 0 and up to 1000", f.speed)
	case f.seed > 1<<53:
		return fmt.Errorf("--seed is %d: write a number up to 2^53, which JSON keeps exactly", f.seed)
	case f.workers < 0 || f.workers > maxLoadWorkers:
		return fmt.Errorf("--workers is %d: write 1 to %d", f.workers, maxLoadWorkers)
	case f.connections < 0 || f.connections > maxLoadWorkers:
		return fmt.Errorf("--connections is %d: write 1 to %d", f.connections, maxLoadWorkers)
	case f.timeout <= 0:
		return fmt.Errorf("--timeout is %v: write a time over 0", f.timeout)
	case len(f.targets) == 0 && !f.planOnly:
		return errors.New("--target is missing: write the URL of the services, or sim for the modelled ones")
	case f.version != "" && !f.simulated():
		return errors.New("--version is for --target sim: real servers have the version that they run (see coalmine app --version)")
	}
	return nil
}

// simulated tells whether the services are the modelled ones.
func (f *loadTargetFlags) simulated() bool { return len(f.targets) == 1 && f.targets[0] == simTarget }

// load plans, sends, and tells what came back.
func (env *Env) load(ctx context.Context, name string, f loadFlags) error {
	src, err := env.loadSource(name, f.loadPlanFlags)
	if err != nil {
		return err
	}
	job, err := newLoadJob(src, f)
	if err != nil {
		return err
	}
	if f.planOnly {
		return job.writePlan(ctx, env.Out)
	}
	send, err := env.executor(ctx, job, f)
	if err != nil {
		return err
	}
	return env.sendLoad(ctx, job, f, send)
}

// loadJob is a load made ready.
type loadJob struct {
	*loadSource
	plan       *loadgen.Plan
	shard      loadgen.Shard
	objectives []objective.Objective
}

func newLoadJob(src *loadSource, f loadFlags) (*loadJob, error) {
	shard, err := loadgen.ParseShard(f.shard)
	if err != nil {
		return nil, invalid("", "--%w", err)
	}
	plan, err := loadgen.NewPlan(src.workload, f.seed, src.duration)
	if err != nil {
		return nil, invalid("", "%s: %w", src.name, err)
	}
	w := plan.Workload()
	job := &loadJob{loadSource: src, plan: plan, shard: shard}
	for _, text := range f.objectives {
		o, err := objective.Parse(text, &w)
		if err != nil {
			return nil, invalid("see coalmine load --help for an example", "--objective: %w", err)
		}
		job.objectives = append(job.objectives, o)
	}
	return job, nil
}
