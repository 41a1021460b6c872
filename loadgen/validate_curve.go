package loadgen

import (
	"fmt"
	"math"
	"time"
)

func (c Curve) check(f *findings, path string) {
	switch n := c.shapes(); {
	case n == 0:
		f.add(path, "is empty or a constant of 0, which is no traffic; set exactly one of constant, ramp, steps, "+
			"spike and diurnal")
		return
	case n > 1:
		f.add(path, "has %d shapes; set exactly one of constant, ramp, steps, spike and diurnal", n)
		return
	}
	switch {
	case c.Ramp != nil:
		c.Ramp.check(f, path+".ramp")
	case len(c.Steps) > 0:
		checkSteps(f, path+".steps", c.Steps)
	case c.Spike != nil:
		c.Spike.check(f, path+".spike")
	case c.Diurnal != nil:
		c.Diurnal.check(f, path+".diurnal")
	default:
		checkRate(f, path+".constant", c.Constant)
	}
	if c.peak() == 0 {
		f.add(path, "is 0 at all times, which is no traffic; raise it above 0")
	}
}

// shapes returns the number of fields that are set.
func (c Curve) shapes() int {
	n := 0
	for _, set := range []bool{c.Constant != 0, c.Ramp != nil, len(c.Steps) > 0, c.Spike != nil, c.Diurnal != nil} {
		if set {
			n++
		}
	}
	return n
}

// checkRate checks a number of requests per second.
func checkRate(f *findings, path string, rate float64) {
	if !(rate >= 0 && rate <= maxRate) {
		f.add(path, "%g requests per second is not between 0 and %g", rate, maxRate)
	}
}

func (r *Ramp) check(f *findings, path string) {
	checkRate(f, path+".from", r.From)
	checkRate(f, path+".to", r.To)
	if r.Over <= 0 {
		f.add(path+".over", "%v is not positive", r.Over)
	}
}

func checkSteps(f *findings, path string, steps []Step) {
	if len(steps) > maxList {
		f.add(path, "has %d entries; the maximum is %d", len(steps), maxList)
	}
	for i, s := range steps {
		checkRate(f, fmt.Sprintf("%s[%d].rate", path, i), s.Rate)
		if s.At < 0 {
			f.add(fmt.Sprintf("%s[%d].at", path, i), "%v is negative", s.At)
		}
		if i > 0 && s.At <= steps[i-1].At {
			f.add(fmt.Sprintf("%s[%d].at", path, i), "%v is not after the step before it, at %v", s.At, steps[i-1].At)
		}
	}
}

func (s *Spike) check(f *findings, path string) {
	checkRate(f, path+".base", s.Base)
	checkRate(f, path+".peak", s.Peak)
	if s.At < 0 {
		f.add(path+".at", "%v is negative", s.At)
	}
	if s.For <= 0 {
		f.add(path+".for", "%v is not positive", s.For)
	}
}

func (d *Diurnal) check(f *findings, path string) {
	checkRate(f, path+".mean", d.Mean)
	if !(math.Abs(d.Amplitude) <= d.Mean) {
		f.add(path+".amplitude", "%g is greater than the mean %g: the rate would fall below 0", d.Amplitude, d.Mean)
	}
	switch {
	case d.Period <= 0:
		f.add(path+".period", "%v is not positive", d.Period)
	case d.Mean*d.Period.Seconds() > maxWave:
		f.add(path+".period", "%v at a mean rate of %g is more than %g requests; make it shorter", d.Period,
			d.Mean, maxWave)
	}
	if !(math.Abs(d.Phase) <= 1) {
		f.add(path+".phase", "%g is not between -1 and 1 turns", d.Phase)
	}
}

// maxWave bounds the number of requests per period. Near the trough of a wave thinning discards
// almost all candidates: some 2·(wave²/7)^(1/3) in a row if the rate falls to 0. Bursts
// multiply the wave.
const maxWave = 1e10

// Bounds of bursts: reasonable sojourns, and few enough state changes for all processes of a plan
// to go through.
const (
	minSojourn = time.Millisecond
	maxSojourn = 24 * time.Hour
	maxFactor  = 1000
	maxBursts  = 10_000_000
)

// check validates bursts on top of a rate.
func (b *Bursts) check(f *findings, path string, rate Curve) {
	peak := rate.peak()
	switch {
	case !(b.Factor > 1 && b.Factor <= maxFactor):
		f.add(path+".factor", "%g is not over 1 and at most %d", b.Factor, maxFactor)
	case !(peak*b.Factor <= maxRate):
		f.add(path+".factor", "%g times the peak rate of %g requests per second is over %g", b.Factor, peak, maxRate)
	}
	if d := rate.Diurnal; d != nil && d.Mean*d.Period.Seconds()*b.Factor > maxWave {
		f.add(path+".factor", "%g times a wave of %g requests is more than %g requests; make its period shorter",
			b.Factor, d.Mean*d.Period.Seconds(), maxWave)
	}
	checkSojourn(f, path+".calm", b.Calm)
	checkSojourn(f, path+".burst", b.Burst)
}

func checkSojourn(f *findings, path string, d time.Duration) {
	if d < minSojourn || d > maxSojourn {
		f.add(path, "%v is not between %v and %v", d, minSojourn, maxSojourn)
	}
}
