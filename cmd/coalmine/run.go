package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"coalmine/lab/cluster/kind"
	"coalmine/lab/event"
	"coalmine/lab/report"
	"coalmine/lab/report/model"
	"coalmine/lab/run"
	"coalmine/lab/run/folder"
	"coalmine/lab/run/result"
	"coalmine/lab/run/trial"
	"coalmine/lab/verdict/score"
)

// runFlags are the options of run.
type runFlags struct {
	guardrails string
	seed       uint64
	trials     int
	checkSeeds int
	nonce      string
	drawn      bool
	version    string
	output     string
	asJSON     bool
	approve    time.Duration
	approves   bool
	noTUI      bool
	answers    string
	names      nameMap
	readerFlags
	clusterFlags
	watchFlags
}

const (
	// maxTrials keeps a mistyped number from filling the disk.
	maxTrials = 200
	// maxSeed is the greatest number up to which JSON numbers keep every integer.
	maxSeed = 1 << 53
	// defaultCheckSeeds is how many check seeds confirm a pass in the sim.
	defaultCheckSeeds = 20
)

func newRunCommand(env *Env) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run SCENARIO --guardrails DIR",
		Short: "Play a scenario against guardrails and score them",
		Long: "Play a scenario against guardrails and score them. For each seed the faulty and the healthy version " +
			"are released under the guardrails; the faulty one is released without any, and under the scenario's own " +
			"solution, to " +
			"compare with.\n\n" +
			"A pass is confirmed by 20 check seeds, on which faults and cohorts are a little larger or smaller. They " +
			"follow from the guardrails and a random nonce, so that nobody can tune guardrails to them; 18 have to " +
			"pass.\n\n" +
			"With --cluster kind the guardrails are played on the real cluster that coalmine up made, one run after " +
			"the other in real time, and by default for one seed; what they are compared with is played in " +
			"the sim. There are no check seeds unless --check-seeds asks for them: each takes two more runs, about " +
			"half an hour. The command says how long before it starts.\n\n" +
			"Exit codes: 0 passed, 1 the lab failed, 2 invalid input or usage, 3 incident or essential item missed, " +
			"4 healthy release not delivered, 5 inconclusive or interrupted.",
		Example: `coalmine run full-rollout --guardrails full-rollout
coalmine run full-rollout --guardrails naive --trials 1
coalmine run ./my-scenario --guardrails ./canary.yaml --version v2 -o result
coalmine run full-rollout --guardrails solution --cluster kind`,
		Args: exactly("SCENARIO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.approves = cmd.Flags().Changed("approve")
			f.setDefaults(cmd.Flags().Changed)
			if err := f.check(); err != nil {
				return usage(cmd, err)
			}
			return env.run(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.guardrails, "guardrails", "g", "",
		"`DIR` with manifests, a file, or a variant of the scenario (required)")
	flags.Uint64Var(&f.seed, "seed", 1, "first of the seeds, `N` and the following")
	flags.IntVar(&f.trials, "trials", 3, "play `N` seeds")
	flags.IntVar(&f.checkSeeds, "check-seeds", env.CheckSeeds, "after a pass, play `N` more seeds that nobody "+
		"chose; 0 plays none, the default with --cluster kind")
	flags.StringVar(&f.nonce, "nonce", "", "draw the check seeds by `TEXT`, to repeat those of another trial "+
		"(default random)")
	flags.BoolVar(&f.drawn, "drawn", false, "play one seed with the parameters that it draws as a check seed")
	flags.StringVar(&f.version, "version", "", "play `VERSION` only")
	flags.StringVarP(&f.output, "output", "o", "", "make `RUNDIR` (default runs/SCENARIO-N)")
	flags.DurationVar(&f.approve, "approve", 0, "the gate /approve passes this `TIME` after the release, such as 90s "+
		"or 5m (default never)")
	jsonFlag(cmd, &f.asJSON)
	flags.StringVar(&f.answers, "answers", "", "grade the answers in `FILE`, - for standard input, to the "+
		"scenario's quiz, before the card; see coalmine quiz")
	flags.BoolVar(&f.noTUI, "no-tui", false, "do not show the runs on the terminal")
	f.names.add(flags)
	f.readerFlags.add(flags)
	f.clusterFlags.add(flags)
	f.watchFlags.add(flags)
	return cmd
}

