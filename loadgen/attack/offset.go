package attack

import (
	"sync/atomic"
	"time"
)

// dispatchOffset is how much before their times requests are handed out, so that they are written at them: timers wake late, by some tens of
// microseconds on a virtual machine, and a request takes its way through vegeta and net/http. It is learnt from the writes
// themselves, by a step against each error (Robbins, Monro: A stochastic approximation method, Annals of Mathematical Statistics
// 22, 1951), steps back being the larger ones: of what times vary by, a quarter of the writes are early.
type dispatchOffset struct {
	begin time.Time
	now   atomic.Int64
	steps atomic.Int64
	// pending is a nanosecond after the time of the request that left last, until a write is seen; 0 for none. It left at since.
	pending, dispatchedAt atomic.Int64
	// meanDelay is the mean time from leaving to being written.
	meanDelay atomic.Int64
}

const (
	maxOffset = 200 * time.Microsecond
	// maxLateness is how late a request or a write may be to teach anything: later ones waited for a worker or a connection.
	maxLateness = time.Millisecond
	// Steps forward come down from the first one to the last one, in some dozens of requests.
	firstStep, lastStep, halving = 4 * time.Microsecond, 100 * time.Nanosecond, 16
	// back is how many steps forward one back is worth.
	back = 3
)

func (l *dispatchOffset) get() time.Duration { return time.Duration(l.now.Load()) }

// markDispatched notes that a request that is to be written at a time since the begin of traffic leaves now, and returns when it will be
// written, which is not before its time.
func (l *dispatchOffset) markDispatched(at, now time.Duration) time.Duration {
	if now-at < maxLateness {
		l.dispatchedAt.Store(int64(now))
		l.pending.Store(int64(at) + 1)
	}
	return max(at, now+time.Duration(l.meanDelay.Load()))
}

// written learns from a write. If several requests left it is taken for that of the last one: the error is small.
func (l *dispatchOffset) written() {
	if l.pending.Load() == 0 {
		return
	}
	if at := l.pending.Swap(0); at != 0 {
		now := time.Since(l.begin)
		l.learn(now - time.Duration(at-1))
		l.updateMean(now - time.Duration(l.dispatchedAt.Load()))
	}
}

// updateMean takes the way of one request into the mean, which forgets slowly.
func (l *dispatchOffset) updateMean(way time.Duration) {
	if way <= maxLateness {
		mean := l.meanDelay.Load()
		l.meanDelay.Store(mean + (int64(way)-mean)/16)
	}
}

func (l *dispatchOffset) learn(late time.Duration) {
	if late > maxLateness {
		return
	}
	step := max(firstStep/time.Duration(1+l.steps.Add(1)/halving), lastStep)
	if late < 0 {
		step *= -back
	}
	l.now.Store(int64(min(max(l.get()+step, 0), maxOffset)))
}
