package mesh

import "time"

// SuccessRate configures the second condition of the mode unified: the annotations
// balancer.alpha.linkerd.io/failure-accrual-success-rate-* (linkerd2,
// policy-controller/k8s/index/src/outbound/index.rs, parse_success_rate_params).
type SuccessRate struct {
	// Threshold is the share of good responses below which the breaker trips; 0 never trips it.
	// Responses are bad if they are 5xx or 429.
	Threshold float64
	// Window is the time over which responses are counted.
	Window time.Duration
	// MinRequests is the least number of responses in the window that trips the breaker.
	MinRequests int
}

// DefaultSuccessRate returns the parameters without annotations (linkerd2,
// policy-controller/core/src/outbound.rs).
func DefaultSuccessRate() SuccessRate {
	return SuccessRate{Threshold: 0.8, Window: 10 * time.Second, MinRequests: 5}
}

const rateBuckets = 10

// rateWindow counts responses in a ring of buckets that together span the window (linkerd2-proxy,
// linkerd/app/outbound/src/http/breaker/success_rate.rs). The zero value is empty.
type rateWindow struct {
	good, all [rateBuckets]int
	current   int
	// began is when the current bucket begins.
	began time.Duration
	used  bool
}

func (w *rateWindow) record(now, window time.Duration, good bool) {
	w.roll(now, max(window/rateBuckets, time.Millisecond))
	w.all[w.current]++
	if good {
		w.good[w.current]++
	}
}

// roll empties the buckets whose time has passed out of the window.
func (w *rateWindow) roll(now, width time.Duration) {
	if !w.used {
		w.began, w.used = now, true
	}
	steps := int((now - w.began) / width)
	for i := range min(steps, rateBuckets) {
		at := (w.current + i + 1) % rateBuckets
		w.good[at], w.all[at] = 0, 0
	}
	w.current = (w.current + steps) % rateBuckets
	w.began += time.Duration(steps) * width
}

// below reports whether the share of good responses is below the threshold.
func (w *rateWindow) below(r *SuccessRate) bool {
	good, all := 0, 0
	for i := range rateBuckets {
		good += w.good[i]
		all += w.all[i]
	}
	return all > 0 && all >= r.MinRequests && float64(good) < r.Threshold*float64(all)
}
