package deck

import (
	"fmt"
	"slices"
	"time"
)

// speeds are the steps of the speed control; the last one leads to the end at once.
func speeds() []int { return []int{1, 2, 5, 10, 20, 50, 100, maxSpeed} }

// maxSpeed is the speed beyond all others.
const maxSpeed = 0

const (
	// targetLength is how long a run should take to watch, decisions apart.
	targetLength = 25 * time.Second
	// momentHold is how long the clock stands still at a decision, at speeds at which one would miss it.
	momentHold = 800 * time.Millisecond
	// minHoldSpeed is the least of these speeds.
	minHoldSpeed = 10
	// maxTick is the most that one tick of the clock lasts: after a suspension time goes on where it was.
	maxTick = 250 * time.Millisecond
)

// clock is where in the run the deck is, and how fast it moves on.
type clock struct {
	at      time.Duration
	speed   int // one of speeds
	playing bool
	// hold is how much longer the clock stands still at a decision.
	hold time.Duration
	// live follows the newest event instead of playing: for runs in real time.
	live bool
}

// advance lets real time pass. It stops shortly at each of the stops, which are in order, and for good at the end.
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

// seek moves the clock and leaves its pace.
func (c *clock) seek(at, end time.Duration) {
	c.at, c.hold, c.live = min(max(0, at), end), 0, false
}

// faster and slower change the speed by one step.
func (c *clock) faster() { c.shift(1) }
func (c *clock) slower() { c.shift(-1) }

func (c *clock) shift(by int) {
	all := speeds()
	i := slices.Index(all, c.speed)
	c.speed, c.hold = all[min(len(all)-1, max(0, i+by))], 0
}

// fittingSpeed is the speed at which a stretch of time is watched in about [pace].
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
