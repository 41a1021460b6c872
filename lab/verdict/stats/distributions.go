// Package stats holds the statistics behind a score: confidence intervals, the test of a split, and
// the harm that an ideal alarm would let through. It is mathematics over counts; each formula names
// its source.
package stats

import "math"

// NormalQuantile is the quantile of the standard normal distribution, for 0 < p < 1.
func NormalQuantile(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }

// StudentQuantile is the quantile of Student's t distribution with df degrees of freedom, for
// 0.5 ≤ p < 1. It bisects the distribution function 1 − I(df/(df+t²); df/2, 1/2)/2 (Abramowitz and
// Stegun 26.7.1).
func StudentQuantile(p float64, df int) float64 {
	n := float64(df)
	tail := func(t float64) float64 { return incompleteBeta(n/(n+t*t), n/2, 0.5) / 2 }
	low, high := 0.0, 1.0
	for tail(high) > 1-p {
		high *= 2
	}
	for range 200 {
		mid := (low + high) / 2
		if tail(mid) > 1-p {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// incompleteBeta is the regularised incomplete beta function I(x; a, b) (Abramowitz and Stegun
// 26.5.8 and 6.6.3).
func incompleteBeta(x, a, b float64) float64 {
	if x <= 0 || x >= 1 {
		return min(1, max(0, x))
	}
	if x > (a+1)/(a+b+2) {
		return 1 - incompleteBeta(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	return math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) / a * betaFraction(x, a, b)
}

// Limits of betaFraction.
const (
	tiny          = 1e-300 // stands in for a zero denominator
	epsilon       = 1e-15  // relative error at which it stops
	maxIterations = 10_000
)

// betaFraction evaluates the continued fraction of the incomplete beta function by Lentz's method.
func betaFraction(x, a, b float64) float64 {
	c, d := 1.0, 1/nonzero(1-(a+b)*x/(a+1))
	f := d
	for m := 1.0; m < maxIterations; m++ {
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d = 1 / nonzero(1+even*d)
		c = nonzero(1 + even/c)
		f *= c * d
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d = 1 / nonzero(1+odd*d)
		c = nonzero(1 + odd/c)
		f *= c * d
		if math.Abs(c*d-1) < epsilon {
			break
		}
	}
	return f
}

func nonzero(x float64) float64 {
	if math.Abs(x) < tiny {
		return tiny
	}
	return x
}
