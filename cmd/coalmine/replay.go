package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/run/result"
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
		Long: "Play back the recorded events of a run folder on the deck. If standard input or output is not a " +
			"terminal, or with --plain, print the same facts as lines of text.",
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
	if err := env.limitReader(f.cast == "" && !f.plain && env.onTerminal()); err != nil {
		return err
	}
	t, err := openLiveTrial(env.path(dir))
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

// openLiveTrial reads a run folder for the screens.
func openLiveTrial(dir string) (*liverun.Trial, error) {
	r, err := result.Read(dir)
	if err != nil {
		return nil, err
	}
	t := &liverun.Trial{Scenario: r.Scenario.Name, Title: r.Scenario.Title,
		Guardrails: r.Manifest.Options.Guardrails, Done: true}
	played := 0
	for _, l := range r.Logs {
		live := liveRun(l)
		if live.Rec != nil {
			played++
		}
		t.Runs = append(t.Runs, live)
	}
	if played == 0 {
		return nil, invalid("run the trial again", "%s: no run can be shown: %s", dir, t.Runs[0].Problem)
	}
	card := r.Card()
	t.Card = &card
	return t, nil
}

func liveRun(l result.Log) *liverun.Run {
	live := &liverun.Run{Name: l.Run.Name(), Role: score.Role(l.Run.Role), Seed: l.Run.Seed, Version: l.Run.Version,
		Status: liverun.Complete}
	if len(l.Events) > 0 {
		live.Rec = recording.FromEvents(l.Events)
	}
	if l.Err != nil {
		live.Status, live.Problem = liverun.Failed, l.Err.Error()
		if errors.Is(l.Err, fs.ErrNotExist) {
			live.Problem = live.Name + " was not played"
		}
	}
	return live
}
