package mesh

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// Errors of the client's proxy, the values of the label error of route metrics (linkerd2-proxy,
// linkerd/app/outbound/src/http/logical/policy/route/metrics/labels.rs).
const (
	// ErrorFailFast is a 504: the request waited for an endpoint in vain.
	ErrorFailFast = "FAIL_FAST"
	// ErrorLoadShed is a 503: all backends of the rule fail fast.
	ErrorLoadShed = "LOAD_SHED"
	// ErrorRequestTimeout, ErrorResponseStreamTimeout and ErrorResponseHeadersTimeout are 504s: the
	// timeout of the request, of the response, and of an attempt that can be retried is over.
	ErrorRequestTimeout         = "REQUEST_TIMEOUT"
	ErrorResponseStreamTimeout  = "RESPONSE_STREAM_TIMEOUT"
	ErrorResponseHeadersTimeout = "RESPONSE_HEADERS_TIMEOUT"
	// ErrorUnknown is anything else. With a status, it is a response that was not passed on because
	// the request was sent again.
	ErrorUnknown = "UNKNOWN"
)

// ErrorStatus returns the status that the proxy answers an error with.
func ErrorStatus(err string) int {
	switch err {
	case ErrorLoadShed:
		return 503
	case ErrorUnknown:
		return 500
	}
	return 504
}

// errorKind returns the value of the label error of outbound_http_errors_total (linkerd2-proxy,
// linkerd/app/outbound/src/metrics/error.rs).
func errorKind(err string) string {
	switch err {
	case ErrorFailFast:
		return "failfast"
	case ErrorLoadShed:
		return "loadshed"
	}
	return "unexpected"
}

// ServicePort is a Service and its port.
type ServicePort struct {
	Namespace, Name string
	Port            int
}

func (s ServicePort) labels(scope string) []Label {
	return []Label{
		{scope + "_group", "core"}, {scope + "_kind", "Service"}, {scope + "_namespace", s.Namespace},
		{scope + "_name", s.Name}, {scope + "_port", strconv.Itoa(s.Port)},
	}
}

// routeLabels identifies an HTTPRoute, or with nil the default route of a Service without any.
func routeLabels(r *Route) []Label {
	if r == nil {
		return []Label{{"route_kind", "default"}, {"route_name", "http"}}
	}
	return []Label{
		{"route_group", cmp.Or(r.Group, "gateway.networking.k8s.io")}, {"route_kind", "HTTPRoute"},
		{"route_namespace", r.Namespace}, {"route_name", r.Name},
	}
}

// RouteStats counts the requests of a client's proxy by one route of a Service.
type RouteStats struct {
	proxy    *Proxy
	labels   []Label
	duration Histogram
	statuses []routeStatus
	retries  *retryStats
}

type routeStatus struct {
	status int
	err    string
	total  Counter
}

type retryStats struct{ requests, successes, limitExceeded Counter }

// Route returns the counters for a Service and a route; nil is the default route.
func (p *Proxy) Route(parent ServicePort, r *Route) *RouteStats {
	labels := p.labels(parent.labels("parent"), routeLabels(r))
	return &RouteStats{
		proxy: p, labels: labels,
		duration: p.reg.Histogram(p.owner, "outbound_http_route_request_duration_seconds",
			p.reg.bounds.request, labels...),
	}
}

// Response counts the response to a request, whether from the backend or from the proxy. An error
// of the proxy has status 0.
func (s *RouteStats) Response(status int, err string, latency time.Duration) {
	at := s.proxy.reg.bounds.place(latency)
	s.duration.observe(at.request, int64(latency))
	count(s.proxy, &s.statuses, "outbound_http_route_request_statuses_total", s.labels, status, err)
	if err != "" {
		s.proxy.reg.Counter(s.proxy.owner, "outbound_http_errors_total",
			s.proxy.labels([]Label{{"error", errorKind(err)}})...).Inc()
	}
}

// Retry counts a request that is sent again.
func (s *RouteStats) Retry() { s.retryStats().requests.Inc() }

// RetrySuccess counts a request that was sent again and got a response that is not to be retried.
func (s *RouteStats) RetrySuccess() { s.retryStats().successes.Inc() }

// RetryLimit counts a request whose last attempt got a response that is to be retried.
func (s *RouteStats) RetryLimit() { s.retryStats().limitExceeded.Inc() }

func (s *RouteStats) retryStats() *retryStats {
	if s.retries == nil {
		counter := func(name string) Counter {
			return s.proxy.reg.Counter(s.proxy.owner, "outbound_http_route_retry_"+name+"_total", s.labels...)
		}
		s.retries = &retryStats{counter("requests"), counter("successes"), counter("limit_exceeded")}
	}
	return s.retries
}

func count(p *Proxy, known *[]routeStatus, name string, labels []Label, status int, err string) {
	for i := range *known {
		if s := &(*known)[i]; s.status == status && s.err == err {
			s.total.Inc()
			return
		}
	}
	code := ""
	if status != 0 {
		code = strconv.Itoa(status)
	}
	all := slices.Concat(labels, []Label{{"http_status", code}, {"error", err}})
	s := routeStatus{status, err, p.reg.Counter(p.owner, name, all...)}
	s.total.Inc()
	*known = append(*known, s)
}

// BackendStats counts the requests of a client's proxy to one backend of a route.
type BackendStats struct {
	proxy    *Proxy
	labels   []Label
	requests Counter
	duration Histogram
	statuses []routeStatus
}

// Backend returns the counters for a backend of a route. The zero [ServicePort] is the one that
// stands for Services that do not exist.
func (p *Proxy) Backend(parent ServicePort, r *Route, backend ServicePort) *BackendStats {
	to := backend.labels("backend")
	if backend == (ServicePort{}) {
		to = []Label{{"backend_kind", "default"}, {"backend_name", "fail"}}
	}
	labels := p.labels(parent.labels("parent"), routeLabels(r), to)
	const prefix = "outbound_http_route_backend_"
	return &BackendStats{
		proxy: p, labels: labels,
		requests: p.reg.Counter(p.owner, prefix+"requests_total", labels...),
		duration: p.reg.Histogram(p.owner, prefix+"response_duration_seconds", p.reg.bounds.response, labels...),
	}
}

// Request counts a request to the backend.
func (s *BackendStats) Request() { s.requests.Inc() }

// Response counts a response of the backend, or an error of the proxy with status 0.
func (s *BackendStats) Response(status int, err string, latency time.Duration) {
	at := s.proxy.reg.bounds.place(latency)
	s.duration.observe(at.response, int64(latency))
	count(s.proxy, &s.statuses, "outbound_http_route_backend_response_statuses_total", s.labels, status, err)
}
