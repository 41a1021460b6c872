package stats

import "math"

// Interval is a confidence interval.
type Interval struct{ Low, High float64 }

// Wilson is the score interval of a proportion (Wilson 1927). Without trials it is 0 to 1.
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

// maxExactTrials is the number of trials from which the exact interval differs from Wilson's by
// less than a millionth, while it takes ever longer to compute.
const maxExactTrials = 1_000_000

// ClopperPearson is the exact interval of a proportion (Clopper and Pearson 1934): its ends are the
// proportions at which so few successes, or so many, have a chance of half of what the confidence
// leaves. Unlike Wilson's interval, which holds its confidence on average, it holds it for any
// proportion and number of trials. Without trials it is 0 to 1.
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

// bisectShare finds the share of 0 to 1 up to which a condition holds.
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

// MeanInterval is the mean of samples and its confidence interval by Student's t. ok is false for
// fewer than two samples, which have no interval.
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
