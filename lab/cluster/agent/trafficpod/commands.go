package trafficpod

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"coalmine/lab/cluster/agent/client"
)

// commandWatcher has the desk's orders as far as they are known.
type commandWatcher struct {
	mu       sync.Mutex
	commands client.Commands
	changed  chan struct{} // closed when there are newer ones
}

func newCommandWatcher() *commandWatcher { return &commandWatcher{changed: make(chan struct{})} }

// Pauses between attempts at a desk that is out of reach; they double. Calls have a time of their own, for connections may hang.
const (
	minBackoff      = 100 * time.Millisecond
	maxBackoff      = 2 * time.Second
	commandsTimeout = 45 * time.Second
	callTimeout     = 10 * time.Second
)

// permanent tells errors that no other attempt will mend.
func permanent(err error) bool {
	var status *client.StatusError
	if errors.As(err, &status) {
		return status.Status >= 400 && status.Status < 500 && status.Status != http.StatusRequestTimeout && status.Status != http.StatusTooManyRequests &&
			status.Status != http.StatusNotFound && status.Status != http.StatusForbidden // what a mesh answers that does not know the desk yet
	}
	return errors.Is(err, client.ErrRestarted)
}

// retry makes a call until it works, the context ends, or nothing will help.
func retry(ctx context.Context, limit time.Duration, call func(context.Context) error) error {
	for wait := minBackoff; ; wait = min(2*wait, maxBackoff) {
		one, cancel := context.WithTimeout(ctx, limit)
		err := call(one)
		cancel()
		if err == nil || permanent(err) {
			return err
		}
		if !sleep(ctx, wait) {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// run keeps the orders up to date. It returns why it cannot go on.
func (f *commandWatcher) run(ctx context.Context, desk *client.Agent, who client.TrafficPod) error {
	for {
		var o client.Commands
		err := retry(ctx, commandsTimeout, func(ctx context.Context) (err error) {
			o, err = desk.Commands(ctx, who, f.generation())
			return err
		})
		if err != nil {
			return err
		}
		f.set(o)
	}
}

func (f *commandWatcher) generation() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.commands.Generation
}

func (f *commandWatcher) set(o client.Commands) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if o.Generation <= f.commands.Generation {
		return
	}
	f.commands = o
	close(f.changed)
	f.changed = make(chan struct{})
}

// wait returns the orders when they fulfil a condition.
func (f *commandWatcher) wait(ctx context.Context, is func(client.Commands) bool) (client.Commands, error) {
	for {
		f.mu.Lock()
		o, more := f.commands, f.changed
		f.mu.Unlock()
		if is(o) {
			return o, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return o, context.Cause(ctx)
		}
	}
}
