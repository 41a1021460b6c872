package main

import (
	"context"
	"sync"

	"coalmine/lab/run/folder"
	"coalmine/lab/run/result"
	"coalmine/lab/run/trial"
	"coalmine/tui/backend"
	"coalmine/tui/liverun"
)

// homePlayer implements [backend.Player]. It records each trial in a run folder, as run does.
type homePlayer struct {
	env   *Env
	cache trial.Cache

	playing sync.WaitGroup
	mu      sync.Mutex
	last    string // the run folder of the latest trial
}

func newHomePlayer(env *Env) *homePlayer { return &homePlayer{env: env} }

// wait waits for everything that is being played or written, and returns the run folder of the
// latest trial, or "".
func (p *homePlayer) wait() string {
	p.playing.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// Play implements [backend.Player].
func (p *homePlayer) Play(ctx context.Context, q backend.PlayRequest) (*backend.RunningTrial, error) {
	src, err := p.env.openScenario(q.Scenario)
	if err != nil {
		return nil, err
	}
	t, dir, w, err := p.env.prepare(ctx, src, runFlags{guardrails: q.Guardrails, seed: q.Seed, trials: q.Trials,
		checkSeeds: p.env.CheckSeeds})
	if err != nil {
		src.Close()
		return nil, err
	}
	p.mu.Lock()
	p.last = dir
	p.mu.Unlock()
	shown := newLiveTrial(src, t)
	feed := liverun.NewFeed(shown)
	env := *p.env
	env.Player = p.cache.Player(env.Player, t)
	p.playing.Go(func() {
		defer src.Close()
		defer w.Close()
		if env.playToFeed(ctx, src, t, w, feed) == nil {
			saveReports(dir, w)
		}
	})
	return &backend.RunningTrial{Trial: shown, Feed: feed, Guardrails: t.Guardrails, Folder: dir}, nil
}

// saveReports writes the reports that run writes. An error changes nothing: the score is on the
// screen already, and coalmine report makes the reports again.
func saveReports(dir string, w *folder.Writer) {
	r, err := result.Read(dir)
	if err != nil {
		return
	}
	if t, err := r.Trial(); err == nil {
		_ = result.Save(w, t)
	}
}
