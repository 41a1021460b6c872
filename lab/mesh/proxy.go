package mesh

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PodLabels returns the labels that the scrape configuration of Linkerd's viz extension adds to a
// pod's series: namespace, pod, the workload, and every label of the pod (linkerd2,
// viz/charts/linkerd-viz/templates/prometheus.yaml, job linkerd-proxy).
func PodLabels(job, namespace, pod, deployment string, podLabels map[string]string) []Label {
	added := []Label{{"job", job}, {"namespace", namespace}, {"pod", pod}, {"deployment", deployment}}
	var rest []Label
	for k, v := range podLabels {
		name := labelName(k)
		if !slices.ContainsFunc(added, func(l Label) bool { return l.Name == name }) {
			rest = append(rest, Label{name, v})
		}
	}
	slices.SortFunc(rest, func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
	return append(added, rest...)
}

// labelName replaces characters that are invalid in label names, as Prometheus' service discovery
// does.
func labelName(key string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, key)
}

// Proxy records the metrics of one pod's proxy. The caller makes and keeps one handle per peer.
type Proxy struct {
	reg   *Registry
	owner int
	added []Label
}

// Proxy returns the recorder of a pod's proxy. The labels are added to each series; see
// [PodLabels].
func (r *Registry) Proxy(owner int, added []Label) *Proxy {
	return &Proxy{reg: r, owner: owner, added: added}
}

// CertificateExpires sets the expiry time of the proxy's certificate. A leaf is valid for 24 hours
// and renewed at 70 % of that (linkerd2, values identity.issuer.issuanceLifetime); a model of
// expiry would set it once and deny afterwards.
func (p *Proxy) CertificateExpires(at time.Time) {
	p.reg.Counter(p.owner, "control_identity_cert_expiration_timestamp_seconds", p.added...).Set(float64(at.Unix()))
}

func (p *Proxy) labels(sets ...[]Label) []Label {
	return slices.Concat(append(sets, p.added)...)
}

func targetAddr(a netip.AddrPort) []Label {
	return []Label{
		{"target_addr", a.String()}, {"target_ip", a.Addr().String()}, {"target_port", strconv.Itoa(int(a.Port()))},
	}
}

func (r Ref) labels(scope string) []Label {
	return []Label{{scope + "_group", r.Group}, {scope + "_kind", r.Kind}, {scope + "_name", r.Name}}
}

// targetStats counts requests, responses by status and latencies by status for one target, in
// either direction.
type targetStats struct {
	proxy *Proxy
	// prefix is that of the series' names.
	prefix   string
	labels   []Label
	lastUsed *time.Duration
	requests Counter
	statuses []response
	// failed counts requests without a response. Its counters are made when they are first needed.
	failed []failure
}

type failure struct {
	err   string
	total Counter
}

type response struct {
	status  int
	total   Counter
	latency Histogram
}

func (p *Proxy) newTargetStats(prefix string, labels []Label) targetStats {
	used := new(time.Duration)
	m := p.reg.intern(p.owner, used, nil, prefix+"request_total", labels)
	// Peers with equal labels share their series and so the time of last use.
	return targetStats{proxy: p, prefix: prefix, labels: labels, lastUsed: m.lastUsed, requests: Counter{m}}
}

// request counts the start of a request.
func (s *targetStats) request(now time.Duration) {
	*s.lastUsed = now
	s.requests.Inc()
}

// response counts a response.
func (s *targetStats) response(now time.Duration, status int, latency time.Duration) {
	*s.lastUsed = now
	r := s.status(status)
	r.total.Inc()
	at := s.proxy.reg.bounds.place(latency)
	r.latency.observe(at.latency, at.millis)
}

func (s *targetStats) status(code int) *response {
	for i := range s.statuses {
		if s.statuses[i].status == code {
			return &s.statuses[i]
		}
	}
	reg, owner := s.proxy.reg, s.proxy.owner
	withCode := slices.Concat(s.labels, []Label{{"status_code", strconv.Itoa(code)}})
	withClass := slices.Concat(withCode, []Label{{"classification", Classify(code)}})
	s.statuses = append(s.statuses, response{
		status:  code,
		total:   Counter{reg.intern(owner, s.lastUsed, nil, s.prefix+"response_total", withClass)},
		latency: Histogram{reg.intern(owner, s.lastUsed, reg.bounds.latency, s.prefix+"response_latency_ms", withCode)},
	})
	return &s.statuses[len(s.statuses)-1]
}

// errorUnclassified is the value of the label error of a response_total without a status.
const errorUnclassified = "unclassified"

// fail counts a request that got no response.
func (s *targetStats) fail(now time.Duration, err string) {
	*s.lastUsed = now
	for _, f := range s.failed {
		if f.err == err {
			f.total.Inc()
			return
		}
	}
	labels := slices.Concat(s.labels, []Label{{"classification", "failure"}, {"error", err}})
	f := failure{err, Counter{s.proxy.reg.intern(s.proxy.owner, s.lastUsed, nil, s.prefix+"response_total", labels)}}
	f.total.Inc()
	s.failed = append(s.failed, f)
}

// Classify returns the classification of an HTTP status; only 5xx are failures (linkerd2-proxy,
// linkerd/proxy/client-policy/src/http.rs, StatusRanges).
func Classify(status int) string {
	if status >= 500 && status <= 599 {
		return "failure"
	}
	return "success"
}

