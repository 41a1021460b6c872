package mesh

import (
	"slices"
	"time"
)

// Profile is a ServiceProfile: routes, retries, timeouts and weights of the requests to a Service. A
// proxy that begins to use the Service follows it in place of the Service's HTTPRoutes and annotations
// (linkerd2-proxy, linkerd/app/outbound/src/sidecar.rs and src/http/logical/profile.rs).
type Profile struct {
	Namespace, Service string
	Routes             []ProfileRoute
	// Targets share all requests by weight. Without any, the Service's own endpoints get them.
	Targets []Backend
	Budget  RetryBudget
}

// ProfileRoute is a route of a [Profile]. The first that matches applies.
type ProfileRoute struct {
	Name string
	// Matches reports whether the route is for a request.
	Matches func(*Request) bool
	// Retryable lets responses that count as failures be retried, as far as the budget allows.
	Retryable bool
	// Failure classifies the status of a response; nil is [Classify].
	Failure func(status int) bool
	// Timeout limits the whole request; 0 means none.
	Timeout time.Duration
}

// MatchPath returns a condition on the whole path of a request.
func MatchPath(expr string) (func(*Request) bool, error) {
	compiled, err := compileRegex("pathRegex", expr)
	return func(r *Request) bool { return matchesWhole(compiled, r.Path) }, err
}

// Match returns the index of the route of a request, or -1.
func (p *Profile) Match(r *Request) int {
	return slices.IndexFunc(p.Routes, func(x ProfileRoute) bool { return x.Matches(r) })
}

// IsFailure reports whether a response counts as a failure, which is retried if the route is
// retryable.
func (r *ProfileRoute) IsFailure(status int) bool {
	if r.Failure != nil {
		return r.Failure(status)
	}
	return Classify(status) == "failure"
}

// Applies reports whether the profile has anything to say.
func (p *Profile) Applies() bool { return len(p.Routes)+len(p.Targets) > 0 }

// RetryBudget limits retries to a share of the requests in a time (tower,
// tower/src/retry/budget/tps_budget.rs).
type RetryBudget struct {
	Ratio        float64
	MinPerSecond float64
	TTL          time.Duration
}

// Valid reports whether the proxy takes the budget; without one it retries nothing (linkerd2-proxy,
// linkerd/service-profiles/src/proto.rs, convert_retry_budget).
func (b RetryBudget) Valid() bool {
	return b.Ratio >= 0 && b.Ratio <= 1000 && b.MinPerSecond >= 0 && b.TTL >= time.Second && b.TTL <= time.Minute
}

// DefaultRetryBudget returns the budget of a profile without one.
func DefaultRetryBudget() RetryBudget {
	return RetryBudget{Ratio: 0.2, MinPerSecond: 10, TTL: 10 * time.Second}
}

// Budget is the state of the [RetryBudget] of a [Profile] in one client's proxy. Its routes share it
// (linkerd2-proxy, linkerd/service-profiles/src/proto.rs).
type Budget struct {
	RetryBudget
	deposits, withdrawals []time.Duration
}

// Deposit counts a request that needs no retry.
func (b *Budget) Deposit(now time.Duration) { b.deposits = append(b.fresh(b.deposits, now), now) }

// Withdraw counts a retry and reports whether the budget allows it.
func (b *Budget) Withdraw(now time.Duration) bool {
	b.deposits, b.withdrawals = b.fresh(b.deposits, now), b.fresh(b.withdrawals, now)
	reserve := b.MinPerSecond * b.TTL.Seconds()
	if float64(len(b.withdrawals)) >= reserve+b.Ratio*float64(len(b.deposits)) {
		return false
	}
	b.withdrawals = append(b.withdrawals, now)
	return true
}

// fresh removes what is older than the TTL.
func (b *Budget) fresh(times []time.Duration, now time.Duration) []time.Duration {
	i := slices.IndexFunc(times, func(at time.Duration) bool { return at > now-b.TTL })
	if i < 0 {
		return times[:0]
	}
	return times[i:]
}
