package attack

import (
	"sync/atomic"
	"time"
)

// lead is how much before their times requests are handed out, so that they are written at them: timers wake late, by some tens of
// microseconds on a virtual machine, and a request takes its way through vegeta and net/http. It is learnt from the writes
// themselves, by a step against each error (Robbins, Monro: A stochastic approximation method, Annals of Mathematical Statistics
// 22, 1951), steps back being the larger ones: of what times vary by, a quarter of the writes are early.
type lead struct {
	begin time.Time
	now   atomic.Int64
	steps atomic.Int64
	// pending is a nanosecond after the time of the request that left last, until a write is seen; 0 for none. It left at since.
	pending, since atomic.Int64
	// way is the mean time from leaving to being written.
	way atomic.Int64
}

const (
	maxLead = 200 * time.Microsecond
	// excuse is how late a request or a write may be to teach anything: later ones waited for a worker or a connection.
	excuse = time.Millisecond
	// Steps forward come down from the first one to the last one, in some dozens of requests.
	firstStep, lastStep, halving = 4 * time.Microsecond, 100 * time.Nanosecond, 16
	// back is how many steps forward one back is worth.
	back = 3
)

func (l *lead) get() time.Duration { return time.Duration(l.now.Load()) }

// left notes that a request that is to be written at a time since the begin of traffic leaves now, and returns when it will be
// written, which is not before its time.
func (l *lead) left(at, now time.Duration) time.Duration {
	if now-at < excuse {
		l.since.Store(int64(now))
		l.pending.Store(int64(at) + 1)
	}
	return max(at, now+time.Duration(l.way.Load()))
}

// written learns from a write. If several requests left it is taken for that of the last one: the error is small.
func (l *lead) written() {
	if l.pending.Load() == 0 {
		return
	}
	if at := l.pending.Swap(0); at != 0 {
		now := time.Since(l.begin)
		l.learn(now - time.Duration(at-1))
		l.travel(now - time.Duration(l.since.Load()))
	}
}

// travel takes the way of one request into the mean, which forgets slowly.
func (l *lead) travel(way time.Duration) {
	if way <= excuse {
		mean := l.way.Load()
		l.way.Store(mean + (int64(way)-mean)/16)
	}
}

func (l *lead) learn(late time.Duration) {
	if late > excuse {
		return
	}
	step := max(firstStep/time.Duration(1+l.steps.Add(1)/halving), lastStep)
	if late < 0 {
		step *= -back
	}
	l.now.Store(int64(min(max(l.get()+step, 0), maxLead)))
}