// Inbound counts the requests of one kind of client to the pod.
type Inbound struct {
	targetStats
	allow, deny Counter
	route       inboundRouteStats
	limit       inboundLimitStats

	// admitted counts requests that the metrics lack, the last of them at last.
	admitted uint32
	last     time.Duration
	pending  bool
}

// Inbound returns the counters for a client and the verdict about it. Clients with the same
// identity share them.
func (p *Proxy) Inbound(target netip.AddrPort, c Client, v Verdict) *Inbound {
	addr := targetAddr(target)
	server := append(v.Server.labels("srv"), Label{"srv_port", strconv.Itoa(v.Port)})
	tls := []Label{{"tls", "no_identity"}, {"no_tls_reason", "no_tls_from_remote"}}
	if c.Identity != "" {
		tls = []Label{{"tls", "true"}, {"client_id", c.Identity}}
	}
	route, authz := v.Route.labels("route"), v.Authz.labels("authz")
	in := &Inbound{}
	if !v.Allowed {
		name := "inbound_http_authz_deny_total"
		if v.Status == http.StatusNotFound {
			name = "inbound_http_route_not_found_total"
		}
		in.deny = p.reg.Counter(p.owner, name, p.labels(addr, server, route, tls)...)
		return in
	}
	in.route = p.inboundRouteStats(v)
	in.limit = inboundLimitStats{proxy: p, target: target, server: server, tls: tls, meshed: c.Identity != ""}
	in.allow = p.reg.Counter(p.owner, "inbound_http_authz_allow_total", p.labels(addr, server, route, authz, tls)...)
	in.targetStats = p.newTargetStats("", p.labels([]Label{{"direction", "inbound"}}, addr, tls, server, route, authz))
	return in
}

// Denied counts a denied request, or one without a route. It is missing from the pod's request_total
// and response_total,
// since the policy is checked before they count (linkerd2-proxy,
// linkerd/app/inbound/src/http/router.rs).
func (in *Inbound) Denied() { in.deny.Inc() }

// Request counts an admitted request.
func (in *Inbound) Request(now time.Duration) {
	in.admitted++
	in.last = now
	in.proxy.reg.postpone(in, &in.pending)
}

// settle implements [unsettled].
func (in *Inbound) settle() {
	in.allow.add(in.admitted)
	in.route.requests.add(in.admitted)
	in.requests.add(in.admitted)
	*in.lastUsed = max(*in.lastUsed, in.last)
	in.admitted, in.pending = 0, false
}

// Abandoned counts an admitted request that its client has given up before it reached the
// application: it is in the counters of routes, but not in request_total (linkerd2-proxy,
// linkerd/app/inbound/src/http/router.rs).
func (in *Inbound) Abandoned() {
	in.allow.Inc()
	in.route.requests.Inc()
}

// Response counts a response of the pod.
func (in *Inbound) Response(now time.Duration, status int, latency time.Duration) {
	in.route.answered(status, latency)
	in.response(now, status, latency)
}

// Failed counts a request whose connection to the pod's process broke. The client gets a 500.
func (in *Inbound) Failed(now time.Duration) {
	in.fail(now, errorUnclassified)
	in.route.answered(0, 0)
	in.errored()
}

// Destination is a pod that a client's proxy sends to, as described by service discovery.
type Destination struct {
	Addr netip.AddrPort
	// Identity is the one that the client expects, or "" for a pod without a proxy.
	Identity string
	// Service is the one that the pod is an endpoint of, Port is the Service's port.
	Service, Namespace string
	Port               int
	Pod, Deployment    string
	ServiceAccount     string
	// TemplateHash is the pod's label pod-template-hash.
	TemplateHash string
}

// Outbound counts the requests of the pod to one other pod through one Service.
type Outbound struct{ targetStats }

// Outbound returns the counters for a destination.
func (p *Proxy) Outbound(d Destination) *Outbound {
	tls := []Label{{"tls", "no_identity"}, {"no_tls_reason", "not_provided_by_service_discovery"}}
	if d.Identity != "" {
		tls = []Label{{"tls", "true"}, {"server_id", d.Identity}}
	}
	dst := []Label{
		{"dst_deployment", d.Deployment}, {"dst_namespace", d.Namespace}, {"dst_pod", d.Pod},
		{"dst_pod_template_hash", d.TemplateHash}, {"dst_service", d.Service}, {"dst_serviceaccount", d.ServiceAccount},
		{"dst_zone_locality", "unknown"},
	}
	if d.Identity != "" {
		dst = append(dst, Label{"dst_control_plane_ns", "linkerd"})
	}
	head := []Label{{"direction", "outbound"}, {"authority", authority(d)}}
	return &Outbound{p.newTargetStats("", p.labels(head, targetAddr(d.Addr), tls, dst))}
}

// authority returns the Service's authority, without the default port (linkerd2-proxy,
// linkerd/addr/src/lib.rs, as_http_authority).
func authority(d Destination) string {
	name := fmt.Sprintf("%s.%s.svc.%s", d.Service, d.Namespace, TrustDomain)
	if d.Port == 80 {
		return name
	}
	return name + ":" + strconv.Itoa(d.Port)
}

// Request counts a sent request.
func (o *Outbound) Request(now time.Duration) { o.request(now) }

// Response counts a response. A 403 by the other side's policy is counted here, with classification
// success.
func (o *Outbound) Response(now time.Duration, status int, latency time.Duration) {
	o.response(now, status, latency)
}

// Failed counts a request that got no response, because the connection broke or a timeout of the
// proxy ended it.
func (o *Outbound) Failed(now time.Duration) { o.fail(now, errorUnclassified) }
