package stats

import "math"

// CheckFails is the chance that one check "success rate at least success percent" fails on n requests of which each is bad
// with probability p: the binomial tail beyond the bad requests that the check allows. Without requests it fails.
func CheckFails(p float64, n int, success float64) float64 {
	if n == 0 {
		return 1
	}
	// The comparison is Flagger's: the measured percentage, not a count.
	pass := 0.0
	for k := 0; k <= n && float64(n-k)/float64(n)*100 >= success; k++ {
		pass += binomial(n, k, p)
	}
	return min(1, max(0, 1-pass))
}

func binomial(n, k int, p float64) float64 {
	switch {
	case p <= 0 || p >= 1:
		if p <= 0 && k == 0 || p >= 1 && k == n {
			return 1
		}
		return 0
	}
	ln := func(x int) float64 { l, _ := math.Lgamma(float64(x) + 1); return l }
	return math.Exp(ln(n) - ln(k) - ln(n-k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

// Policy is a rollout by steps as Flagger plays it: one check per interval, a failed one holds the weight, and the rollout
// is undone when so many have failed in all.
type Policy struct {
	// Weights of the steps, 0 to 1; Interval in seconds; Success in percent.
	Weights   []float64
	Interval  float64
	Success   float64
	Threshold int
}

// CoursePolicy is the one of the course: 10 to 50 % by 10, 30 s, five failed checks, 99 %.
func CoursePolicy() Policy {
	return Policy{Weights: []float64{0.1, 0.2, 0.3, 0.4, 0.5}, Interval: 30, Success: 99, Threshold: 5}
}

// Rollback is the chance that the policy undoes a release whose requests are bad with probability p, at rate requests per
// second. Failures at one weight are geometric; they add up over the steps. The number of requests in an interval is
// Poisson's; an interval without any fails its check, as Flagger has it ("no values found").
func (p Policy) Rollback(bad, rate float64) float64 {
	// alive[k] is the chance of having reached the step with k failed checks.
	alive := make([]float64, p.Threshold)
	alive[0] = 1
	for _, w := range p.Weights {
		fails := p.checkFails(bad, rate*w*p.Interval)
		next := make([]float64, p.Threshold)
		carried := 0.0
		for k := range next {
			carried = carried*fails + alive[k]
			next[k] = carried * (1 - fails)
		}
		alive = next
	}
	through := 0.0
	for _, a := range alive {
		through += a
	}
	return 1 - through
}

// checkFails averages [CheckFails] over a Poisson number of requests with the given mean.
func (p Policy) checkFails(bad, mean float64) float64 {
	spread := 10*math.Sqrt(mean) + 10
	sum := 0.0
	for n := int(max(0, mean-spread)); n <= int(mean+spread); n++ {
		l, _ := math.Lgamma(float64(n) + 1)
		sum += math.Exp(float64(n)*math.Log(mean)-mean-l) * CheckFails(bad, n, p.Success)
	}
	return min(1, sum)
}

// SegmentNeed is about how many requests of all users a sequential test needs, A/KL, to see a fault that raises the rate
// of a cohort of the given share from p0 to p1: over all users together, and per segment with k segments (Bonferroni:
// α/k each). The first grows as 1/share², the second as 1/share.
func (e ErrorRates) SegmentNeed(share, p1, p0 float64, k int) (aggregate, segmented float64) {
	aggregate = e.Upper() / KL(p0+share*(p1-p0), p0)
	each := ErrorRates{Alpha: e.Alpha / float64(k), Beta: e.Beta}
	return aggregate, each.Upper() / KL(p1, p0) / share
}
