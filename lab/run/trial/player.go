package trial

import (
	"context"
	"sync"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/run"
	"coalmine/lab/run/folder"
	"coalmine/lab/verdict/score"
)

// SplitPlayer plays the learner's guardrails in one place, and what they are compared with in
// another.
type SplitPlayer struct {
	Learner         *guardrail.Set
	Learners, Other run.Player
}

// Play implements [run.Player].
func (p SplitPlayer) Play(ctx context.Context, spec cluster.RunSpec, sink func(event.Event)) error {
	if spec.Guardrails == p.Learner {
		return p.Learners.Play(ctx, spec, sink)
	}
	return p.Other.Play(ctx, spec, sink)
}

// Cache keeps the runs that a learner's guardrails are compared with: the unguarded ones and those
// of the reference. The same seed gives the same events, so a session plays them once for all
// trials of a scenario. The zero value is an empty cache.
type Cache struct {
	mu       sync.Mutex
	scenario string
	runs     map[folder.Run][]event.Event
}

// Player returns a player for the runs of t that plays by next what is not in the cache. A trial of
// another scenario than the last one empties the cache.
func (c *Cache) Player(next run.Player, t *Trial) run.Player {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.scenario != t.Manifest.Scenario {
		c.scenario, c.runs = t.Manifest.Scenario, map[folder.Run][]event.Event{}
	}
	p := &cachingPlayer{Player: next, cache: c, scenario: c.scenario}
	for i, r := range t.Runs {
		if role := score.Role(r.Role); role == score.RoleUnguarded || role == score.RoleReference {
			p.cacheable = append(p.cacheable, cacheableRun{t.Specs[i], r})
		}
	}
	return p
}

type cacheableRun struct {
	spec cluster.RunSpec
	run  folder.Run
}

type cachingPlayer struct {
	run.Player
	cache     *Cache
	scenario  string
	cacheable []cacheableRun
}

// Play implements [run.Player].
func (p *cachingPlayer) Play(ctx context.Context, spec cluster.RunSpec, sink func(event.Event)) error {
	key, ok := p.find(spec)
	if !ok {
		return p.Player.Play(ctx, spec, sink)
	}
	if events := p.lookup(key); events != nil {
		for _, e := range events {
			sink(e)
		}
		return ctx.Err()
	}
	var events []event.Event
	err := p.Player.Play(ctx, spec, func(e event.Event) {
		events = append(events, e)
		sink(e)
	})
	if err == nil {
		p.store(key, events)
	}
	return err
}

func (p *cachingPlayer) find(spec cluster.RunSpec) (folder.Run, bool) {
	for _, c := range p.cacheable {
		if c.spec.Seed == spec.Seed && c.spec.Version == spec.Version && c.spec.Guardrails == spec.Guardrails {
			return c.run, true
		}
	}
	return folder.Run{}, false
}

func (p *cachingPlayer) lookup(key folder.Run) []event.Event {
	p.cache.mu.Lock()
	defer p.cache.mu.Unlock()
	if p.cache.scenario != p.scenario {
		return nil
	}
	return p.cache.runs[key]
}

// store keeps a completed run.
func (p *cachingPlayer) store(key folder.Run, events []event.Event) {
	if len(events) == 0 {
		return
	}
	if end, ok := events[len(events)-1].Fact.(event.RunEnded); !ok || end.Outcome != event.OutcomeCompleted {
		return
	}
	p.cache.mu.Lock()
	defer p.cache.mu.Unlock()
	if p.cache.scenario == p.scenario {
		p.cache.runs[key] = events
	}
}
