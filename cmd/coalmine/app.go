package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coalmine/lab/service"
	"coalmine/lab/service/server"
)

// appFlags are the options of app.
type appFlags struct {
	scenario         string
	service, version string
	listen           string
	upstreams        []string
	faults           []string
	seed             uint64
	weight           float64
	weightFrom       string
	workload         string
	metrics          string
	onKill           string
	linger, drain    time.Duration
}

// What a service does when its memory runs out.
const (
	onKillRestart = "restart"
	onKillExit    = "exit"
)

// exitKilled is the exit code of a process that the kernel killed (128 + SIGKILL), as Kubernetes shows it.
const exitKilled = 137

// defaultApp is the scenario whose services run when none is named.
const defaultApp = "hidden-segment"

func newAppCommand(env *Env) *cobra.Command {
	var f appFlags
	cmd := &cobra.Command{
		Use:   "app [SCENARIO]",
		Short: "Run the services of a scenario as real HTTP servers",
		Long: "Run the services of a scenario (default " + defaultApp + ") as real HTTP servers, which work, fail and call each other as " +
			"in a simulated run. A request that is marked with its place in a plan meets the fate that it has in the run with the same " +
			"seed. Each service has /metrics, /healthz and /readyz beside the scenario's routes.\n\n" +
			"What is not given by flags is read from the environment, for containers: COALMINE_SCENARIO, COALMINE_VERSION and so on for " +
			"each flag, with COALMINE_FAULTS parted by semicolons and COALMINE_UPSTREAMS by commas.\n\n" +
			"A FAULT is " + service.FaultGrammar,
		Example: `coalmine app
coalmine app hidden-segment --version v2-faulty
coalmine app full-rollout --fault 'report:status=503,share=0.2' --fault '*:delay=50ms'
COALMINE_LISTEN=:8080 coalmine app --service backend --version v3`,
		Args: between(0, "SCENARIO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.scenario = strings.Join(args, "")
			if err := env.fillIn(cmd, &f); err != nil {
				return err
			}
			return env.app(cmd.Context(), f)
		},
	}
	f.register(cmd.Flags())
	return cmd
}

func (f *appFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8080", "`ADDRESS` of the first service, or of --service; port 0 is any free one")
	flags.StringVar(&f.service, "service", "", "run the service `NAME` only")
	flags.StringVar(&f.version, "version", "", "`VERSION` of the released service, or of --service, by name, role or both: v2, faulty, v2-faulty (default the baseline)")
	flags.StringArrayVar(&f.upstreams, "upstream", nil, "a service that runs elsewhere, as `NAME=URL`, repeatable (default with --service: http://NAME:PORT)")
	flags.StringArrayVar(&f.faults, "fault", nil, "add `FAULT` to this version, repeatable")
	flags.Uint64Var(&f.seed, "seed", 1, "`N` decides the fate of requests that no plan sent")
	flags.Float64Var(&f.weight, "weight", 100, "`PERCENT` of the traffic that this version gets, for faults that ask for it")
	flags.StringVar(&f.weightFrom, "weight-from", "", "ask the lab's desk at `URL` for that share, each second")
	flags.StringVar(&f.workload, "workload", "", "`NAME` of the Deployment, which answers tell")
	flags.StringVar(&f.metrics, "metrics", "", "answer /metrics, /healthz and /readyz of this service on another `ADDRESS` too")
	flags.StringVar(&f.onKill, "on-kill", onKillRestart, "`WHAT` to do when a service runs out of memory: restart it, or exit with code 137")
	flags.DurationVar(&f.linger, "linger", 0, "stay unready for this `TIME` after a signal before listening ends")
	flags.DurationVar(&f.drain, "drain", 10*time.Second, "`TIME` for requests under way after that")
}

// fillIn takes what flags leave open from the environment, and checks what no scenario makes right.
func (env *Env) fillIn(cmd *cobra.Command, f *appFlags) error {
	if f.scenario == "" {
		f.scenario = env.Getenv("COALMINE_SCENARIO")
	}
	if f.scenario == "" {
		f.scenario = defaultApp
	}
	var err error
	cmd.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if !flag.Changed && flag.Name != "help" && err == nil {
			err = env.fillInFlag(flag)
		}
	})
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return usage(cmd, err)
	}
	return nil
}

// fillInFlag sets a flag that was not given from its variable.
func (env *Env) fillInFlag(flag *pflag.Flag) error {
	variable := "COALMINE_" + strings.ReplaceAll(strings.ToUpper(flag.Name), "-", "_")
	split := func(text string) []string { return []string{text} }
	switch flag.Name {
	case "fault":
		variable, split = variable+"S", service.SplitFaults
	case "upstream":
		variable, split = variable+"S", func(text string) []string { return strings.Split(text, ",") }
	}
	text := env.Getenv(variable)
	if text == "" {
		return nil
	}
	for _, value := range split(text) {
		if err := flag.Value.Set(value); err != nil {
			return fmt.Errorf("%s is %q: write %s", variable, text, valueHelp(flag.Value.Type()))
		}
	}
	return nil
}

func (f *appFlags) check() error {
	switch {
	case !(f.weight > 0 && f.weight <= 100):
		return fmt.Errorf("the weight is %v: write a share in percent, over 0 and up to 100", f.weight)
	case f.onKill != onKillRestart && f.onKill != onKillExit:
		return fmt.Errorf("on-kill is %q: write %s or %s", f.onKill, onKillRestart, onKillExit)
	case f.linger < 0:
		return fmt.Errorf("linger is %v: write a time of 0 or more", f.linger)
	case f.drain <= 0:
		return fmt.Errorf("drain is %v: write a time over 0", f.drain)
	case f.seed > 1<<53:
		return fmt.Errorf("the seed is %d: write a number up to 2^53, which JSON keeps exactly", f.seed)
	}
	return nil
}

// app serves until a signal comes.
func (env *Env) app(ctx context.Context, f appFlags) error {
	src, err := env.openScenario(f.scenario)
	if err != nil {
		return err
	}
	defer src.Close()
	c, err := newCast(src.Scenario, f)
	if err != nil {
		return err
	}
	clock, err := server.NewClock()
	if err != nil {
		return err
	}
	defer clock.Close() // nobody waits by it any more
	s, err := env.newTroupe(c, clock, f)
	if err != nil {
		return err
	}
	s.announce(env.Out)
	err = s.play(ctx, env.Err)
	if errors.Is(err, server.ErrKilled) {
		return outcome(exitKilled)
	}
	return err
}
