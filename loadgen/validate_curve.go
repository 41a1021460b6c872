package loadgen

import (
	"fmt"
	"math"
)

func (c Curve) check(f *findings, path string) {
	if n := c.shapes(); n != 1 {
		f.add(path, "has %d shapes; set exactly one of constant, ramp, steps, spike, diurnal", n)
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
}

// shapes counts the fields that are set.
func (c Curve) shapes() int {
	n := 0
	for _, set := range []bool{c.Constant != 0, c.Ramp != nil, len(c.Steps) > 0, c.Spike != nil, c.Diurnal != nil} {
		if set {
			n++
		}
	}
	return n
}

// checkRate wants a number of requests per second that can be played.
func checkRate(f *findings, path string, rate float64) {
	if !(rate >= 0 && rate <= maxRate) {
		f.add(path, "%g requests per second is not within 0 and %g", rate, maxRate)
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
		f.add(path, "has %d entries; at most %d", len(steps), maxList)
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
		f.add(path+".amplitude", "%g is over the mean %g: the rate would fall below 0", d.Amplitude, d.Mean)
	}
	if d.Period <= 0 {
		f.add(path+".period", "%v is not positive", d.Period)
	}
	if !(math.Abs(d.Phase) <= 1) {
		f.add(path+".phase", "%g is not within -1 and 1 turns", d.Phase)
	}
}
