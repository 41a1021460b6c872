package loadgen

import (
	"cmp"
	"math"
	"slices"
	"time"

	"coalmine/loadgen/rng"
)

// segment is an interval in which the rate is linear. Times are in seconds since the start of
// traffic.
type segment struct {
	from, to float64
	// rate is the rate at from, slope its change per second.
	rate, slope float64
}

// forever ends the last segment, in seconds. It is finite because 0·∞ is not a number.
const forever = 1e12

// segments splits a curve into linear segments that cover all of time. For a diurnal curve they are
// an upper bound, to be thinned by [Curve.accept].
func (c Curve) segments() []segment {
	switch {
	case c.Ramp != nil:
		over := c.Ramp.Over.Seconds()
		slope := (c.Ramp.To - c.Ramp.From) / over
		return []segment{{0, over, c.Ramp.From, slope}, {over, forever, c.Ramp.To, 0}}
	case len(c.Steps) > 0:
		return stepSegments(c.Steps)
	case c.Spike != nil:
		s := c.Spike
		start, end := s.At.Seconds(), s.At.Seconds()+s.For.Seconds() // the sum may overflow a duration
		return []segment{{0, start, s.Base, 0}, {start, end, s.Peak, 0}, {end, forever, s.Base, 0}}
	case c.Diurnal != nil:
		return []segment{{0, forever, c.Diurnal.Mean + math.Abs(c.Diurnal.Amplitude), 0}}
	default:
		return []segment{{0, forever, c.Constant, 0}}
	}
}

// stepSegments returns the segments of a step curve. Before the first step the rate is 0.
func stepSegments(steps []Step) []segment {
	list := []segment{{to: forever}}
	for _, s := range steps {
		at := s.At.Seconds()
		list[len(list)-1].to = at
		list = append(list, segment{from: at, to: forever, rate: s.Rate})
	}
	return list
}

// accept returns the probability with which a candidate at t seconds is kept: the thinning of Lewis
// and Shedler (Naval Research Logistics Quarterly 26, 1979). It is 1 for every curve except the
// diurnal.
func (c Curve) accept(t float64) float64 {
	if c.Diurnal == nil {
		return 1
	}
	d := c.Diurnal
	return d.at(t) / (d.Mean + math.Abs(d.Amplitude))
}

// at returns the rate at t seconds.
func (d *Diurnal) at(t float64) float64 {
	wave := float64(d.Amplitude * rng.Sin(t/d.Period.Seconds()+d.Phase))
	return max(d.Mean+wave, 0)
}

// At returns the rate at a time since the start of traffic, in requests per second. Before the
// first step it is 0; a spike holds its peak in [At, At+For).
func (c Curve) At(t time.Duration) float64 {
	s := t.Seconds()
	if c.Diurnal != nil {
		return c.Diurnal.at(s)
	}
	for _, g := range c.segments() {
		if s < g.to {
			return g.rate + float64(g.slope*(s-g.from))
		}
	}
	return 0
}

// peak returns the maximum rate.
func (c Curve) peak() float64 {
	switch {
	case c.Ramp != nil:
		return max(c.Ramp.From, c.Ramp.To)
	case len(c.Steps) > 0:
		return slices.MaxFunc(c.Steps, func(a, b Step) int { return cmp.Compare(a.Rate, b.Rate) }).Rate
	case c.Spike != nil:
		return max(c.Spike.Base, c.Spike.Peak)
	case c.Diurnal != nil:
		return c.Diurnal.Mean + math.Abs(c.Diurnal.Amplitude)
	}
	return c.Constant
}

// Integral returns the expected number of arrivals in [0, t).
func (c Curve) Integral(t time.Duration) float64 {
	end := t.Seconds()
	if d := c.Diurnal; d != nil {
		period := d.Period.Seconds()
		// The integral of the sine, in turns, is (cos a - cos b)/2π; a cosine is a sine a quarter
		// turn later.
		wave := rng.Sin(d.Phase+0.25) - rng.Sin(end/period+d.Phase+0.25)
		return float64(d.Mean*end) + d.Amplitude*period*wave/(2*math.Pi)
	}
	sum := 0.0
	for _, g := range c.segments() {
		sum += g.area(min(end, g.to) - g.from)
	}
	return sum
}

// Mean returns the mean rate over [0, t), in requests per second.
func (c Curve) Mean(t time.Duration) float64 {
	if t <= 0 {
		return c.At(0)
	}
	return c.Integral(t) / t.Seconds()
}

// area returns the expected number of arrivals in the first d seconds of a segment.
func (g segment) area(d float64) float64 {
	if d <= 0 {
		return 0
	}
	return float64(d * (g.rate + float64(g.slope*d/2)))
}

// inverseArea is the inverse of area, starting within the segment: it returns the time at which
// `work` further arrivals are expected to have passed since `from`. If the segment holds fewer, ok
// is false and left is the rest of work.
func (g segment) inverseArea(from, work float64) (at, left float64, ok bool) {
	rate := g.rate + float64(g.slope*(from-g.from))
	rest := segment{from: from, to: g.to, rate: rate, slope: g.slope}
	if rate == 0 && g.slope == 0 {
		return g.to, work, false
	}
	if whole := rest.area(g.to - from); whole <= work {
		return g.to, work - whole, false
	}
	// rate·d + slope·d²/2 = work, solved without cancellation for small slopes.
	root := math.Sqrt(max(float64(rate*rate)+float64(2*float64(g.slope*work)), 0))
	return from + 2*work/(rate+root), 0, true
}
