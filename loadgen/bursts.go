package loadgen

import (
	"slices"
	"time"

	"coalmine/loadgen/rng"
)

// mean is the factor by which bursts raise the rate in the long run.
func (b *Bursts) mean() float64 {
	if b == nil {
		return 1
	}
	calm, burst := b.Calm.Seconds(), b.Burst.Seconds()
	return (calm + float64(b.Factor*burst)) / (calm + burst)
}

// peak is the factor in a burst.
func (b *Bursts) peak() float64 {
	if b == nil {
		return 1
	}
	return b.Factor
}

// share is the part of time that is burst.
func (b *Bursts) share() float64 { return b.Burst.Seconds() / (b.Calm + b.Burst).Seconds() }

// burstModel makes paths of the two states, all of them the same. The zero value is always calm.
type burstModel struct {
	bursts *Bursts
	draws  rng.Stream
	past   rng.Stream
}

// burstPath walks over a path of states. Times are seconds since the begin of traffic.
type burstPath struct {
	*burstModel
	bursting bool
	factor   float64
	// until is when the state ends.
	until  float64
	change uint64
}

// start returns the path at time 0, in a state as likely as it is in the long run. What remains of it is as long as a whole
// sojourn, for the exponential distribution has no memory.
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

// maxHistory bounds the memory of a history, and the time to make it.
const maxHistory = 1 << 16

// history is the path before time 0, backwards. A chain of two states looks the same in both directions (Kelly: Reversibility
// and Stochastic Networks, 1979, chapter 1), so it is made like the path that follows.
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
	h := &history{first: now.bursting, path: burstPath{burstModel: &burstModel{bursts: m.bursts, draws: m.past}, bursting: !now.bursting}}
	h.path.flip()
	h.ends = append(h.ends, h.path.until)
	return h
}

// bursting tells the state at an age. Beyond maxHistory changes it is drawn of a word, so that what began then no longer shares
// its state with others.
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
