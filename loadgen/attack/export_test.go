package attack

import (
	"context"
	"net"
	"time"
)

// Observe lets a test observe connections.
func Observe(a Attack, wrap func(net.Conn) net.Conn) Attack {
	a.observe = wrap
	return a
}

// Defaults returns the default number of workers and connections of an attack.
func Defaults(a Attack) (workers, connections int) {
	a = a.withDefaults()
	return a.Workers, a.Connections
}

// RunStocked is Run with a callback between opening connections, for which it takes all the time it
// needs, and the first request.
func RunStocked(ctx context.Context, a Attack, stocked func()) (Report, error) {
	a = a.withDefaults()
	r, err := newRun(a)
	if err != nil {
		return Report{}, err
	}
	defer r.close()
	r.dialer.prewarm(ctx, a.Targets, r.prewarmCount())
	stocked()
	return r.play(ctx, time.Time{})
}
