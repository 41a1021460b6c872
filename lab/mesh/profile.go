package mesh

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// Profile is a ServiceProfile: routes, retries, timeouts and weights of the requests to a Service
// that no HTTPRoute attaches to; beside an HTTPRoute it has no effect (linkerd2-proxy,
// linkerd/app/outbound/src/http/logical/profile.rs).
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
	// Method is in upper case, or "". Path must match the whole path; nil matches every one.
	Method string
	Path   *regexp.Regexp
	// Retryable lets responses that count as failures be retried, as far as the budget allows.
	Retryable bool
	// Timeout limits the whole request; 0 means none.
	Timeout time.Duration
}

// CompilePath compiles a pathRegex.
func CompilePath(expr string) (*regexp.Regexp, error) { return compileRegex("pathRegex", expr) }

// Match returns the route of a request, or nil.
func (p *Profile) Match(r *Request) *ProfileRoute {
	i := slices.IndexFunc(p.Routes, func(x ProfileRoute) bool {
		return (x.Method == "" || strings.EqualFold(x.Method, r.Method)) &&
			(x.Path == nil || matchesWhole(x.Path, r.Path))
	})
	if i < 0 {
		return nil
	}
	return &p.Routes[i]
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

// DefaultRetryBudget returns the budget of a profile without one.
func DefaultRetryBudget() RetryBudget {
	return RetryBudget{Ratio: 0.2, MinPerSecond: 10, TTL: 10 * time.Second}
}

// Budget is the state of a [RetryBudget] of one route in one client's proxy.
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
