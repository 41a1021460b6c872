package mesh

import (
	"net/http"
	"time"
)

// Accrual configures the circuit breaker of every endpoint of a Service: the annotations
// balancer.linkerd.io/failure-accrual-* (linkerd2, policy-controller/k8s/index/src/outbound/
// index.rs, parse_consecutive_params).
type Accrual struct {
	// MaxFailures in a row trip the breaker.
	MaxFailures int
	// MinPenalty is the first time for which the endpoint gets nothing. Every failed probe doubles
	// it, up to MaxPenalty.
	MinPenalty, MaxPenalty time.Duration
	// Jitter is the share of a penalty that is added at most, at random.
	Jitter float64
	// Rate also trips the breaker; nil is the mode consecutive, otherwise the mode is unified.
	Rate *SuccessRate
}

// equal reports whether two configurations, which may be nil, are the same.
func (a *Accrual) equal(b *Accrual) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	x.Rate, y.Rate = nil, nil
	sameRate := a.Rate == b.Rate || a.Rate != nil && b.Rate != nil && *a.Rate == *b.Rate
	return x == y && sameRate
}

// DefaultAccrual returns the parameters without annotations.
func DefaultAccrual() Accrual {
	return Accrual{MaxFailures: 7, MinPenalty: time.Second, MaxPenalty: time.Minute, Jitter: 0.5}
}

// breaker is the circuit breaker of one endpoint (linkerd2-proxy,
// linkerd/app/outbound/src/http/breaker/consecutive_failures.rs). The zero value is closed: it
// lets requests pass.
type breaker struct {
	state    breakerState
	failures int
	rate     rateWindow
	// penalties counts those since the breaker was last closed.
	penalties int
}

type breakerState uint8

const (
	breakerClosed breakerState = iota
	// breakerOpen lets nothing pass.
	breakerOpen
	// breakerProbation lets one request pass.
	breakerProbation
	// breakerProbing waits for the response to that request.
	breakerProbing
)

func (b *breaker) available() bool { return b.state == breakerClosed || b.state == breakerProbation }

// begin counts a request that is sent to the endpoint.
func (b *breaker) begin() {
	if b.state == breakerProbation {
		b.state = breakerProbing
	}
}

// end counts a response. If it opens the breaker, it returns the penalty, with random bits for its
// jitter. On probation the next response decides, whichever request it is for.
func (b *breaker) end(now time.Duration, a *Accrual, status int, random uint64) (penalty time.Duration, opened bool) {
	failure := Classify(status) == "failure"
	switch b.state {
	case breakerOpen:
		return 0, false // the response to a request from before the penalty
	case breakerClosed:
		if !b.trips(now, a, status, failure) {
			return 0, false
		}
	default:
		if !failure && !(a.Rate != nil && status == http.StatusTooManyRequests) {
			*b = breaker{}
			return 0, false
		}
	}
	b.state, b.failures, b.rate = breakerOpen, 0, rateWindow{}
	b.penalties++
	return backoff(a.MinPenalty, a.MaxPenalty, a.Jitter, b.penalties-1, random), true
}

// trips counts a response while the breaker is closed and reports whether it opens.
func (b *breaker) trips(now time.Duration, a *Accrual, status int, failure bool) bool {
	if failure {
		b.failures++
	} else {
		b.failures = 0
	}
	low := false
	if r := a.Rate; r != nil && r.Threshold > 0 {
		b.rate.record(now, r.Window, !failure && status != http.StatusTooManyRequests)
		low = b.rate.below(r)
	}
	return a.MaxFailures > 0 && b.failures >= a.MaxFailures || low
}

// backoff returns the n-th pause, counted from 0: least doubled n times, at most most, and then at
// random up to the jitter's share of it longer (linkerd2-proxy, linkerd/exp-backoff/src/lib.rs).
func backoff(least, most time.Duration, jitter float64, n int, random uint64) time.Duration {
	base := least
	for range n {
		if base = min(2*base, most); base == most {
			break
		}
	}
	base = min(base, most)
	return min(base+time.Duration(float64(base)*jitter*unit(random)), most)
}

// unit maps random bits to [0, 1).
func unit(random uint64) float64 { return float64(random>>11) / (1 << 53) }
