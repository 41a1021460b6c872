package mesh

import (
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// inboundRouteStats counts the admitted requests to a route of a Server. All clients share it
// (linkerd2-proxy, linkerd/app/inbound/src/http/router/metrics).
type inboundRouteStats struct {
	proxy    *Proxy
	labels   []Label
	requests Counter
	// request and response have the same values here: the proxies take no time.
	request, response Histogram
	statuses          []routeStatus
}

func (p *Proxy) inboundRouteStats(v Verdict) inboundRouteStats {
	labels := p.labels(v.Server.labels("parent"), []Label{{"parent_port", strconv.Itoa(v.Port)}},
		v.Route.labels("route"))
	return inboundRouteStats{
		proxy: p, labels: labels, requests: p.reg.Counter(p.owner, "inbound_http_requests_total", labels...),
		// The bounds are those of outbound metrics, the other way round (linkerd2-proxy,
		// linkerd/app/inbound/src/metrics.rs).
		request:  p.reg.Histogram(p.owner, "inbound_http_request_duration_seconds", p.reg.bounds.response, labels...),
		response: p.reg.Histogram(p.owner, "inbound_http_response_duration_seconds", p.reg.bounds.request, labels...),
	}
}

// answered counts a response; 0 is a connection that broke.
func (s *inboundRouteStats) answered(status int, latency time.Duration) {
	at := s.proxy.reg.bounds.place(latency)
	s.request.observe(at.response, int64(latency))
	s.response.observe(at.request, int64(latency))
	for i := range s.statuses {
		if s.statuses[i].status == status {
			s.statuses[i].total.Inc()
			return
		}
	}
	code := ""
	if status != 0 {
		code = strconv.Itoa(status)
	}
	labels := slices.Concat(s.labels, []Label{{"status", code}})
	c := s.proxy.reg.Counter(s.proxy.owner, "inbound_http_statuses_total", labels...)
	c.Inc()
	s.statuses = append(s.statuses, routeStatus{status: status, total: c})
}

// inboundLimitStats makes the counters of a rate limit when they are first needed.
type inboundLimitStats struct {
	proxy       *Proxy
	target      netip.AddrPort
	server, tls []Label
	meshed      bool
}

// inboundProxyPort is the port on which proxies accept connections. Errors of requests from the
// mesh are counted for it (recorded).
const inboundProxyPort = 4143

// Limited counts an authorized request that exceeds a rate limit in a scope. It is answered 429 and,
// like a denied one, missing from request_total and response_total.
func (in *Inbound) Limited(l *RateLimit, scope string) {
	s := &in.limit
	in.allow.Inc()
	reg, owner := s.proxy.reg, s.proxy.owner
	ref := append(RateLimitRef(l.Name).labels("ratelimit"),
		Label{"ratelimit_scope", scope})
	reg.Counter(owner, "inbound_http_local_ratelimit_total",
		s.proxy.labels(targetAddr(s.target), s.server, ref, s.tls)...).Inc()
	in.errored()
}

// errored counts a request that the proxy could not serve.
func (in *Inbound) errored() {
	s := &in.limit
	at := s.target
	if s.meshed {
		at = netip.AddrPortFrom(at.Addr(), inboundProxyPort)
	}
	s.proxy.reg.Counter(s.proxy.owner, "inbound_http_errors_total",
		s.proxy.labels([]Label{{"error", "unexpected"}}, targetAddr(at), s.server)...).Inc()
}
