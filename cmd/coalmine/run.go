package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/kind"
	"coalmine/lab/run"
	"coalmine/lab/run/folder"
	"coalmine/lab/scenario"
)

// runFlags are the options of run.
type runFlags struct {
	guardrails string
	seed       uint64
	trials     int
	version    string
	output     string
	asJSON     bool
	approve    time.Duration
	approves   bool
	noTUI      bool
	clusterFlags
	watchFlags
}

// maxTrials keeps a mistyped number from filling the disk.
const maxTrials = 200

func newRunCommand(env *Env) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SCENARIO --guardrails DIR",
		Short: "Play a scenario against guardrails and score them",
		Long: "Play a scenario against guardrails and score them. For each seed the faulty and the healthy version are released under " +
			"the guardrails; the faulty one is released without any, and under the scenario's own solution, to compare with.\n\n" +
			"With --cluster kind the guardrails are played on the real cluster that coalmine up made, one run after the other in real time, " +
			"and by default for one seed; what they are compared with is played in the sim.\n\n" +
			"Exit codes: 0 passed, 1 the lab failed, 2 invalid input or usage, 3 incident missed, 4 healthy release not delivered, " +
			"5 inconclusive or interrupted.",
		Example: `coalmine run full-rollout --guardrails full-rollout
coalmine run full-rollout --guardrails naive --trials 1
coalmine run ./my-scenario --guardrails ./canary.yaml --version v2 -o result
coalmine run full-rollout --guardrails solution --cluster kind`,
		Args: exactly("SCENARIO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.approves = cmd.Flags().Changed("approve")
			if f.cluster == kind.Name && !cmd.Flags().Changed("trials") {
				f.trials = 1
			}
			if err := f.check(); err != nil {
				return usage(cmd, err)
			}
			return env.run(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.guardrails, "guardrails", "g", "", "`DIR` with manifests, a file, or a variant of the scenario (required)")
	flags.Uint64Var(&f.seed, "seed", 1, "first of the seeds, `N` and the following")
	flags.IntVar(&f.trials, "trials", 3, "play `N` seeds")
	flags.StringVar(&f.version, "version", "", "play `VERSION` only")
	flags.StringVarP(&f.output, "output", "o", "", "make `RUNDIR` (default runs/SCENARIO-N)")
	flags.DurationVar(&f.approve, "approve", 0, "the gate /approve says yes this `TIME` after the release, as 90s or 5m (default never)")
	jsonFlag(cmd, &f.asJSON)
	flags.BoolVar(&f.noTUI, "no-tui", false, "do not show the runs, though there is a terminal")
	f.clusterFlags.add(flags)
	f.watchFlags.add(flags)
	return cmd
}

func (f runFlags) check() error {
	switch {
	case f.guardrails == "":
		return errors.New("--guardrails is missing: write a folder of manifests, or a variant of the scenario such as starter")
	case f.trials < 1 || f.trials > maxTrials:
		return fmt.Errorf("--trials is %d: write 1 to %d", f.trials, maxTrials)
	case f.seed > 1<<53:
		return fmt.Errorf("--seed is %d: write a number up to 2^53, which JSON keeps exactly", f.seed)
	case f.approve < 0:
		return fmt.Errorf("--approve is %v: write a time of 0 or more", f.approve)
	}
	return errors.Join(f.clusterFlags.check(), f.watchFlags.check())
}

// approveAfter is the option as a flight has it.
func (f runFlags) approveAfter() time.Duration {
	if !f.approves {
		return -1
	}
	return f.approve
}

func (env *Env) run(ctx context.Context, name string, f runFlags) error {
	src, err := env.openScenario(name)
	if err != nil {
		return err
	}
	defer src.Close()
	if broken := src.scenario.Broken; broken.Count > 0 {
		fmt.Fprintf(env.Err, "%s: %v\n", src.scenario.LogName(), broken)
	}
	t, err := env.newTrial(ctx, src, f)
	if err != nil {
		return err
	}
	if env, err = env.onCluster(ctx, f.clusterFlags, t.learners()); err != nil {
		return err
	}
	t.manifest.Versions = env.Cluster.Describe().Versions
	dir, rec, err := env.createRunFolder(src, t, f)
	if err != nil {
		return err
	}
	defer rec.Close()
	if err := env.playTrial(ctx, src, t, rec, f); err != nil {
		return fmt.Errorf("%w; coalmine report %s scores what was recorded", err, quoted(dir))
	}
	r, err := env.readResult(dir)
	if err != nil {
		return err
	}
	if err := env.keepCard(rec, r); err != nil {
		return err
	}
	env.noteTrial(src, t, r)
	if err := env.writeRunViews(dir, f); err != nil {
		return err
	}
	if err := env.writeResult(r, f.asJSON); err != nil {
		return err
	}
	fmt.Fprintf(env.Err, "Recorded in %s\n", dir)
	return exitWith(r.exit)
}

func (env *Env) play(ctx context.Context, t *trial, rec *folder.Writer) error {
	p := newProgressLine(env, len(t.specs))
	defer p.close()
	return run.PlayAll(ctx, env.Player, t.specs, env.Workers, func(i int) (run.Log, error) {
		log, err := rec.Log(t.runs[i])
		if err != nil {
			return nil, err
		}
		return p.follow(t.runs[i], log), nil
	})
}

// createRunFolder makes the folder that was asked for, or the first free one of runs/SCENARIO-N.
func (env *Env) createRunFolder(src *source, t *trial, f runFlags) (string, *folder.Writer, error) {
	scenario, err := scenarioFiles(src)
	if err != nil {
		return "", nil, err
	}
	dir := env.path(f.output)
	if f.output == "" {
		if dir, err = env.freeFolder(src.scenario.Name); err != nil {
			return "", nil, err
		}
	}
	rec, err := folder.Create(dir, t.manifest, scenario, t.guardrails)
	if err != nil {
		return "", nil, invalid("name a new folder that can be written with -o", "%w", err)
	}
	return dir, rec, nil
}

// scenarioFiles are the parts of a scenario that its score and its story need.
func scenarioFiles(src *source) (map[string][]byte, error) {
	files := map[string][]byte{}
	data, err := src.Text(scenario.FileScenario)
	if err != nil {
		return nil, err
	}
	files[scenario.FileScenario] = data
	if data, err = src.Text(scenario.FileBriefing); err == nil {
		files[scenario.FileBriefing] = data
	}
	if log := src.scenario.LogName(); log != "" {
		files[log] = src.scenario.Log
	}
	return files, nil
}
