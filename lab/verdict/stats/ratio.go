package stats

import "math"

// RatioMismatch tests how two counts of assignment units split against the share that the first of
// them was to have, 0 < share < 1. It returns the p-value of Pearson's χ² = Σ(O−E)²/E with one
// degree of freedom (Pearson 1900).
func RatioMismatch(first, second int, share float64) float64 {
	total := float64(first + second)
	if total == 0 {
		return 1
	}
	x := 0.0
	for _, c := range []struct{ observed, expected float64 }{
		{float64(first), share * total}, {float64(second), (1 - share) * total},
	} {
		x += (c.observed - c.expected) * (c.observed - c.expected) / c.expected
	}
	return chiSquare(x)
}

// chiSquare is the probability that a χ² variable with one degree of freedom exceeds x:
// erfc(√(x/2)) (Abramowitz and Stegun 26.4.6 with 7.1.2).
func chiSquare(x float64) float64 { return math.Erfc(math.Sqrt(x / 2)) }

// MoreThanBefore is the p-value of the one-sided test that events come more often than before: the
// chance of x or more events in n trials, given that x plus x0 events came in n and n0 trials at
// one rate (the conditional test of two Poisson rates, Przyborowski and Wilenski 1940). It is exact
// for rare events, and errs on the side of no difference for others.
func MoreThanBefore(x, n, x0, n0 int) float64 {
	if x <= 0 || n <= 0 || n0 <= 0 {
		return 1
	}
	return incompleteBeta(float64(n)/float64(n+n0), float64(x), float64(x0+1))
}
