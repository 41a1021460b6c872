package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/run/folder"
	"coalmine/lab/verdict/score"
	"coalmine/tui/liverun"
	"coalmine/tui/recording"
)

type replayFlags struct {
	watchFlags
	run string
}

func newReplayCommand(env *Env) *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay RUNDIR",
		Short: "Play back the runs of a run folder",
		Long: "Play back the recorded events of a run folder on the deck. If standard input or output is not a terminal, " +
			"or with --plain, print the same facts as lines of text.",
		Example: `coalmine replay runs/full-rollout-1
coalmine replay runs/full-rollout-1 --run healthy-seed1
coalmine replay runs/full-rollout-1 --plain | less
coalmine replay runs/full-rollout-1 --cast rollout.cast`,
		Args: exactly("RUNDIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return usage(cmd, err)
			}
			return env.replay(cmd.Context(), args[0], f)
		},
	}
	f.add(cmd.Flags())
	cmd.Flags().StringVar(&f.run, "run", "", "start with the run `NAME`, such as faulty-seed1")
	return cmd
}

func (env *Env) replay(ctx context.Context, dir string, f replayFlags) error {
	t, err := env.openTrial(env.path(dir))
	if err != nil {
		return err
	}
	first := t.DefaultRun()
	if f.run != "" {
		if first = t.RunIndex(f.run); first < 0 {
			return invalid("write one of "+strings.Join(t.RunNames(), ", "), "%s has no run %q", dir, f.run)
		}
	}
	switch {
	case f.cast != "":
		return env.writeCast(f.watchFlags, t, first)
	case f.plain || !env.onTerminal():
		return env.printRuns(env.Out, t, func(r *liverun.Run) bool { return f.run == "" || r.Name == f.run })
	}
	return env.showScreen(ctx, newDeck(t, first))
}

// openTrial reads a run folder for the screens.
func (env *Env) openTrial(dir string) (*liverun.Trial, error) {
	folder, err := folder.Open(dir)
	if err != nil {
		return nil, invalid("name a folder that coalmine run has made", "%w", err)
	}
	defer folder.Close()
	s, err := recordedScenario(folder)
	if err != nil {
		return nil, err
	}
	t := &liverun.Trial{Scenario: s.Name, Title: s.Title, Guardrails: folder.Manifest.Options.Guardrails, Done: true}
	var results []score.RunResult
	for _, run := range folder.Manifest.Runs {
		r := &liverun.Run{Name: run.Name(), Part: score.Role(run.Role), Seed: run.Seed, Version: run.Version, Status: liverun.Complete}
		t.Runs = append(t.Runs, r)
		events, err := folder.Events(run)
		if err != nil {
			r.Status, r.Problem = liverun.Failed, err.Error()
			if errors.Is(err, fs.ErrNotExist) {
				r.Problem = r.Name + " was not played"
			}
		}
		if len(events) > 0 {
			r.Rec = recording.FromEvents(events)
			results = append(results, score.RunResult{Name: r.Name, Role: roleOf(run, r.Rec.Timeline()), Timeline: r.Rec.Timeline()})
		}
	}
	if len(results) == 0 {
		return nil, invalid("run the trial again", "%s: no run can be shown: %s", dir, t.Runs[0].Problem)
	}
	card := score.Trial(s, results)
	if len(results) < len(t.Runs) && card.Exit == score.ExitPassed {
		card.Outcome, card.Exit = score.OutcomeInconclusive, score.ExitInconclusive
		card.Reason = "not every run of the trial was played: " + card.Reason
	}
	t.Card = &card
	return t, nil
}
