package attack

import (
	"context"
	"io"
	"time"
)

// body reads an answer's body for a flight: it counts it, no faster than the cohort's bandwidth, and lands the flight at its end.
type body struct {
	carrier *carrier
	flight  *flight
	ctx     context.Context
	from    io.ReadCloser
	begin   time.Time
	// rate is in bytes per second, 0 for no bound.
	rate int
	read int64
	// over is set at the end or an error.
	over bool
}

func (b *body) open(c *carrier, f *flight, ctx context.Context, from io.ReadCloser) {
	b.carrier, b.flight, b.ctx, b.from = c, f, ctx, from
	if b.rate > 0 {
		b.begin = time.Now()
	}
}

// Read reads at most what the client takes in a fiftieth of a second.
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
	b.over = err != nil
	switch err {
	case nil:
	case io.EOF:
		b.carrier.flights.land(b.flight, nil)
	default:
		b.carrier.lost(b.flight, err)
	}
	return n, err
}

// throttle waits until what was read may have come.
func (b *body) throttle() error {
	due := time.Duration(float64(b.read) / float64(b.rate) * float64(time.Second))
	return b.carrier.clock.SleepUntil(b.ctx, b.begin.Add(due))
}

// Close reads what is left, for the flight lands at the end. There is nothing left but where http.Client finds fault with a
// redirect that it is not to follow.
func (b *body) Close() error {
	if !b.over {
		_, _ = io.Copy(io.Discard, b)
	}
	return b.from.Close()
}
