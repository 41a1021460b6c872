package loadgen

import (
	"time"

	"coalmine/loadgen/rng"
)

// process is a Poisson process whose rate is a constant share of the curve's rate.
type process struct {
	plan *Plan
	// invShare is the expected number of arrivals of the curve per arrival of the process: the
	// inverse of the share.
	invShare   float64
	gaps, thin rng.Stream
	// now is the time of the last candidate in seconds, in segment number segment.
	now     float64
	segment int
	state   burstPath
	// candidate numbers the points before thinning.
	candidate uint64
}

func (p *Plan) process(part float64, gaps, thin rng.Stream) process {
	return process{plan: p, invShare: 1 / part, gaps: gaps, thin: thin, state: p.bursts.start()}
}

// next returns the time of the next arrival, or false at the end of the plan.
func (c *process) next() (at time.Duration, ok bool) {
	for c.step() {
		at := time.Duration(c.now * float64(time.Second))
		if at >= c.plan.duration {
			return 0, false
		}
		if share := c.plan.workload.Rate.accept(c.now); share < 1 && !c.thin.Bernoulli(c.candidate-1, share) {
			continue
		}
		return at, true
	}
	return 0, false
}

// step moves to the next candidate, which is an exponentially distributed number of expected
// arrivals later (inversion of the cumulative rate; Çinlar: Introduction to Stochastic Processes,
// 1975, chapter 4.7). It returns false if the plan ends before.
func (c *process) step() bool {
	p := c.plan
	work, end := rng.Exponential(c.gaps.Bits(c.candidate))*c.invShare, p.duration.Seconds()
	c.candidate++
	for ok := false; ; {
		stretch := p.segments[c.segment]
		stretch.to = min(stretch.to, c.state.until)
		stretch.rate *= c.state.factor
		stretch.slope *= c.state.factor
		c.now, work, ok = stretch.inverseArea(c.now, work)
		if ok && c.now < end {
			return true
		}
		// Times after the end may overflow a duration.
		if c.now >= end {
			return false
		}
		switch {
		case c.now >= c.state.until:
			c.state.flip()
		case c.segment == len(p.segments)-1:
			return false
		default:
			c.segment++
		}
	}
}
