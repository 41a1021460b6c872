package loadgen

import (
	"time"

	"coalmine/loadgen/rng"
)

// maxThink is the longest think time: that of [rng.Lognormal].
const maxThink = 24 * time.Hour

// thinkDist is a distribution of think times.
type thinkDist interface {
	// draw maps a random word to a think time.
	draw(word uint64) time.Duration
	// mean returns the expected think time in seconds, or an upper bound.
	mean() float64
	// ongoing draws, from two words, a think time in progress at a random instant and the part of
	// it that has passed. It returns false if the think time has already ended: of renewals
	// separated by the mean time, as many return true as there are think times.
	ongoing(long, part uint64) (passed, whole time.Duration, ok bool)
}

// compile returns the distribution of a valid Think.
func (t Think) compile() thinkDist {
	switch {
	case t.Lognormal != nil:
		l := lognormalDist{Lognormal: rng.NewLognormal(t.Lognormal.P50, t.Lognormal.P99),
			median: float64(t.Lognormal.P50)}
		if t.Lognormal.P99 > t.Lognormal.P50 {
			l.sigma = rng.Log(float64(t.Lognormal.P99)/l.median) / rng.Z99
		}
		return l
	case t.Pareto != nil:
		return newParetoDist(*t.Pareto)
	}
	return constantDist(t.Constant)
}

// constantDist is a single think time.
type constantDist time.Duration

func (c constantDist) draw(uint64) time.Duration { return time.Duration(c) }
func (c constantDist) mean() float64             { return time.Duration(c).Seconds() }

func (c constantDist) ongoing(_, part uint64) (passed, whole time.Duration, ok bool) {
	return time.Duration(rng.Unit(part) * float64(c)), time.Duration(c), true
}

// lognormalDist is cut at maxThink, which mean ignores.
type lognormalDist struct {
	rng.Lognormal
	median, sigma float64
}

func (l lognormalDist) draw(word uint64) time.Duration { return l.Draw(word) }

func (l lognormalDist) mean() float64 {
	return l.median / float64(time.Second) * rng.Exp(float64(l.sigma*l.sigma/2))
}

// ongoing draws a time with a probability proportional to its length, which is lognormal too, with
// μ + σ² for μ (Patil, Rao: Weighted distributions and size-biased sampling, Biometrics 34, 1978),
// and an instant within it. It returns false if that instant lies after the cut.
func (l lognormalDist) ongoing(long, part uint64) (passed, whole time.Duration, ok bool) {
	shift := float64(l.sigma * (l.sigma + rng.Normal(long)))
	length := l.median * rng.Exp(shift)
	at := rng.Unit(part) * length
	return time.Duration(min(at, float64(maxThink))), time.Duration(min(length, float64(maxThink))),
		at < float64(maxThink)
}

// paretoDist is cut at longest. Times are in ns.
type paretoDist struct{ shortest, alpha, longest, average float64 }

func newParetoDist(t ParetoThink) paretoDist {
	p := paretoDist{shortest: float64(t.Min), alpha: t.Alpha, longest: float64(t.Max)}
	tail := (1 - power(p.shortest/p.longest, p.alpha-1)) / (p.alpha - 1)
	p.average = p.shortest * (1 + tail)
	return p
}

// power returns x^y for a positive, normal x.
func power(x, y float64) float64 { return rng.Exp(float64(y * rng.Log(x))) }

func (p paretoDist) draw(word uint64) time.Duration { return p.over(p.shortest, word) }

// over draws from the times longer than another.
func (p paretoDist) over(least float64, word uint64) time.Duration {
	length := least * rng.Exp(rng.Exponential(word)/p.alpha)
	return time.Duration(min(length, p.longest))
}

func (p paretoDist) mean() float64 { return p.average / float64(time.Second) }

// ongoing inverts the distribution of the time that has passed, whose density is 1-F divided by the
// mean (Cox: Renewal Theory, 1962, chapter 5), and draws the whole time from those that are longer.
func (p paretoDist) ongoing(long, part uint64) (passed, whole time.Duration, ok bool) {
	at := rng.Unit(part) * p.average
	if at > p.shortest {
		rest := 1 - float64((at/p.shortest-1)*(p.alpha-1))
		at = p.shortest * power(max(rest, 1e-300), -1/(p.alpha-1))
	}
	at = min(at, p.longest)
	return time.Duration(at), max(p.over(max(at, p.shortest), long), time.Duration(at)), true
}