// setDefaults sets the flags whose defaults depend on others. A real cluster takes minutes for each
// run.
func (f *runFlags) setDefaults(changed func(flag string) bool) {
	if (f.cluster == kind.Name || f.drawn) && !changed("trials") {
		f.trials = 1
	}
	if (f.cluster == kind.Name || f.drawn || f.version != "") && !changed("check-seeds") {
		f.checkSeeds = 0
	}
}

func (f runFlags) check() error {
	switch {
	case f.checkSeeds < 0 || f.checkSeeds > folder.MaxCheckSeeds:
		return fmt.Errorf("--check-seeds is %d: write 0 to %d", f.checkSeeds, folder.MaxCheckSeeds)
	case f.checkSeeds > 0 && f.version != "":
		return errors.New("--check-seeds confirms trials of both versions: leave out --version")
	case f.nonce != "" && f.checkSeeds == 0:
		return errors.New("--nonce is for check seeds, and there are none: leave it out, or ask for --check-seeds")
	case f.guardrails == "":
		return errors.New("--guardrails is missing: write a folder of manifests, or a variant of the scenario such " +
			"as starter")
	case f.trials < 1 || f.trials > maxTrials:
		return fmt.Errorf("--trials is %d: write 1 to %d", f.trials, maxTrials)
	case f.seed > maxSeed-uint64(f.trials-1):
		return fmt.Errorf("--seed is %d: write a number so that the last seed is at most 2^53, which JSON "+
			"keeps exactly", f.seed)
	case f.approve < 0:
		return fmt.Errorf("--approve is %v: write a duration of 0 or more", f.approve)
	}
	if f.nonce != "" {
		if err := folder.ValidateNonce(f.nonce); err != nil {
			return fmt.Errorf("--nonce: %w", err)
		}
	}
	return errors.Join(f.clusterFlags.check(), f.watchFlags.check())
}

// approveAfter is the option as [trial.Options] has it.
func (f runFlags) approveAfter() *time.Duration {
	if !f.approves {
		return nil
	}
	return &f.approve
}

func (env *Env) run(ctx context.Context, name string, f runFlags) error {
	src, err := env.openScenario(name)
	if err != nil {
		return err
	}
	defer src.Close()
	if broken := src.Scenario.Broken; broken.Count > 0 {
		fmt.Fprintf(env.Err, "%s: %v\n", src.Scenario.LogName(), broken)
	}
	src.Map = f.names
	q, err := env.readRunQuiz(src, f.answers)
	if err != nil {
		return err
	}
	t, err := env.plan(ctx, src, f)
	if err != nil {
		return err
	}
	for _, n := range t.Learner().Notes {
		fmt.Fprintln(env.Err, "note: "+trial.PrefixFinding(f.guardrails, n).String())
	}
	if env, err = env.onCluster(ctx, f.clusterFlags, t.Learner(), f.plain); err != nil {
		return err
	}
	t.Manifest.Versions = env.Cluster.Describe().Versions
	env.announceTime(t, f.clusterFlags)
	dir, w, err := env.createRunFolder(t, f)
	if err != nil {
		return err
	}
	defer w.Close()
	go env.BinaryDigest() // while the runs are played
	if err := env.playTrial(ctx, src, t, w, f); err != nil {
		return withReport(err, dir)
	}
	r, err := env.readResult(dir)
	if err != nil {
		return err
	}
	if err := result.Save(w, r); err != nil {
		return err
	}
	env.recordTrial(src, t, &r.Card)
	if err := env.writeRunViews(dir, f); err != nil {
		return err
	}
	if err := env.writeCard(r, q, src, dir, f); err != nil {
		return err
	}
	fmt.Fprintf(env.Err, "Recorded in %s\n", dir)
	env.announceNext(src, &r.Card)
	return exitWith(r.Card.Exit)
}

