package attack

import (
	"context"
	"io"
	"time"
)

// body reads a response body. It counts bytes, reads no faster than the cohort's bandwidth, and
// completes the request at the end.
type body struct {
	roundTripper *roundTripper
	request      *inflight
	ctx          context.Context
	from         io.ReadCloser
	start        time.Time
	// rate is in bytes per second, 0 for no limit.
	rate int
	read int64
	// ended is set at the end or after an error.
	ended bool
}

func (b *body) open(c *roundTripper, r *inflight, ctx context.Context, from io.ReadCloser) {
	b.roundTripper, b.request, b.ctx, b.from = c, r, ctx, from
	if b.rate > 0 {
		b.start = time.Now()
	}
}

// Read reads at most what the bandwidth allows in 20 ms.
func (b *body) Read(p []byte) (int, error) {
	if b.rate > 0 && len(p) > 0 {
		p = p[:min(len(p), max(b.rate/50, 1))]
	}
	n, err := b.from.Read(p)
	b.read += int64(n)
	if b.rate > 0 && n > 0 {
		if late := b.throttle(); late != nil && err == nil {
			err = late
		}
	}
	b.ended = err != nil
	switch err {
	case nil:
	case io.EOF:
		b.roundTripper.inflights.complete(b.request, nil)
	default:
		b.roundTripper.fail(b.request, err)
	}
	return n, err
}

// throttle waits until the bandwidth allows what was read.
func (b *body) throttle() error {
	due := time.Duration(float64(b.read) / float64(b.rate) * float64(time.Second))
	return b.roundTripper.clock.SleepUntil(b.ctx, b.start.Add(due))
}

// Close reads the rest, because the request completes at the end of the body. There is a rest only
// if http.Client rejects a redirect that it is not to follow.
func (b *body) Close() error {
	if !b.ended {
		_, _ = io.Copy(io.Discard, b)
	}
	return b.from.Close()
}
