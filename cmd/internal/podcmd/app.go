package podcmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"coalmine/cmd/internal/cli"
	"coalmine/lab/cluster/deployment"
	"coalmine/lab/cluster/names"
	"coalmine/lab/scenario"
	"coalmine/lab/service"
	"coalmine/lab/service/server"
)

type appFlags struct {
	deployment.Options
	scenario string
	onKill   string
	// runSpec is the file with the run spec, in pods of a run: Version is then a neutral name.
	runSpec string
}

// What a service does when it runs out of memory.
const (
	onKillRestart = "restart"
	onKillExit    = "exit"
)

// exitKilled is the exit code of a process that SIGKILL ended, as Kubernetes reports it: 128 + 9.
const exitKilled = 137

// defaultApp is the scenario whose services run when none is named.
const defaultApp = "hidden-segment"

// NewApp returns the command of the demo services.
func NewApp(env *Env) *cobra.Command {
	var f appFlags
	cmd := &cobra.Command{
		Use:   names.CommandApp + " [SCENARIO]",
		Short: "Run the services of a scenario as real HTTP servers",
		Long: "Run the services of a scenario (default " + defaultApp + ") as real HTTP servers, which work, fail " +
			"and call each other as in a simulated run. A request that carries its place in a plan has the outcome " +
			"that it has in the run with the same seed. Each service has /metrics, /healthz and /readyz besides the " +
			"scenario's routes.\n\n" +
			"For containers, flags that are not given are read from the environment: COALMINE_SCENARIO, " +
			"COALMINE_VERSION and so on, with semicolons between COALMINE_FAULTS and commas between " +
			"COALMINE_UPSTREAMS.\n\n" +
			"A FAULT is " + service.FaultGrammar,
		Example: `coalmine app
coalmine app hidden-segment --version v2-faulty
coalmine app full-rollout --fault 'report:status=503,share=0.2' --fault '*:delay=50ms'
COALMINE_LISTEN=:8080 coalmine app --service backend --version v3`,
		Args: cli.Between(0, "SCENARIO"),
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
	flags.StringVar(&f.Listen, "listen", "127.0.0.1:8080", "`ADDRESS` of the first service, or of --service; port 0 "+
		"is any free port")
	flags.StringVar(&f.Service, "service", "", "run only the service `NAME`")
	flags.StringVar(&f.Version, "version", "", "`VERSION` of the released service, or of --service, by name, "+
		"role or both: "+
		"v2, faulty, v2-faulty (default the baseline)")
	flags.StringArrayVar(&f.Upstreams, "upstream", nil,
		"a service that runs elsewhere, as `NAME=URL`, repeatable (default with --service: http://NAME:PORT)")
	flags.StringArrayVar(&f.Faults, "fault", nil, "add `FAULT` to this version, repeatable")
	flags.Uint64Var(&f.Seed, "seed", 1, "seed `N` of requests that are not part of a plan")
	flags.Float64Var(&f.Weight, "weight", 100, "`PERCENT` of the traffic that this version gets, for faults that "+
		"depend on it")
	flags.StringVar(&f.WeightFrom, "weight-from", "", "ask the lab's agent at `URL` for that percentage every second")
	flags.StringVar(&f.Workload, "workload", "", "`NAME` of the Deployment, for a header of each response")
	flags.StringVar(&f.Metrics, "metrics", "", "serve /metrics, /healthz and /readyz of this service on another "+
		"`ADDRESS` too")
	flags.StringVar(&f.onKill, "on-kill", onKillRestart,
		"`ACTION` when a service runs out of memory: restart it, or exit with code 137")
	flags.StringVar(&f.runSpec, "run-spec", "", "`FILE` with the run spec of a pod")
	_ = flags.MarkHidden("run-spec") // it is there
	flags.DurationVar(&f.Linger, "linger", 0, "after a signal, stay up but not ready for this `TIME`")
	flags.DurationVar(&f.Drain, "drain", 10*time.Second, "`TIME` for requests in flight after that")
}

// fillIn sets flags that were not given from the environment, and checks what does not depend on
// the scenario.
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
		return cli.Usage(cmd, err)
	}
	return nil
}

// fillInFlag sets a flag from its variable.
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
			return fmt.Errorf("%s is %q: write %s", variable, text, cli.ValueHelp(flag.Value.Type()))
		}
	}
	return nil
}

func (f *appFlags) check() error {
	if f.onKill != onKillRestart && f.onKill != onKillExit {
		return fmt.Errorf("on-kill is %q: write %s or %s", f.onKill, onKillRestart, onKillExit)
	}
	f.ExitOnKill = f.onKill == onKillExit
	return f.Validate()
}

// app serves until the context ends.
func (env *Env) app(ctx context.Context, f appFlags) error {
	s, err := env.Scenario(f.scenario)
	if err != nil {
		return err
	}
	if f.runSpec != "" {
		if err := env.resolveVersion(s, &f); err != nil {
			return err
		}
	}
	config, err := deployment.New(s, f.Options)
	if err != nil {
		return err
	}
	clock, err := server.NewClock()
	if err != nil {
		return err
	}
	defer clock.Close()
	group, err := config.Listen(clock, slog.New(slog.NewTextHandler(env.Err, nil)))
	if err != nil {
		return err
	}
	if err := group.WriteAddresses(env.Out); err != nil {
		return errors.Join(err, group.Close())
	}
	err = group.Serve(ctx, env.Err)
	if errors.Is(err, server.ErrKilled) {
		return cli.ExitCode(exitKilled)
	}
	return err
}

// resolveVersion looks up in the run spec which version a neutral name stands for.
func (env *Env) resolveVersion(s *scenario.Scenario, f *appFlags) error {
	spec, err := env.readRunSpec(f.runSpec)
	if err != nil {
		return err
	}
	f.VersionLabel = f.Version
	if f.Version = s.VersionOf(f.Service, f.VersionLabel, spec.Version, spec.Seed); f.Version == "" {
		return fmt.Errorf("the run has no version of %s named %q: check the run spec %s", f.Service,
			f.VersionLabel, f.runSpec)
	}
	return nil
}