// withReport adds to an error how what was recorded until then can be scored, if anything was.
func withReport(err error, dir string) error {
	r, unread := result.Read(dir)
	played := func(l result.Log) bool { return slices.ContainsFunc(l.Events, inRun) }
	if unread != nil || !slices.ContainsFunc(r.Logs, played) {
		return err
	}
	return fmt.Errorf("%w; coalmine report %s scores what was recorded", err, quoted(dir))
}

// inRun reports whether an event is one of a run, and not its start or end.
func inRun(e event.Event) bool {
	switch e.Fact.(type) {
	case event.RunStarted, event.RunEnded:
		return false
	}
	return true
}

func (env *Env) plan(ctx context.Context, src *trial.Source, f runFlags) (*trial.Trial, error) {
	var err error
	if src.Reader, err = f.readerFlags.options(env); err != nil {
		return nil, err
	}
	return trial.New(ctx, src, trial.Options{
		Guardrails: f.guardrails, Base: env.Dir, Seed: f.seed, Seeds: f.trials, Version: f.version,
		Approve: f.approveAfter(),
		Drawn:   f.drawn, CheckSeeds: f.checkSeeds, Nonce: f.nonce,
		Versions: env.Cluster.Describe().Versions,
	})
}

// prepare plans a trial and makes its run folder.
func (env *Env) prepare(ctx context.Context, src *trial.Source, f runFlags) (*trial.Trial, string,
	*folder.Writer, error) {
	t, err := env.plan(ctx, src, f)
	if err != nil {
		return nil, "", nil, err
	}
	dir, w, err := env.createRunFolder(t, f)
	return t, dir, w, err
}

// createRunFolder makes the folder of --output, or the first free one of runs/SCENARIO-N.
func (env *Env) createRunFolder(t *trial.Trial, f runFlags) (dir string, w *folder.Writer, err error) {
	dir = env.path(f.output)
	if f.output == "" {
		if dir, err = trial.FreeDir(env.path("runs"), t.Manifest.Scenario); err != nil {
			return "", nil, err
		}
	}
	t.Manifest.Started = env.Now().UTC().Truncate(time.Second)
	w, err = t.Create(dir)
	return dir, w, err
}

// play plays a trial and shows its progress: one line, or with live each event of the learner's
// runs.
func (env *Env) play(ctx context.Context, t *trial.Trial, w *folder.Writer, live bool) error {
	p := newProgressLine(env, len(t.Runs))
	p.terminal = p.terminal && !live
	defer p.close()
	text := &liveText{w: env.Err}
	return t.Play(ctx, env.Player, env.Workers, w, func(i int, log run.Log) run.Log {
		log = p.follow(t.Runs[i], log)
		if live && toldInFull(score.Role(t.Runs[i].Role)) {
			log = text.follow(t.Runs[i], t.Specs[i], log)
		}
		return log
	})
}

// toldInFull reports whether plain text tells a run's events: the learner's runs, and not those that
// they are compared with.
func toldInFull(role score.Role) bool {
	return role == score.RoleFaulty || role == score.RoleHealthy || role == score.RoleOther
}

// readResult reads what a run folder is worth. It prints to stderr what is missing from it or
// broken.
func (env *Env) readResult(dir string) (*model.Trial, error) {
	r, err := result.Read(dir)
	if err != nil {
		return nil, err
	}
	t, err := r.Trial()
	if t != nil {
		for _, n := range t.Notes {
			fmt.Fprintln(env.Err, n)
		}
	}
	return t, err
}

// writeCard prints the result. Answers that were given come before it.
func (env *Env) writeCard(t *model.Trial, q *runQuiz, src *trial.Source, dir string, f runFlags) error {
	if q != nil {
		w := env.Out
		if f.asJSON {
			w = env.Err
		}
		waits, err := env.gradeRun(w, q, t, src, dir, !f.plain && !env.watches(f))
		if err != nil || waits && !f.asJSON {
			return err
		}
		fmt.Fprintln(w)
	}
	return env.writeResult(t, f.asJSON)
}

// writeResult prints the result for people, or as JSON.
func (env *Env) writeResult(t *model.Trial, asJSON bool) error {
	format := report.FormatText
	if asJSON {
		format = report.FormatJSON
	}
	return report.Write(env.Out, format, t, report.Options{Width: env.Width, Color: env.color()})
}
