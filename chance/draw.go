package chance

import (
	"math"
	"time"
)

// Z99 is the 0.99-quantile of the standard normal distribution.
const Z99 = 2.3263478740408408

// Exponential makes a draw of the exponential distribution with mean 1 of a word, by inversion: -ln U.
func Exponential(word uint64) float64 { return -Log(Open(word)) }

// Normal makes a draw of the standard normal distribution of a word, by inversion.
func Normal(word uint64) float64 { return Quantile(Open(word)) }

// Lognormal is the distribution of exp(N(μ, σ²)) · 1 ns.
type Lognormal struct{ median, sigma float64 }

// NewLognormal returns the lognormal distribution with the given median and 0.99-quantile: its μ is ln p50 and its σ is
// ln(p99/p50)/z(0.99). A p99 that is not over p50 gives a constant.
func NewLognormal(p50, p99 time.Duration) Lognormal {
	if p50 <= 0 || p99 <= p50 {
		return Lognormal{median: float64(max(p50, 0))}
	}
	return Lognormal{float64(p50), Log(float64(p99)/float64(p50)) / Z99}
}

// longest keeps a draw of a very wide distribution within a duration.
const longest = 24 * time.Hour

// Draw makes a draw of a word: p50 · exp(σ·z), at most 24 h.
func (l Lognormal) Draw(word uint64) time.Duration {
	if l.sigma == 0 {
		return time.Duration(l.median)
	}
	return time.Duration(min(l.median*Exp(l.sigma*Normal(word)), float64(longest)))
}

// Quantile returns the p-quantile of the standard normal distribution, 0 < p < 1, with a relative error about 1e-16
// (Wichura: Algorithm AS 241, PPND16, Applied Statistics 37, 1988).
func Quantile(p float64) float64 {
	q := p - 0.5
	if math.Abs(q) <= 0.425 {
		return centre(q)
	}
	r := math.Sqrt(-Log(min(p, 1-p)))
	z := shoulder(r)
	if r > 5 {
		z = tail(r)
	}
	return math.Copysign(z, q)
}

// centre is AS 241 for 0.075 ≤ p ≤ 0.925.
func centre(q float64) float64 {
	r := 0.180625 - float64(q*q)
	a := madd(r, madd(r, madd(r, 2509.0809287301226727, 33430.575583588128105), 67265.770927008700853), 45921.953931549871457)
	a = madd(r, madd(r, madd(r, madd(r, a, 13731.693765509461125), 1971.5909503065514427), 133.14166789178437745), 3.3871328727963666080)
	b := madd(r, madd(r, madd(r, 5226.4952788528545610, 28729.085735721942674), 39307.895800092710610), 21213.794301586595867)
	b = madd(r, madd(r, madd(r, madd(r, b, 5394.1960214247511077), 687.18700749205790830), 42.313330701600911252), 1)
	return q * a / b
}

// shoulder is AS 241 for min(p, 1-p) from e^-25 to 0.075, with r = sqrt(-ln min(p, 1-p)).
func shoulder(r float64) float64 {
	r -= 1.6
	a := madd(r, madd(r, madd(r, 7.74545014278341407640e-4, 2.27238449892691845833e-2), 2.41780725177450611770e-1), 1.27045825245236838258)
	a = madd(r, madd(r, madd(r, madd(r, a, 3.64784832476320460504), 5.76949722146069140550), 4.63033784615654529590), 1.42343711074968357734)
	b := madd(r, madd(r, madd(r, 1.05075007164441684324e-9, 5.47593808499534494600e-4), 1.51986665636164571966e-2), 1.48103976427480074590e-1)
	b = madd(r, madd(r, madd(r, madd(r, b, 6.89767334985100004550e-1), 1.67638483018380384940), 2.05319162663775882187), 1)
	return a / b
}

// tail is AS 241 for min(p, 1-p) under e^-25.
func tail(r float64) float64 {
	r -= 5
	a := madd(r, madd(r, madd(r, 2.01033439929228813265e-7, 2.71155556874348757815e-5), 1.24266094738807843860e-3), 2.65321895265761230930e-2)
	a = madd(r, madd(r, madd(r, madd(r, a, 2.96560571828504891230e-1), 1.78482653991729133580), 5.46378491116411436990), 6.65790464350110377720)
	b := madd(r, madd(r, madd(r, 2.04426310338993978564e-15, 1.42151175831644588870e-7), 1.84631831751005468180e-5), 7.86869131145613259100e-4)
	b = madd(r, madd(r, madd(r, madd(r, b, 1.48753612908506148525e-2), 1.36929880922735805310e-1), 5.99832206555887937690e-1), 1)
	return a / b
}
