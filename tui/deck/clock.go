package deck

import (
	"fmt"
	"slices"
	"time"
)

// speeds returns the steps of the speed control; the last one jumps to the end.
func speeds() []int { return []int{1, 2, 5, 10, 20, 50, 100, maxSpeed} }

// maxSpeed jumps to the end.
const maxSpeed = 0

const (
	// targetLength is how long it should take to watch a run, without the stops at decisions.
	targetLength = 25 * time.Second
	// momentHold is how long the clock stops at a decision at speeds of minHoldSpeed and more, at
	// which one would miss it.
	momentHold = 800 * time.Millisecond
	// minHoldSpeed is the lowest speed with stops.
	minHoldSpeed = 10
	// maxTick bounds the length of a tick: after the program was suspended, time continues where it
	// was.
	maxTick = 250 * time.Millisecond
)

// clock is the position of the deck in the run, and its speed.
type clock struct {
	at      time.Duration
	speed   int // one of speeds
	playing bool
	// hold is how much longer the clock stops at a decision.
	hold time.Duration
	// live follows the newest event instead of playing: for runs in real time.
	live bool
}

// advance moves the clock by real time. It stops briefly at each of the stops, which must be
// sorted, and for good at the end.
func (c *clock) advance(dt, end time.Duration, stops []time.Duration) {
	if c.live {
		c.at = end
		return
	}
	if !c.playing {
		return
	}
	dt = min(dt, maxTick)
	if c.hold > 0 {
		c.hold -= dt
		return
	}
	if c.speed == maxSpeed {
		c.at = end
		return
	}
	to := min(c.at+dt*time.Duration(c.speed), max(c.at, end))
	if c.speed >= minHoldSpeed {
		if i, _ := slices.BinarySearch(stops, c.at+1); i < len(stops) && stops[i] <= to {
			to, c.hold = stops[i], momentHold
		}
	}
	c.at = to
}

// seek moves the clock and keeps its speed.
func (c *clock) seek(at, end time.Duration) {
	c.at, c.hold, c.live = min(max(0, at), end), 0, false
}

// faster raises the speed by one step, slower lowers it.
func (c *clock) faster() { c.shift(1) }
func (c *clock) slower() { c.shift(-1) }

func (c *clock) shift(by int) {
	all := speeds()
	i := slices.Index(all, c.speed)
	c.speed, c.hold = all[min(len(all)-1, max(0, i+by))], 0
}

// fittingSpeed returns the speed at which a run of length d plays in about [targetLength].
func fittingSpeed(d time.Duration) int {
	fastest := 1
	for _, s := range speeds() {
		if s != maxSpeed {
			fastest = s
		}
		if d <= targetLength*time.Duration(fastest)*6/5 {
			break
		}
	}
	return fastest
}

func (c *clock) label() string {
	switch {
	case c.live:
		return "live"
	case c.speed == maxSpeed:
		return "max"
	}
	return fmt.Sprintf("×%d", c.speed)
}
