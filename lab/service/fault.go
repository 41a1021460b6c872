package service

import (
	"time"

	"coalmine/loadgen/rng"
)

// fault is a compiled [Fault]: shares of 0 are replaced by 1, which they mean.
type fault struct {
	name          string
	when          When
	share         float64
	users         float64
	effect        Effect
	add           rng.Lognormal
	hitStream     rng.Stream // by request: whether it is hit
	userStream    rng.Stream // by user: whether the user is affected
	latencyStream rng.Stream // by request
}

// newFault compiles a fault. Its random streams depend on its name, so adding or moving one fault
// does not change the others.
func newFault(f Fault, seed uint64) fault {
	c := fault{
		name: f.Name, when: f.When, share: shareOrOne(f.Share), users: shareOrOne(f.When.Users), effect: f.Effect,
		hitStream:     rng.New(seed, "app.fault.share/"+f.Name),
		userStream:    rng.New(seed, "app.fault.users/"+f.Name),
		latencyStream: rng.New(seed, "app.fault.latency/"+f.Name),
	}
	if f.Effect.MultiplyLatency == 0 {
		c.effect.MultiplyLatency = 1
	}
	if l := f.Effect.AddLatency; l != nil {
		c.add = rng.NewLognormal(l.P50, l.P99)
	}
	return c
}

func shareOrOne(share float64) float64 {
	if share == 0 {
		return 1
	}
	return share
}

// hits reports whether the fault hits a request whose route, cohort, headers and cookies match.
func (f *fault) hits(r Request, s State, n uint64) bool {
	if s.InWork < f.when.Load || s.Uptime < f.when.Uptime || s.Weight < f.when.Weight {
		return false
	}
	return f.userStream.Bernoulli(uint64(r.User), f.users) && f.hitStream.Bernoulli(n, f.share)
}

// apply applies the effect to the work and returns the service's changed own time.
func (f *fault) apply(w *Work, own time.Duration, n uint64) time.Duration {
	e := &f.effect
	w.Hit = true
	if e.Status != 0 {
		w.Status, w.Wrong = e.Status, false
	}
	if e.WrongBody {
		w.Status, w.Wrong = 200, true
	}
	w.Hold += e.Hold
	w.Grow += e.GrowMemory
	if e.MultiplyLatency != 1 {
		own = scaleCapped(own, e.MultiplyLatency)
	}
	if e.AddLatency != nil {
		own = min(own+f.add.Draw(f.latencyStream.Bits(n)), maxServiceTime)
	}
	return own
}
