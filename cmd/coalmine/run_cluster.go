package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"coalmine/lab/cluster/kind"
	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/sim"
	"coalmine/lab/format"
	"coalmine/lab/guardrail"
	"coalmine/lab/run"
	"coalmine/lab/run/trial"
)

// maxTrafficPods bounds how many pods send the traffic of one client: a lab's cluster is one
// machine.
const maxTrafficPods = 16

// clusterFlags say where a trial is played.
type clusterFlags struct {
	cluster, name, compare string
	trafficPods            int
}

func (f *clusterFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.cluster, "cluster", sim.Name, "play in `WHERE`: sim, or kind, the cluster that coalmine up "+
		"made, in real time")
	flags.StringVar(&f.name, "name", names.DefaultCluster, "`NAME` of the kind cluster")
	flags.IntVar(&f.trafficPods, "traffic-pods", 1, "with --cluster kind: send the traffic of each client "+
		"from `N` pods")
	flags.StringVar(&f.compare, "compare", sim.Name, "with --cluster kind: play the runs to compare with in `WHERE`: "+
		"sim or kind")
}

func (f clusterFlags) check() error {
	switch {
	case f.cluster != sim.Name && f.cluster != kind.Name:
		return fmt.Errorf("--cluster is %q: write %s or %s", f.cluster, sim.Name, kind.Name)
	case f.compare != sim.Name && f.compare != kind.Name:
		return fmt.Errorf("--compare is %q: write %s or %s", f.compare, sim.Name, kind.Name)
	case f.trafficPods < 1 || f.trafficPods > maxTrafficPods:
		return fmt.Errorf("--traffic-pods is %d: write 1 to %d", f.trafficPods, maxTrafficPods)
	}
	return nil
}

// onCluster returns the environment that plays where the flags say. A real cluster plays one run at
// a time, in this process. With live it prints what it waits for.
func (env *Env) onCluster(ctx context.Context, f clusterFlags, learner *guardrail.Set, live bool) (*Env, error) {
	if f.cluster == sim.Name {
		return env, nil
	}
	o := kind.Options{Name: f.name, TrafficPods: f.trafficPods, Version: env.Version}
	if live {
		o.Waiting = func(what string) { fmt.Fprintf(env.Err, "waits for %s\n", what) }
	}
	c, err := kind.New(ctx, o)
	if err != nil {
		return nil, err
	}
	real := *env
	real.Cluster, real.Player, real.Workers = c, run.InProcess{Cluster: c}, 1
	if f.compare == sim.Name {
		real.Player = trial.SplitPlayer{Learner: learner, Learners: real.Player, Other: env.Player}
	}
	return &real, nil
}

// announceTime says how long a trial takes on a real cluster, before it starts.
func (env *Env) announceTime(t *trial.Trial, f clusterFlags) {
	if f.cluster != kind.Name {
		return
	}
	e := t.RealTime(f.compare == kind.Name)
	fmt.Fprintf(env.Err, "The trial takes about %s on the cluster, %s for each run.\n", format.Duration(e.Practice),
		format.Duration(e.Run))
	if n := t.Manifest.Options.CheckSeeds; n > 0 {
		fmt.Fprintf(env.Err, "If it passes, %s %s about %s more: %s for each seed, with %s.\n",
			format.Plural(n, "check seed"), verb(n, "takes", "take"), format.Duration(e.Check),
			format.Duration(e.CheckSeed), format.Plural(e.CheckRuns, "run"))
	}
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
