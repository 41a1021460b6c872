package conformance

import "math"

// falseAlarmRate is the probability that one comparison of a count with its expectation fails on a
// correct cluster. The suite makes a few dozen of them, so it fails by chance in fewer than one of
// ten thousand runs.
const falseAlarmRate = 1e-6

// draws is a number of independent draws with individual probabilities.
type draws struct {
	n, hits            int
	expected, variance float64
}

// add adds n draws of probability p, of which hits came true.
func (t *draws) add(n, hits int, p float64) {
	t.n += n
	t.hits += hits
	t.expected += float64(n) * p
	t.variance += float64(n) * p * (1 - p)
}

// bound returns how far the hits may be from their expectation, by Bernstein's inequality: for
// independent draws P(|hits − expected| ≥ t) ≤ 2·exp(−t²/(2·(variance + t/3))) (Boucheron, Lugosi,
// Massart: Concentration Inequalities, 2013, 2.8).
func (t *draws) bound() float64 {
	if t.variance == 0 {
		return 0 // the draws are certain
	}
	l := math.Log(2 / falseAlarmRate)
	return l/3 + math.Sqrt(l*l/9+2*l*t.variance)
}

// exceeds reports whether the hits are further from their expectation than chance and the allowed
// share of all draws explain.
func (t *draws) exceeds(allowed Share) bool {
	return math.Abs(float64(t.hits)-t.expected) > t.bound()+allowed.Of*float64(t.n)
}

// poissonBound returns how far a Poisson count may be from its mean, by the same inequality in the
// limit of many draws.
func poissonBound(mean float64) float64 {
	t := draws{variance: mean}
	return t.bound()
}
