// Package stats holds the statistics of detection: what the best possible alarm could have known, and when.
//
// It is mathematics over counts. It knows no events, no scenario and no score; each formula names its source.
package stats

import (
	"errors"
	"math"
)

// ErrorRates of a detector: Alpha is the chance of an alarm on a healthy version, Beta that of none on a faulty one.
type ErrorRates struct{ Alpha, Beta float64 }

// DefaultErrorRates are the error rates of the information bound.
func DefaultErrorRates() ErrorRates { return ErrorRates{Alpha: 0.001, Beta: 0.05} }

// KL is the Kullback-Leibler divergence of Bernoulli(p1) from Bernoulli(p0) in nats: what one request of a faulty version
// tells about it on average (Kullback and Leibler 1951). Infinite when p0 excludes what p1 allows.
func KL(p1, p0 float64) float64 {
	return term(p1, p0) + term(1-p1, 1-p0)
}

func term(p, q float64) float64 {
	if p == 0 {
		return 0
	}
	return p * math.Log(p/q)
}

// LLR is the log-likelihood ratio of counts: how much they speak for bad-request rate p1 against p0, in nats.
func LLR(bad, good int, p1, p0 float64) float64 {
	return count(bad, p1, p0) + count(good, 1-p1, 1-p0)
}

func count(n int, p, q float64) float64 {
	if n == 0 {
		return 0
	}
	return float64(n) * math.Log(p/q)
}

// Upper is the SPRT's alarm boundary A = ln((1−β)/α), Lower its all-clear ln(β/(1−α)) (Wald 1945).
func (e ErrorRates) Upper() float64 { return math.Log((1 - e.Beta) / e.Alpha) }

// Lower is the boundary at which the SPRT decides for the healthy version.
func (e ErrorRates) Lower() float64 { return math.Log(e.Beta / (1 - e.Alpha)) }

// ExpectedFaulty is Wald's expected number of requests until the SPRT ends when the version is faulty:
// [(1−β)·ln((1−β)/α) + β·ln(β/(1−α))] / KL(p1‖p0), neglecting the overshoot.
func (e ErrorRates) ExpectedFaulty(p1, p0 float64) float64 {
	return ((1-e.Beta)*e.Upper() + e.Beta*e.Lower()) / KL(p1, p0)
}

// ExpectedHealthy is the same when it is healthy: [(1−α)·ln((1−α)/β) + α·ln(α/(1−β))] / KL(p0‖p1).
func (e ErrorRates) ExpectedHealthy(p1, p0 float64) float64 {
	return (-(1-e.Alpha)*e.Lower() - e.Alpha*e.Upper()) / KL(p0, p1)
}

// FixedSize is the number of requests of one version that a test of fixed size against a known rate p0 needs:
// [z(1−α)·√(p0q0) + z(1−β)·√(p1q1)]² / (p1−p0)², the textbook normal approximation.
func (e ErrorRates) FixedSize(p1, p0 float64) float64 {
	root := NormalQuantile(1-e.Alpha)*math.Sqrt(p0*(1-p0)) + NormalQuantile(1-e.Beta)*math.Sqrt(p1*(1-p1))
	return root * root / ((p1 - p0) * (p1 - p0))
}

// FixedTime is the time in seconds that a fixed-size test of canary against primary needs at rate requests per second and
// canary weight w: t = [z(1−α)·√(p̄q̄(1/w+1/(1−w))) + z(1−β)·√(p1q1/w+p0q0/(1−w))]² / (λ(p1−p0)²), p̄ = w·p1+(1−w)·p0.
func (e ErrorRates) FixedTime(rate, w, p1, p0 float64) float64 {
	mean := w*p1 + (1-w)*p0
	null := NormalQuantile(1-e.Alpha) * math.Sqrt(mean*(1-mean)*(1/w+1/(1-w)))
	alternative := NormalQuantile(1-e.Beta) * math.Sqrt(p1*(1-p1)/w+p0*(1-p0)/(1-w))
	return (null + alternative) * (null + alternative) / (rate * (p1 - p0) * (p1 - p0))
}

// Decision of a sequential test.
type Decision int

// Decisions.
const (
	Undecided Decision = iota
	Alarm
	Clear
)

// SPRT is Wald's sequential probability ratio test of bad-request rate p1 against p0.
type SPRT struct {
	p1, p0       float64
	upper, lower float64
	sum          float64
}

// NewSPRT returns a test. Rates must satisfy 0 < p0 < p1 < 1.
func NewSPRT(p1, p0 float64, e ErrorRates) (*SPRT, error) {
	if !(0 < p0 && p0 < p1 && p1 < 1) {
		return nil, errors.New("a sequential test needs bad-request rates 0 < p0 < p1 < 1")
	}
	return &SPRT{p1: p1, p0: p0, upper: e.Upper(), lower: e.Lower()}, nil
}

// Add takes counts and decides; a decision is for good.
func (s *SPRT) Add(bad, good int) Decision {
	if d := s.decision(); d != Undecided {
		return d
	}
	s.sum += LLR(bad, good, s.p1, s.p0)
	return s.decision()
}

func (s *SPRT) decision() Decision {
	switch {
	case s.sum >= s.upper:
		return Alarm
	case s.sum <= s.lower:
		return Clear
	}
	return Undecided
}

// CUSUM is Page's test for a fault that begins later: W ← max(0, W+LLR), alarm at h. Its false-alarm run length is at least
// e^h requests and its delay about h/KL (Page 1954, Lorden 1971).
type CUSUM struct {
	p1, p0, h float64
	w         float64
}

// NewCUSUM returns a test with threshold h in nats.
func NewCUSUM(p1, p0, h float64) *CUSUM { return &CUSUM{p1: p1, p0: p0, h: h} }

// Add takes one request and tells whether the alarm is on.
func (c *CUSUM) Add(bad bool) bool {
	b := 0
	if bad {
		b = 1
	}
	if c.w < c.h {
		c.w = max(0, c.w+LLR(b, 1-b, c.p1, c.p0))
	}
	return c.w >= c.h
}

// Delay is the CUSUM's approximate delay h/KL in requests.
func (c *CUSUM) Delay() float64 { return c.h / KL(c.p1, c.p0) }

// HarmBound is the harm in requests that an ideal alarm lets through whatever the weights: A·(p1−p0)/KL, because it ends
// when λ·KL·∫w dt = A. To it comes λ·w·(p1−p0)·δ for a fixed lag δ in seconds at weight w.
func (e ErrorRates) HarmBound(p1, p0 float64) float64 { return e.Upper() * (p1 - p0) / KL(p1, p0) }

// LagHarm is the harm of a fixed lag of the given seconds at weight w, in requests.
func LagHarm(rate, w, p1, p0, lag float64) float64 { return rate * w * (p1 - p0) * lag }

// BurnRate is how many times faster than allowed an error ratio spends the error budget of an objective in percent
// (SRE workbook, alerting on SLOs).
func BurnRate(errorRatio, objective float64) float64 { return errorRatio / (1 - objective/100) }

// BurnThreshold is the service-wide error ratio above which a burn-rate alert of the given factor fires.
func BurnThreshold(factor, objective float64) float64 { return factor * (1 - objective/100) }
