// Package backoff paces retries. It has no dependencies, so that the programs in pods can use it
// without linking Kubernetes.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is a sequence of pauses that starts at Min and doubles up to Max. It is not safe for
// concurrent use.
type Backoff struct {
	Min, Max time.Duration
	// Jitter varies each pause by up to half of it in both directions, so that clients which
	// failed together do not retry together.
	Jitter bool

	last time.Duration
}

// Next returns the next pause.
func (b *Backoff) Next() time.Duration {
	b.last = min(max(2*b.last, b.Min), b.Max)
	if b.Jitter {
		return b.last/2 + rand.N(b.last)
	}
	return b.last
}

// Reset starts the sequence again, after a success.
func (b *Backoff) Reset() { b.last = 0 }

// Wait sleeps for the next pause. See [Sleep].
func (b *Backoff) Wait(ctx context.Context) error { return Sleep(ctx, b.Next()) }

// Sleep pauses for d. It returns the context's error if the context ends before.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
