package stats

import "math"

// NormalQuantile is the quantile of the standard normal distribution, for 0 < p < 1.
func NormalQuantile(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }

// Interval is a confidence interval.
type Interval struct{ Low, High float64 }

// Wilson is the score interval of a share at the given confidence (Wilson 1927). Without trials it is the whole of 0 to 1.
func Wilson(successes, trials int, confidence float64) Interval {
	if trials == 0 {
		return Interval{0, 1}
	}
	n, z := float64(trials), NormalQuantile(1-(1-confidence)/2)
	p := float64(successes) / n
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	i := Interval{max(0, centre-half), min(1, centre+half)}
	if successes == 0 {
		i.Low = 0
	}
	if successes == trials {
		i.High = 1
	}
	return i
}

// maxExactTrials is the number of trials from which the exact interval and Wilson's differ by less than a millionth, while the
// former takes ever longer.
const maxExactTrials = 1_000_000

// ClopperPearson is the exact interval of a share at the given confidence (Clopper and Pearson 1934): the shares at which so
// few successes, or so many, would not be rarer than half of what the confidence leaves. It holds its confidence for any share
// and number of trials, which Wilson's does on average only. Without trials it is the whole of 0 to 1.
func ClopperPearson(successes, trials int, confidence float64) Interval {
	if trials == 0 || trials >= maxExactTrials {
		return Wilson(successes, trials, confidence)
	}
	k, n, tail := float64(successes), float64(trials), (1-confidence)/2
	i := Interval{0, 1}
	if successes > 0 {
		i.Low = bisectShare(func(p float64) bool { return incompleteBeta(p, k, n-k+1) < tail })
	}
	if successes < trials {
		i.High = bisectShare(func(p float64) bool { return incompleteBeta(p, k+1, n-k) < 1-tail })
	}
	return i
}

// bisectShare is the share up to which a condition holds, by bisection.
func bisectShare(holds func(p float64) bool) float64 {
	low, high := 0.0, 1.0
	for range 60 {
		if mid := (low + high) / 2; holds(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// ChiSquare is the probability that a chi-square variable with df degrees of freedom exceeds x: the regularised upper
// incomplete gamma function Q(df/2, x/2) (Abramowitz and Stegun 26.4.19).
func ChiSquare(x float64, df int) float64 {
	if x <= 0 {
		return 1
	}
	a, h := float64(df)/2, x/2
	if h < a+1 {
		return 1 - gammaSeries(a, h)
	}
	return gammaFraction(a, h)
}

const (
	tiny          = 1e-300
	epsilon       = 1e-15
	maxIterations = 10_000
)

// gammaSeries is P(a,x) by its power series (Abramowitz and Stegun 6.5.29), good for x < a+1.
func gammaSeries(a, x float64) float64 {
	part := 1 / a
	sum := part
	for n := 1.0; n < maxIterations && part > sum*epsilon; n++ {
		part *= x / (a + n)
		sum += part
	}
	return sum * gammaFront(a, x)
}

// gammaFraction is Q(a,x) by its continued fraction (Abramowitz and Stegun 6.5.31), evaluated by Lentz's method.
func gammaFraction(a, x float64) float64 {
	b := x + 1 - a
	c, d := 1/tiny, 1/b
	f := d
	for n := 1.0; n < maxIterations; n++ {
		an := -n * (n - a)
		b += 2
		d = 1 / nonzero(an*d+b)
		c = nonzero(b + an/c)
		f *= c * d
		if math.Abs(c*d-1) < epsilon {
			break
		}
	}
	return f * gammaFront(a, x)
}

func gammaFront(a, x float64) float64 {
	l, _ := math.Lgamma(a)
	return math.Exp(a*math.Log(x) - x - l)
}

func nonzero(x float64) float64 {
	if math.Abs(x) < tiny {
		return tiny
	}
	return x
}

// RatioMismatch tests observed counts of assignment units against the shares they were to have: the p-value of
// χ² = Σ(O−E)²/E with k−1 degrees of freedom (Pearson 1900). Shares must be positive and sum to 1.
func RatioMismatch(observed []int, shares []float64) float64 {
	total := 0
	for _, o := range observed {
		total += o
	}
	if total == 0 || len(observed) < 2 {
		return 1
	}
	x := 0.0
	for i, o := range observed {
		e := shares[i] * float64(total)
		x += (float64(o) - e) * (float64(o) - e) / e
	}
	return ChiSquare(x, len(observed)-1)
}

// StudentQuantile is the quantile of Student's t distribution with df degrees of freedom, for 0.5 ≤ p < 1, by bisection of its
// distribution function 1 − I(df/(df+t²); df/2, 1/2)/2 (Abramowitz and Stegun 26.7.1).
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

// incompleteBeta is the regularised incomplete beta function I(x; a, b) (Abramowitz and Stegun 26.5.8 and 6.6.3).
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

// MeanInterval is the mean of samples and its confidence interval by Student's t; ok is false for fewer than two.
func MeanInterval(samples []float64, confidence float64) (mean float64, i Interval, ok bool) {
	n := float64(len(samples))
	for _, s := range samples {
		mean += s / n
	}
	if len(samples) < 2 {
		return mean, Interval{}, false
	}
	squares := 0.0
	for _, s := range samples {
		squares += (s - mean) * (s - mean)
	}
	half := StudentQuantile(1-(1-confidence)/2, len(samples)-1) * math.Sqrt(squares/(n-1)/n)
	return mean, Interval{mean - half, mean + half}, true
}

// Peeking is the chance that a test of nominal two-sided level is significant at least once in so many equally spaced
// looks at a healthy version (Armitage, McPherson and Rowe 1969). The density of the running sum is carried from look to
// look on a grid.
func Peeking(level float64, looks int) float64 {
	z := NormalQuantile(1 - level/2)
	g := newGrid(z * math.Sqrt(float64(looks)))
	for k := 1; k <= looks; k++ {
		g.step(z * math.Sqrt(float64(k)))
	}
	return 1 - g.mass()
}
