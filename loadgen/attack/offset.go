package attack

import (
	"sync/atomic"
	"time"
)

// dispatchOffset is how long before their times requests are handed out so that they are written on
// time: timers wake late, by tens of microseconds on a virtual machine, and a request has to pass
// through vegeta and net/http. The offset is learned from the writes, by a step against each error
// (Robbins, Monro: A stochastic approximation method, Annals of Mathematical Statistics 22, 1951).
// Steps back are larger than steps forward, so about a quarter of the writes are early.
type dispatchOffset struct {
	start time.Time
	now   atomic.Int64
	steps atomic.Int64
	// pending is 1 ns after the intended time of the last request dispatched, until a write is
	// seen, and 0 if none is pending. It was dispatched at dispatchedAt.
	pending, dispatchedAt atomic.Int64
	// meanDelay is the mean time from dispatch to write.
	meanDelay atomic.Int64
}

const (
	maxOffset = 200 * time.Microsecond
	// maxLateness is the largest lateness to learn from: later requests waited for a worker or a
	// connection.
	maxLateness = time.Millisecond
	// Steps forward shrink from firstStep to lastStep over some dozens of requests.
	firstStep, lastStep, halving = 4 * time.Microsecond, 100 * time.Nanosecond, 16
	// back is the size of a step back in steps forward.
	back = 3
)

func (o *dispatchOffset) get() time.Duration { return time.Duration(o.now.Load()) }

// markDispatched records that the request intended for at is dispatched now. It returns the
// expected time of its write, which is not before at. Times are since the start of traffic.
func (o *dispatchOffset) markDispatched(at, now time.Duration) time.Duration {
	if now-at < maxLateness {
		o.dispatchedAt.Store(int64(now))
		o.pending.Store(int64(at) + 1)
	}
	return max(at, now+time.Duration(o.meanDelay.Load()))
}

// written learns from a write. If several requests are pending, the write is attributed to the last
// one; the error is small.
func (o *dispatchOffset) written() {
	if o.pending.Load() == 0 {
		return
	}
	if at := o.pending.Swap(0); at != 0 {
		now := time.Since(o.start)
		o.learn(now - time.Duration(at-1))
		o.updateMean(now - time.Duration(o.dispatchedAt.Load()))
	}
}

// updateMean adds a delay to the exponentially weighted mean.
func (o *dispatchOffset) updateMean(way time.Duration) {
	if way <= maxLateness {
		mean := o.meanDelay.Load()
		o.meanDelay.Store(mean + (int64(way)-mean)/16)
	}
}

func (o *dispatchOffset) learn(late time.Duration) {
	if late > maxLateness {
		return
	}
	step := max(firstStep/time.Duration(1+o.steps.Add(1)/halving), lastStep)
	if late < 0 {
		step *= -back
	}
	o.now.Store(int64(min(max(o.get()+step, 0), maxOffset)))
}
