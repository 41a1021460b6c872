package attack

import (
	"context"
	"net"
	"time"
)

// Observe lets a test see what connections carry.
func Observe(a Attack, wrap func(net.Conn) net.Conn) Attack {
	a.observe = wrap
	return a
}

// Defaults returns the number of workers and connections that an attack has.
func Defaults(a Attack) (workers, connections int) {
	a = a.withDefaults()
	return a.Workers, a.Connections
}

// RunStocked is Run with a call between the opening of connections and the first request.
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
