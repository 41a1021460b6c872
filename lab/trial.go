package lab

import (
	"context"
	"errors"
	"sync"

	"coalmine/lab/event"
)

// Log takes the events of one flight. Close is called once, after the last event.
type Log interface {
	Write(event.Event)
	Close() error
}

// Trial plays flights on a cluster in their order, up to workers of them at the same time. Before a flight begins, open is
// asked for its log; it is called from several goroutines.
//
// After an error no further flight begins, those under way are played to their end, and all errors are returned. When the
// context ends, those under way are closed as interrupted and the context's cause is returned.
func Trial(ctx context.Context, c Cluster, flights []Flight, workers int, open func(Flight) (Log, error)) error {
	p := &pool{cluster: c, open: open, flights: flights}
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
	cluster Cluster
	open    func(Flight) (Log, error)

	mu      sync.Mutex
	flights []Flight // not begun yet
	errs    []error
}

func (p *pool) work(ctx context.Context) {
	for {
		f, ok := p.take(ctx)
		if !ok {
			return
		}
		p.keep(ctx, p.play(ctx, f))
	}
}

func (p *pool) take(ctx context.Context) (Flight, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.flights) == 0 || len(p.errs) > 0 || ctx.Err() != nil {
		return Flight{}, false
	}
	f := p.flights[0]
	p.flights = p.flights[1:]
	return f, true
}

func (p *pool) play(ctx context.Context, f Flight) error {
	log, err := p.open(f)
	if err != nil {
		return err
	}
	err = Run(ctx, p.cluster, f, log.Write)
	return errors.Join(err, log.Close())
}

// keep collects errors, but not the many echoes of one interruption.
func (p *pool) keep(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs = append(p.errs, err)
}
