package rng

import (
	"math"
	"time"
)

// Z99 is the 0.99-quantile of the standard normal distribution.
const Z99 = 2.3263478740408408

// Exponential maps a random word to the exponential distribution with mean 1, by inversion: -ln U.
func Exponential(word uint64) float64 { return -Log(UnitOpen(word)) }

// Normal maps a random word to the standard normal distribution, by inversion.
func Normal(word uint64) float64 { return Quantile(UnitOpen(word)) }

// Lognormal is the distribution of exp(N(μ, σ²)) · 1 ns.
type Lognormal struct{ median, sigma float64 }

// NewLognormal returns the lognormal distribution with the given median and 0.99-quantile: μ is ln
// p50 and σ is ln(p99/p50)/z(0.99). If p99 is not greater than p50, it is a constant.
func NewLognormal(p50, p99 time.Duration) Lognormal {
	if p50 <= 0 || p99 <= p50 {
		return Lognormal{median: float64(max(p50, 0))}
	}
	return Lognormal{float64(p50), Log(float64(p99)/float64(p50)) / Z99}
}

// longest keeps draws from very wide distributions within a duration.
const longest = 24 * time.Hour

// Draw maps a random word to the distribution: p50 · exp(σ·z), at most 24 h.
func (l Lognormal) Draw(word uint64) time.Duration {
	if l.sigma == 0 {
		return time.Duration(l.median)
	}
	d := l.median * Exp(l.sigma*Normal(word))
	if d > float64(longest) {
		return longest
	}
	return time.Duration(d)
}

// Quantile returns the p-quantile of the standard normal distribution, 0 < p < 1, with a relative
// error below 1e-6 (Wichura: Algorithm AS 241, PPND7, Applied Statistics 37, 1988). PPND16 is exact
// to 1e-16 and takes twice as long; for a latency of a second either is off by less than a
// microsecond.
func Quantile(p float64) float64 {
	q := p - 0.5
	if math.Abs(q) <= 0.425 {
		return centre(q)
	}
	if p > 0.5 {
		p = 1 - p
	}
	r := math.Sqrt(-Log(p))
	z := shoulder(r)
	if r > 5 {
		z = tail(r)
	}
	return math.Copysign(z, q)
}

// centre is AS 241 for 0.075 ≤ p ≤ 0.925.
func centre(q float64) float64 {
	r := 0.180625 - float64(q*q)
	a := madd(r, madd(r, madd(r, 59.109374720, 159.29113202), 50.434271938), 3.3871327179)
	b := madd(r, madd(r, madd(r, 67.187563600, 78.757757664), 17.895169469), 1)
	return q * a / b
}

// shoulder is AS 241 for min(p, 1-p) from e^-25 to 0.075, with r = sqrt(-ln min(p, 1-p)).
func shoulder(r float64) float64 {
	r -= 1.6
	a := madd(r, madd(r, madd(r, 0.17023821103, 1.3067284816), 2.7568153900), 1.4234372777)
	b := madd(r, madd(r, 0.12021132975, 0.73700164250), 1)
	return a / b
}

// tail is AS 241 for min(p, 1-p) below e^-25.
func tail(r float64) float64 {
	r -= 5
	a := madd(r, madd(r, madd(r, 0.017337203997, 0.42868294337), 3.0812263860), 6.6579051150)
	b := madd(r, madd(r, 0.012258202635, 0.24197894225), 1)
	return a / b
}
