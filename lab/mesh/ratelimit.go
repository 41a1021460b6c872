package mesh

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"
)

// RateLimit is an HTTPLocalRateLimitPolicy. Each pod counts by itself.
type RateLimit struct {
	Name, Namespace string
	Created         time.Time
	// Server is the name of the Server that the policy belongs to.
	Server string
	// Total limits all clients together, Identity each of them, in requests per second; 0 is no
	// limit.
	Total, Identity int
	// Overrides replace Identity for some clients.
	Overrides []RateOverride
}

// RateOverride is the limit that some clients share.
type RateOverride struct {
	RequestsPerSecond int
	Identities        []string
}

// Scopes of a rate limit, the values of the label ratelimit_scope. Overrides count as identity.
const (
	ScopeTotal    = "total"
	ScopeIdentity = "identity"
)

// rateLimitOf returns the oldest policy of a Server, the only one that the status controller
// accepts, or nil (linkerd2, policy-controller/k8s/status/src/index.rs).
func (p *Policies) rateLimitOf(s *Server) *RateLimit {
	var found []*RateLimit
	for i := range p.RateLimits {
		if l := &p.RateLimits[i]; l.Namespace == s.Namespace && l.Server == s.Name {
			found = append(found, l)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return slices.MinFunc(found, func(a, b *RateLimit) int {
		return cmp.Or(compareTimes(a.Created, b.Created), strings.Compare(a.Name, b.Name))
	})
}

// Limiter enforces a rate limit in one pod. It begins again when the policy changes.
type Limiter struct {
	limit      *RateLimit
	total      bucket
	overrides  []bucket
	identities map[string]*bucket
}

// Follow returns the limiter for a limit: the same while the limit is the same, a new one after a
// change, or nil without a limit.
func (l *Limiter) Follow(limit *RateLimit) *Limiter {
	switch {
	case limit == nil:
		return nil
	case l != nil && reflect.DeepEqual(l.limit, limit):
		return l
	}
	return NewLimiter(limit)
}

// NewLimiter returns a limiter that has admitted nothing yet.
func NewLimiter(l *RateLimit) *Limiter {
	return &Limiter{limit: l, overrides: make([]bucket, len(l.Overrides)), identities: map[string]*bucket{}}
}

// Take counts a request of a client and returns the scope of the limit that it exceeds, or "".
// Clients without an identity share a limit. A request over its client's limit still counts for the
// total (linkerd2-proxy, linkerd/proxy/server-policy/src/local_rate_limit.rs).
func (l *Limiter) Take(now time.Duration, identity string) string {
	if l.limit.Total > 0 && !l.total.take(now, l.limit.Total) {
		return ScopeTotal
	}
	if i := l.limit.override(identity); i >= 0 {
		if !l.overrides[i].take(now, l.limit.Overrides[i].RequestsPerSecond) {
			return ScopeIdentity
		}
		return ""
	}
	if l.limit.Identity == 0 {
		return ""
	}
	b := l.identities[identity]
	if b == nil {
		b = &bucket{}
		l.identities[identity] = b
	}
	if !b.take(now, l.limit.Identity) {
		return ScopeIdentity
	}
	return ""
}

// override returns the override of a client, the last of several, or -1.
func (l *RateLimit) override(identity string) int {
	for i, o := range slices.Backward(l.Overrides) {
		if identity != "" && o.RequestsPerSecond > 0 && slices.Contains(o.Identities, identity) {
			return i
		}
	}
	return -1
}

// bucket is a limit of requests per second with a burst of one second's worth, by the generic cell
// rate algorithm (governor 0.10, src/gcra.rs, with Quota::per_second).
type bucket struct {
	// arrival is the theoretical arrival time of the next request.
	arrival time.Duration
	used    bool
}

func (b *bucket) take(now time.Duration, perSecond int) bool {
	interval := time.Second / time.Duration(perSecond)
	if !b.used {
		b.arrival, b.used = now+interval, true
	}
	if now < b.arrival-interval*time.Duration(perSecond) {
		return false
	}
	b.arrival = max(b.arrival, now) + interval
	return true
}
