package mesh

import (
	"fmt"
	"slices"
	"time"
)

// ErrorProfileTimeout is the error of a request that took longer than its route of a ServiceProfile
// allows, the value of the label error of route_response_total.
const ErrorProfileTimeout = "timeout"

// ProfileStats counts the requests of a client's proxy by one route of a ServiceProfile, in place of
// the series of HTTPRoutes (linkerd2-proxy, linkerd/app/core/src/metrics.rs).
type ProfileStats struct {
	requests, attempts       targetStats
	retryable, withoutBudget Counter
}

// Profile returns the counters of a route of a Service's profile. The default route has no name.
func (p *Proxy) Profile(parent ServicePort, route string) *ProfileStats {
	dst := fmt.Sprintf("%s.%s.svc.%s:%d", parent.Name, parent.Namespace, TrustDomain, parent.Port)
	own := []Label{{"direction", "outbound"}, {"dst", dst}}
	if route != "" {
		own = append(own, Label{"rt_route", route})
	}
	labels := p.labels(own)
	s := &ProfileStats{
		requests: p.newTargetStats("route_", labels), attempts: p.newTargetStats("route_actual_", labels),
	}
	used := s.requests.lastUsed
	skipped := slices.Concat(labels, []Label{{"skipped", "no_budget"}})
	s.retryable = Counter{p.reg.intern(p.owner, used, nil, "route_retryable_total", labels)}
	s.withoutBudget = Counter{p.reg.intern(p.owner, used, nil, "route_retryable_total", skipped)}
	return s
}

// Request counts a request that the proxy received.
func (s *ProfileStats) Request(now time.Duration) { s.requests.request(now) }

// Attempt counts a request that is sent to a backend.
func (s *ProfileStats) Attempt(now time.Duration) { s.attempts.request(now) }

// Retryable counts a response that is to be retried, and whether the budget allows it.
func (s *ProfileStats) Retryable(allowed bool) {
	s.retryable.Inc()
	if !allowed {
		s.withoutBudget.Inc()
	}
}

// AttemptResponse counts a backend's response, or an error of the proxy with status 0.
func (s *ProfileStats) AttemptResponse(now time.Duration, status int) {
	if status == 0 {
		s.attempts.fail(now, errorUnclassified)
		return
	}
	*s.attempts.lastUsed = now
	s.attempts.status(status).total.Inc() // attempts have no latencies
}

// Response counts what the client got: a response, or an error of the proxy with status 0.
func (s *ProfileStats) Response(now time.Duration, status int, err string, latency time.Duration) {
	switch {
	case status != 0:
		s.requests.response(now, status, latency)
	case err == ErrorProfileTimeout:
		s.requests.fail(now, err)
	default:
		s.requests.fail(now, errorUnclassified)
	}
}
