package loadgen

import (
	"slices"
	"time"

	"coalmine/loadgen/rng"
)

// mean returns the factor by which bursts raise the rate in the long run.
func (b *Bursts) mean() float64 {
	if b == nil {
		return 1
	}
	calm, burst := b.Calm.Seconds(), b.Burst.Seconds()
	return (calm + float64(b.Factor*burst)) / (calm + burst)
}

// peak returns the factor during a burst.
func (b *Bursts) peak() float64 {
	if b == nil {
		return 1
	}
	return b.Factor
}

// share returns the long-run share of time spent in bursts.
func (b *Bursts) share() float64 { return b.Burst.Seconds() / (b.Calm + b.Burst).Seconds() }

// burstModel generates paths of the two states; all paths of one model are equal. The zero value is
// always calm.
type burstModel struct {
	bursts *Bursts
	draws  rng.Stream
	past   rng.Stream
}

// burstPath walks along a path of states. Times are in seconds since the start of traffic.
type burstPath struct {
	*burstModel
	bursting bool
	factor   float64
	// until is when the current state ends.
	until  float64
	change uint64
}

// start returns the path at time 0, in a state drawn from the stationary distribution. Its
// remaining time is as long as a whole sojourn, because the exponential distribution is memoryless.
func (m *burstModel) start() burstPath {
	if m.bursts == nil {
		return burstPath{factor: 1, until: forever}
	}
	w := burstPath{burstModel: m, bursting: m.draws.Unit(0) >= m.bursts.share()}
	w.flip()
	return w
}

// flip changes the state.
func (w *burstPath) flip() {
	w.change++
	w.bursting = !w.bursting
	mean := w.bursts.Calm
	w.factor = 1
	if w.bursting {
		mean, w.factor = w.bursts.Burst, w.bursts.Factor
	}
	w.until += float64(rng.Exponential(w.draws.Bits(w.change)) * mean.Seconds())
}

// maxHistory bounds the memory of a history and the time to compute it.
const maxHistory = 1 << 16

// history is the path before time 0, backwards. A chain of two states is reversible (Kelly:
// Reversibility and Stochastic Networks, 1979, chapter 1), so it is generated like the path after
// time 0.
type history struct {
	path burstPath
	// ends are the ages at which states end, seen backwards.
	ends []float64
	// first is the state at time 0.
	first bool
}

func (m *burstModel) history() *history {
	if m.bursts == nil {
		return nil
	}
	now := m.start()
	h := &history{first: now.bursting, path: burstPath{burstModel: &burstModel{bursts: m.bursts, draws: m.past},
		bursting: !now.bursting}}
	h.path.flip()
	h.ends = append(h.ends, h.path.until)
	return h
}

// bursting reports whether the state at an age is a burst. Beyond maxHistory changes the state is
// drawn from word, so that sessions that old no longer share their state.
func (h *history) bursting(age time.Duration, word uint64) bool {
	for h.path.until <= age.Seconds() {
		if len(h.ends) == maxHistory {
			return rng.Unit(word) < h.path.bursts.share()
		}
		h.path.flip()
		h.ends = append(h.ends, h.path.until)
	}
	changes, _ := slices.BinarySearchFunc(h.ends, age.Seconds(), func(end, at float64) int {
		if end <= at {
			return -1
		}
		return 1
	})
	return h.first == (changes%2 == 0)
}
