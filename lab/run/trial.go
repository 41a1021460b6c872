package run

import (
	"context"
	"errors"
	"sync"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
)

// Log takes the events of one flight. Close is called once, after the last event.
type Log interface {
	Write(event.Event)
	Close() error
}

// Player plays one flight and hands every event to sink, in order and from one goroutine at a time.
type Player interface {
	Play(ctx context.Context, f cluster.RunSpec, sink func(event.Event)) error
}

// InProcess is the player that plays in this process.
type InProcess struct{ cluster.Cluster }

// Play implements [Player] by [Run].
func (h InProcess) Play(ctx context.Context, f cluster.RunSpec, sink func(event.Event)) error {
	return Play(ctx, h.Cluster, f, sink)
}

// PlayAll plays flights in their order, up to workers of them at the same time. Before a flight begins, open is
// asked for its log by the flight's index; it is called from several goroutines.
//
// After an error no further flight begins, those under way are played to their end, and all errors are returned. When the
// context ends, those under way are closed as interrupted and the context's cause is returned.
func PlayAll(ctx context.Context, player Player, flights []cluster.RunSpec, workers int, open func(int) (Log, error)) error {
	p := &pool{player: player, open: open, specs: flights}
	var working sync.WaitGroup
	for range min(max(workers, 1), len(flights)) {
		working.Go(func() { p.work(ctx) })
	}
	working.Wait()
	if ctx.Err() != nil {
		p.errs = append(p.errs, context.Cause(ctx))
	}
	return errors.Join(p.errs...)
}

// pool is the work of one trial.
type pool struct {
	player Player
	open   func(int) (Log, error)

	specs []cluster.RunSpec

	mu   sync.Mutex
	next int // index of the flight that begins next
	errs []error
}

func (p *pool) work(ctx context.Context) {
	for {
		i, ok := p.take(ctx)
		if !ok {
			return
		}
		p.addError(ctx, p.play(ctx, i))
	}
}

func (p *pool) take(ctx context.Context) (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == len(p.specs) || len(p.errs) > 0 || ctx.Err() != nil {
		return 0, false
	}
	p.next++
	return p.next - 1, true
}

func (p *pool) play(ctx context.Context, i int) error {
	log, err := p.open(i)
	if err != nil {
		return err
	}
	err = p.player.Play(ctx, p.specs[i], log.Write)
	return errors.Join(err, log.Close())
}

// addError collects errors, but not the many echoes of one interruption.
func (p *pool) addError(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs = append(p.errs, err)
}
