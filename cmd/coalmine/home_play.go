package main

import (
	"context"
	"sync"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/run"
	"coalmine/lab/run/folder"
	"coalmine/lab/verdict/score"
	"coalmine/tui/backend"
	"coalmine/tui/liverun"
)

// homePlayer implements [backend.Player]. It records each trial in a run folder, as run does.
type homePlayer struct {
	env   *Env
	cache runCache

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
	f := runFlags{guardrails: q.Guardrails, seed: q.Seed, trials: q.Trials}
	t, err := p.env.newTrial(ctx, src, f)
	if err != nil {
		src.Close()
		return nil, err
	}
	dir, rec, err := p.env.createRunFolder(src, t, f)
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
	env.Player = p.cache.player(env.Player, t)
	p.playing.Go(func() {
		defer src.Close()
		defer rec.Close()
		if env.playToFeed(ctx, src, t, rec, feed) == nil {
			env.keepReports(dir, rec)
		}
	})
	return &backend.RunningTrial{Trial: shown, Feed: feed, Guardrails: t.guardrails, Folder: dir}, nil
}

// keepReports writes the reports that run writes into a run folder. It ignores errors: the score is
// on the screen already, and report writes them again.
func (env *Env) keepReports(dir string, rec *folder.Writer) {
	if r, err := env.readResult(dir); err == nil {
		_ = env.keepCard(rec, r)
	}
}

// runCache keeps the unguarded and reference runs that a learner's runs are compared with. The same
// seed gives the same events, so they are played once per session, and later trials take half the
// time.
type runCache struct {
	mu       sync.Mutex
	scenario string
	runs     map[folder.Run][]event.Event
}

// player returns a player for a trial that caches some of its runs.
func (m *runCache) player(to run.Player, t *trial) run.Player {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.scenario != t.manifest.Scenario {
		m.scenario, m.runs = t.manifest.Scenario, map[folder.Run][]event.Event{}
	}
	p := &cachingPlayer{Player: to, cache: m, scenario: m.scenario}
	for i, r := range t.runs {
		if part := score.Role(r.Role); part == score.RoleUnguarded || part == score.RoleReference {
			p.cacheable = append(p.cacheable, cacheableRun{t.specs[i], r})
		}
	}
	return p
}

type cacheableRun struct {
	flight cluster.RunSpec
	run    folder.Run
}

// cachingPlayer is a player with a cache.
type cachingPlayer struct {
	run.Player
	cache     *runCache
	scenario  string
	cacheable []cacheableRun
}

// Play implements [run.Player].
func (p *cachingPlayer) Play(ctx context.Context, f cluster.RunSpec, sink func(event.Event)) error {
	run, ok := p.find(f)
	if !ok {
		return p.Player.Play(ctx, f, sink)
	}
	if events := p.lookup(run); events != nil {
		for _, e := range events {
			sink(e)
		}
		return ctx.Err()
	}
	var events []event.Event
	err := p.Player.Play(ctx, f, func(e event.Event) {
		events = append(events, e)
		sink(e)
	})
	if err == nil {
		p.store(run, events)
	}
	return err
}

func (p *cachingPlayer) find(f cluster.RunSpec) (folder.Run, bool) {
	for _, k := range p.cacheable {
		if k.flight.Seed == f.Seed && k.flight.Version == f.Version && k.flight.Guardrails == f.Guardrails {
			return k.run, true
		}
	}
	return folder.Run{}, false
}

func (p *cachingPlayer) lookup(run folder.Run) []event.Event {
	p.cache.mu.Lock()
	defer p.cache.mu.Unlock()
	if p.cache.scenario != p.scenario {
		return nil
	}
	return p.cache.runs[run]
}

// store caches a run that was completed.
func (p *cachingPlayer) store(run folder.Run, events []event.Event) {
	if len(events) == 0 {
		return
	}
	if end, ok := events[len(events)-1].Fact.(event.RunEnded); !ok || end.Outcome != event.OutcomeCompleted {
		return
	}
	p.cache.mu.Lock()
	defer p.cache.mu.Unlock()
	if p.cache.scenario == p.scenario {
		p.cache.runs[run] = events
	}
}
