package trafficpod

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/backoff"
)

// commandWatcher has the newest commands of the agent.
type commandWatcher struct {
	mu       sync.Mutex
	commands client.Commands
	changed  chan struct{} // closed when there are newer ones
}

func newCommandWatcher() *commandWatcher { return &commandWatcher{changed: make(chan struct{})} }

// minBackoff and maxBackoff bound the time between two attempts, which doubles. Every call has a
// timeout of its own, as connections may hang.
const (
	minBackoff      = 100 * time.Millisecond
	maxBackoff      = 2 * time.Second
	commandsTimeout = 45 * time.Second
	callTimeout     = 10 * time.Second
)

// permanent reports whether repeating the call is of no use.
func permanent(err error) bool {
	var status *client.StatusError
	if errors.As(err, &status) {
		return status.Status >= 400 && status.Status < 500 && status.Status != http.StatusRequestTimeout &&
			status.Status != http.StatusTooManyRequests &&
			// a mesh's answer while it does not know the agent yet
			status.Status != http.StatusNotFound && status.Status != http.StatusForbidden
	}
	return errors.Is(err, client.ErrRestarted)
}

// retry repeats a call until it succeeds, its error is permanent, or the context ends.
func retry(ctx context.Context, limit time.Duration, call func(context.Context) error) error {
	pause := backoff.Backoff{Min: minBackoff, Max: maxBackoff}
	for {
		attempt, cancel := context.WithTimeout(ctx, limit)
		err := call(attempt)
		cancel()
		if err == nil || permanent(err) {
			return err
		}
		if pause.Wait(ctx) != nil {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// run keeps the commands up to date. It returns why it cannot go on.
func (w *commandWatcher) run(ctx context.Context, agent *client.Agent, pod client.TrafficPod) error {
	for {
		var o client.Commands
		err := retry(ctx, commandsTimeout, func(ctx context.Context) (err error) {
			o, err = agent.Commands(ctx, pod, w.generation())
			return err
		})
		if err != nil {
			return err
		}
		w.set(o)
	}
}

func (w *commandWatcher) generation() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.commands.Generation
}

func (w *commandWatcher) set(o client.Commands) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if o.Generation <= w.commands.Generation {
		return
	}
	w.commands = o
	close(w.changed)
	w.changed = make(chan struct{})
}

// wait waits for commands that fulfil a condition.
func (w *commandWatcher) wait(ctx context.Context, fulfilled func(client.Commands) bool) (client.Commands, error) {
	for {
		w.mu.Lock()
		o, more := w.commands, w.changed
		w.mu.Unlock()
		if fulfilled(o) {
			return o, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return o, context.Cause(ctx)
		}
	}
}
