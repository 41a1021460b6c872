package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"coalmine/lab/event"
	"coalmine/lab/input"
	"coalmine/lab/run"
	"coalmine/lab/run/folder"
	"coalmine/lab/run/trial"
	"coalmine/lab/verdict/score"
	"coalmine/tui"
	"coalmine/tui/card"
	"coalmine/tui/deck"
	"coalmine/tui/liverun"
	"coalmine/tui/plain"
	"coalmine/tui/screen"
	"coalmine/tui/theme"
)

// watchFlags define how a trial is shown.
type watchFlags struct {
	plain bool
	cast  string
	size  string
}

func (f *watchFlags) add(flags *pflag.FlagSet) {
	flags.BoolVar(&f.plain, "plain", false, "print the runs as lines of text instead of showing the deck, "+
		"also while they are played")
	flags.StringVar(&f.cast, "cast", "", "record the screen to `FILE`, as an asciicast")
	flags.StringVar(&f.size, "cast-size", "100x30", "size of the recording, as `COLUMNSxLINES`")
}

// onTerminal reports whether input and output are a terminal that can show a screen. A dumb
// terminal cannot move its cursor.
func (env *Env) onTerminal() bool {
	in, ok := env.In.(*os.File)
	return ok && env.OutTerminal && env.Getenv("TERM") != "dumb" && term.IsTerminal(int(in.Fd()))
}

// newDeck returns the deck of a trial, with its card behind it.
func newDeck(t *liverun.Trial, run int) *deck.Deck {
	return deck.New(t, deck.Options{Run: run, Card: newCard})
}

// newCard returns the card of a trial, which can jump back to the trial's deck.
func newCard(t *liverun.Trial) screen.Screen {
	return card.New(t, card.Options{Jump: func(e score.EventRef) tea.Cmd {
		return screen.CloseWith(deck.Jump{Trial: t, To: e})
	}})
}

// showScreen shows a screen until the user leaves it, also by ctrl+c.
func (env *Env) showScreen(ctx context.Context, s screen.Screen, cmds ...tea.Cmd) error {
	err := tui.Run(ctx, tui.Terminal{In: env.In, Out: env.raw(), Env: os.Environ()}, s, cmds...)
	if errors.Is(err, tui.ErrInterrupted) {
		return nil
	}
	return err
}

// playOnDeck plays a trial while it is watched. Leaving before the last run has ended interrupts
// it.
func (env *Env) playOnDeck(ctx context.Context, src *trial.Source, t *trial.Trial, w *folder.Writer) error {
	shown := newLiveTrial(src, t)
	feed := liverun.NewFeed(shown)
	playing, stop := context.WithCancel(ctx)
	defer stop()
	played := make(chan error, 1)
	go func() { played <- env.playToFeed(playing, src, t, w, feed) }()
	err := env.showScreen(ctx, newDeck(shown, shown.DefaultRun()), screen.Follow(feed))
	stop()
	return cmp.Or(<-played, err)
}

// newLiveTrial returns a trial that is about to be played.
func newLiveTrial(src *trial.Source, t *trial.Trial) *liverun.Trial {
	live := &liverun.Trial{Scenario: src.Scenario.Name, Title: src.Scenario.Title,
		Guardrails: t.Manifest.Options.Guardrails}
	for _, r := range t.Runs {
		live.Runs = append(live.Runs, &liverun.Run{Name: r.Name(), Role: score.Role(r.Role), Seed: r.Seed,
			Version: r.Version})
	}
	return live
}

// playToFeed plays a trial into its folder and into a feed, which it closes with the card.
func (env *Env) playToFeed(ctx context.Context, src *trial.Source, t *trial.Trial, w *folder.Writer,
	feed *liverun.Feed) error {
	err := t.Play(ctx, env.Player, env.Workers, w, func(i int, log run.Log) run.Log {
		feed.Begin(i)
		return &feedLog{Log: log, feed: feed, run: i}
	})
	var checked atomic.Int32
	c, err := env.conclude(ctx, src, t, w, err, func(folder.CheckSeed) {
		feed.Check(int(checked.Add(1)), t.Manifest.Options.CheckSeeds)
	})
	if err != nil {
		feed.Close(nil, err.Error())
		return err
	}
	feed.Close(c, "")
	return nil
}

// feedLog is a run's log that also writes to the feed.
type feedLog struct {
	run.Log
	feed *liverun.Feed
	run  int
}

func (l *feedLog) Write(e event.Event) {
	l.Log.Write(e)
	l.feed.Event(l.run, e)
}

func (l *feedLog) Close() error {
	l.feed.End(l.run, "")
	return l.Log.Close()
}

// printRuns writes runs as lines of text.
func (env *Env) printRuns(w io.Writer, t *liverun.Trial, keep func(*liverun.Run) bool) error {
	for i, r := range t.Runs {
		if !keep(r) {
			continue
		}
		if err := plain.Run(w, t, i); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return nil
}

// check validates the flags before a trial is played.
func (f watchFlags) check() error {
	if w, h := f.columnsAndLines(); w < screen.MinWidth || h < screen.MinHeight || w > 500 || h > 200 ||
		f.size != fmt.Sprintf("%dx%d", w, h) {
		return fmt.Errorf("--cast-size is %q: write a size from %dx%d to 500x200", f.size, screen.MinWidth,
			screen.MinHeight)
	}
	return nil
}

func (f watchFlags) columnsAndLines() (w, h int) {
	if n, err := fmt.Sscanf(f.size, "%dx%d", &w, &h); err != nil || n != 2 {
		return 0, 0
	}
	return w, h
}

// writeCast writes a recording of the deck.
func (env *Env) writeCast(f watchFlags, t *liverun.Trial, run int) error {
	file, err := input.CreateFile(env.path(f.cast))
	if err != nil {
		return invalid("name a file that can be written", "%w", err)
	}
	w, h := f.columnsAndLines()
	cast := tui.Asciicast{Trial: t, Run: run, Width: w, Height: h, Theme: theme.New(true, colorprofile.TrueColor)}
	return errors.Join(cast.Write(file), file.Close())
}

// watches reports whether a trial is shown on the deck.
func (env *Env) watches(f runFlags) bool {
	return env.onTerminal() && !f.noTUI && !f.plain && !f.asJSON
}

// playTrial plays a trial, on the deck if it is watched.
func (env *Env) playTrial(ctx context.Context, src *trial.Source, t *trial.Trial, w *folder.Writer, f runFlags) error {
	if env.watches(f) {
		return env.playOnDeck(ctx, src, t, w)
	}
	played := env.play(ctx, t, w, f.plain)
	p := newCheckProgress(env, t.Manifest.Options.CheckSeeds)
	defer p.close()
	_, err := env.conclude(ctx, src, t, w, played, p.add)
	return err
}

// writeRunViews writes the views of the runs that the flags ask for, in addition to the score.
func (env *Env) writeRunViews(dir string, f runFlags) error {
	if !f.plain && f.cast == "" {
		return nil
	}
	t, err := openLiveTrial(dir)
	if err != nil {
		return err
	}
	if f.plain && !f.asJSON {
		if err := env.printRuns(env.Out, t, func(r *liverun.Run) bool { return toldInFull(r.Role) }); err != nil {
			return err
		}
	}
	if f.cast == "" {
		return nil
	}
	return env.writeCast(f.watchFlags, t, t.DefaultRun())
}
