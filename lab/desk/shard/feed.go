package shard

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"coalmine/lab/desk/client"
)

// feed has the desk's orders as far as they are known.
type feed struct {
	mu     sync.Mutex
	orders client.Orders
	more   chan struct{} // closed when there are newer ones
}

func newFeed() *feed { return &feed{more: make(chan struct{})} }

// Pauses between attempts at a desk that is out of reach; they double. Calls have a time of their own, for connections may hang.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
	ordersLimit  = 45 * time.Second
	callLimit    = 10 * time.Second
)

// lasting tells errors that no other attempt will mend.
func lasting(err error) bool {
	var status *client.StatusError
	if errors.As(err, &status) {
		return status.Status >= 400 && status.Status < 500 && status.Status != http.StatusRequestTimeout && status.Status != http.StatusTooManyRequests &&
			status.Status != http.StatusNotFound && status.Status != http.StatusForbidden // what a mesh answers that does not know the desk yet
	}
	return errors.Is(err, client.ErrRestarted)
}

// retry makes a call until it works, the context ends, or nothing will help.
func retry(ctx context.Context, limit time.Duration, call func(context.Context) error) error {
	for wait := firstPause; ; wait = min(2*wait, longestPause) {
		one, cancel := context.WithTimeout(ctx, limit)
		err := call(one)
		cancel()
		if err == nil || lasting(err) {
			return err
		}
		if !pause(ctx, wait) {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// follow keeps the orders up to date. It returns why it cannot go on.
func (f *feed) follow(ctx context.Context, desk *client.Desk, who client.Shard) error {
	for {
		var o client.Orders
		err := retry(ctx, ordersLimit, func(ctx context.Context) (err error) {
			o, err = desk.Orders(ctx, who, f.generation())
			return err
		})
		if err != nil {
			return err
		}
		f.set(o)
	}
}

func (f *feed) generation() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.orders.Generation
}

func (f *feed) set(o client.Orders) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if o.Generation <= f.orders.Generation {
		return
	}
	f.orders = o
	close(f.more)
	f.more = make(chan struct{})
}

// await returns the orders when they fulfil a condition.
func (f *feed) await(ctx context.Context, is func(client.Orders) bool) (client.Orders, error) {
	for {
		f.mu.Lock()
		o, more := f.orders, f.more
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
