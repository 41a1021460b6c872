package mesh

import "time"

// Retry is when a client's proxy sends a request again: the annotations retry.linkerd.io/* of a
// route or a Service (linkerd2, policy-controller/k8s/index/src/outbound/index/http.rs,
// parse_http_retry).
type Retry struct {
	// Statuses are retried. Without any, only requests that reached no backend and those that took
	// longer than Timeout are.
	Statuses []StatusRange
	// Limit is the number of attempts after the first.
	Limit int
	// Timeout limits each attempt but the last; 0 means none.
	Timeout time.Duration
}

// StatusRange is an inclusive range of HTTP statuses.
type StatusRange struct{ First, Last int }

// MaxRetryBody is the size in bytes of the largest request that is sent again (linkerd2,
// policy-controller/grpc/src/outbound/http.rs, convert_retry).
const MaxRetryBody = 64 << 10

// Retries reports whether the result of an attempt is worth another: a status of the backend, or an
// error of the proxy with status 0 (linkerd2-proxy,
// linkerd/app/outbound/src/http/logical/policy/route/retry.rs).
func (r *Retry) Retries(status int, err string) bool {
	switch err {
	case "":
	case ErrorFailFast, ErrorResponseHeadersTimeout:
		return true
	default:
		return false
	}
	for _, s := range r.Statuses {
		if status >= s.First && status <= s.Last {
			return true
		}
	}
	return false
}

// Backoff returns the pause before the n-th retry, counted from 1.
func (r *Retry) Backoff(n int, random uint64) time.Duration {
	return backoff(25*time.Millisecond, 250*time.Millisecond, 1, n-1, random)
}

// AtOnce is a timeout of 0: it is over when the request comes (linkerd2-proxy,
// linkerd/http/stream-timeouts/src/lib.rs).
const AtOnce time.Duration = 1

// Timeouts limit how long a client's proxy waits: the annotations timeout.linkerd.io/* of a route or
// a Service, and timeouts.request of a rule. 0 means no limit.
type Timeouts struct {
	// Request limits the whole request with its retries, Response each attempt.
	Request, Response time.Duration
	// Idle limits how long nothing is sent either way. It begins with the response's headers, so
	// that a slow response without a streamed body never exceeds it.
	Idle time.Duration
}

// Deadline returns when an attempt ends that is sent now, and the error that it ends with. Attempts
// count from 1; received is when the proxy received the request. A time of 0 means no limit
// (linkerd2-proxy, linkerd/http/stream-timeouts/src/lib.rs, and
// linkerd/app/outbound/src/http/logical/policy/route/retry.rs, set_extensions).
func (t Timeouts) Deadline(r *Retry, attempt int, received, now time.Duration) (time.Duration, string) {
	var at time.Duration
	err := ""
	if t.Request > 0 {
		at, err = received+t.Request, ErrorRequestTimeout
	}
	limit, name := t.Response, ErrorResponseStreamTimeout
	if r != nil && r.Timeout > 0 && attempt <= max(r.Limit, 1) {
		limit, name = r.Timeout, ErrorResponseHeadersTimeout
	}
	if limit > 0 && (at == 0 || now+limit < at) {
		at, err = now+limit, name
	}
	return at, err
}

// ServicePolicy is what the annotations and ports of a Service say to its clients' proxies.
type ServicePolicy struct {
	// Accrual configures circuit breaking; nil means none.
	Accrual *Accrual
	// Retry and Timeouts apply to rules that have none of their own.
	Retry    *Retry
	Timeouts Timeouts
	// Protocol says how the proxy takes the port's traffic.
	Protocol Protocol
}

// Protocol is how a client's proxy takes the traffic to a Service's port.
type Protocol uint8

// Protocols, by the port's appProtocol and the annotation config.linkerd.io/opaque-ports.
const (
	// ProtocolDetect is HTTP if it looks like it.
	ProtocolDetect Protocol = iota
	// ProtocolOpaque is plain TCP: no routes, no HTTP metrics.
	ProtocolOpaque
	// ProtocolHTTP2 breaks clients that speak HTTP/1.
	ProtocolHTTP2
)

// Limits returns the timeouts and retries of the rule's requests to a Service. A rule with any
// timeout has only its own (linkerd2, policy-controller/grpc/src/outbound/http.rs,
// convert_outbound_route).
func (r *Rule) Limits(s *ServicePolicy) (Timeouts, *Retry) {
	timeouts, retry := r.Timeouts, r.Retry
	if timeouts == (Timeouts{}) {
		timeouts = s.Timeouts
	}
	if retry == nil {
		retry = s.Retry
	}
	return timeouts, retry
}
