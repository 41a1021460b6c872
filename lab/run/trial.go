package run

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"unicode"

	"coalmine/lab/cluster"
	"coalmine/lab/event"
)

// Log receives the events of one run. Close is called once, after the last event.
type Log interface {
	Write(event.Event)
	Close() error
}

// Player plays one run and passes every event to sink, in order and from one goroutine at a time.
type Player interface {
	Play(ctx context.Context, spec cluster.RunSpec, sink func(event.Event)) error
}

// InProcess is a player that runs in this process.
type InProcess struct{ cluster.Cluster }

// Play implements [Player].
func (p InProcess) Play(ctx context.Context, spec cluster.RunSpec, sink func(event.Event)) error {
	return Play(ctx, p.Cluster, spec, sink)
}

// PlayAll plays runs in order, up to workers of them at a time. Before a run starts, open is called
// with its index to open its log; it is called from several goroutines.
//
// After an error no further run starts, those in progress are played to the end, and all errors are
// returned, but those that differ in numbers alone only once. When ctx ends, those in progress are
// closed as interrupted and the cause is returned.
func PlayAll(
	ctx context.Context, player Player, specs []cluster.RunSpec, workers int, open func(int) (Log, error),
) error {
	p := &pool{player: player, open: open, specs: specs}
	var working sync.WaitGroup
	for range min(max(workers, 1), len(specs)) {
		working.Go(func() { p.work(ctx) })
	}
	working.Wait()
	if ctx.Err() != nil {
		p.errs = append(p.errs, context.Cause(ctx))
	}
	return errors.Join(p.errs...)
}

// pool distributes runs to workers.
type pool struct {
	player Player
	open   func(int) (Log, error)
	specs  []cluster.RunSpec

	mu   sync.Mutex
	next int // index of the next run
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

// addError collects an error, unless it only repeats the cause of an interruption, or what another
// run said with another seed, version or port.
func (p *pool) addError(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.ContainsFunc(p.errs, func(e error) bool { return wordsOf(e) == wordsOf(err) }) {
		p.errs = append(p.errs, err)
	}
}

// wordsOf is the text of an error without its numbers.
func wordsOf(err error) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, err.Error())
}
