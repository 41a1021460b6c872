package conformance

import "math"

// falseAlarmRate is the chance with which one comparison of a count with its expectation fails on a cluster that does all right. The suite
// makes a few dozen of them, so it fails by chance less than once in ten thousand runs.
const falseAlarmRate = 1e-6

// draws is a number of independent draws, each with a chance of its own.
type draws struct {
	n, hits            int
	expected, variance float64
}

// add counts n draws with the chance p, of which hits came true.
func (t *draws) add(n, hits int, p float64) {
	t.n += n
	t.hits += hits
	t.expected += float64(n) * p
	t.variance += float64(n) * p * (1 - p)
}

// bound is how far the hits may be from what is expected. It is Bernstein's inequality: for independent draws
// P(|hits − expected| ≥ t) ≤ 2·exp(−t²/(2·(variance + t/3))) (Boucheron, Lugosi, Massart: Concentration Inequalities, 2013, 2.8).
func (t *draws) bound() float64 {
	if t.variance == 0 {
		return 0 // nothing is left to chance
	}
	l := math.Log(2 / falseAlarmRate)
	return l/3 + math.Sqrt(l*l/9+2*l*t.variance)
}

// exceeds tells whether the hits are further from what is expected than chance and a share of all draws explain.
func (t *draws) exceeds(allowed Share) bool {
	return math.Abs(float64(t.hits)-t.expected) > t.bound()+allowed.Of*float64(t.n)
}

// poissonBound is how far a Poisson count of a mean may be from it, by the same inequality in the limit of many draws.
func poissonBound(mean float64) float64 {
	t := draws{variance: mean}
	return t.bound()
}
