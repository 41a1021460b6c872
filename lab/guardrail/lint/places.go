package lint

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"coalmine/lab/guardrail/promeval"
)

func placeRules() []Rule {
	return []Rule{
		{Name: "same-for-primary", query: checkSameForPrimary, Section: sectionQueries,
			What: "A query does not tell the canary from the primary.",
			Why: "It has the same value when the two change places, so at a small weight the healthy primary hides a " +
				"broken canary, and an old fault of the primary stops a healthy release.",
			Source: "evaluated by Prometheus' engine on series of both, exchanged"},
	}
}

// side is how the pods of a canary or a primary behave.
type side struct {
	// deployment of the pods, and service by which the route reaches them.
	deployment, service string
	// rate is in requests per second.
	rate float64
	// failing is the share of requests that are answered 503, slow that of those over a second.
	failing, slow float64
}

// sides returns what Linkerd's proxies and the demo services export about the pods of each side.
func sides(namespace string, all ...side) promeval.Store {
	var s promeval.Store
	for _, x := range all {
		s = append(s, x.responses(namespace)...)
		s = append(s, x.latencies(namespace)...)
	}
	return s
}

// places returns labels that say where a series is counted: by the pods, by their clients, and by
// the services themselves. Labels that are not known match everything.
func (x side) places(namespace string) []map[string]string {
	const hash = "-6c9f8d7b5-x2x4z"
	return []map[string]string{
		{"deployment": x.deployment, "app": x.deployment, "pod": x.deployment + hash, "namespace": namespace,
			"direction": "inbound", "tls": "true"},
		{"dst_deployment": x.deployment, "dst_pod": x.deployment + hash, "dst_service": x.service,
			"dst_namespace": namespace, "namespace": namespace, "deployment": "edge", "app": "edge",
			"pod": "edge" + hash, "direction": "outbound", "tls": "true"},
	}
}

// app returns the labels of what the pods count themselves.
func (x side) app(namespace string) map[string]string {
	own := maps.Clone(x.places(namespace)[0])
	delete(own, "direction")
	delete(own, "tls")
	return own
}

// tellsApart reports whether a label can tell canary from primary in a way that the made-up series
// do not have: by address, hash or version.
func tellsApart(e parser.Expr) bool {
	neutral := strings.Fields(`__name__ namespace dst_namespace direction tls no_tls_reason status_code http_status
		status classification error le route route_name route_kind cohort job client_id server_id authority parent_name
		parent_namespace parent_port srv_name srv_port authz_name target_port deployment app pod dst_deployment dst_pod
		dst_service backend_name`)
	apart := false
	eachSelector(e, func(s *parser.VectorSelector) {
		apart = apart || slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool {
			return !slices.Contains(neutral, m.Name)
		})
	})
	return apart
}

func with(labels map[string]string, pairs ...string) map[string]string {
	all := maps.Clone(labels)
	for i := 0; i+1 < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

// responses are the counters of requests by their status.
func (x side) responses(namespace string) promeval.Store {
	var s promeval.Store
	add := func(share float64, labels map[string]string) {
		s = append(s, promeval.Counter{Labels: labels, PerSecond: x.rate * share})
	}
	for _, status := range []struct {
		code, class string
		share       float64
	}{{"200", "success", 1 - x.failing}, {"503", "failure", x.failing}} {
		for _, place := range x.places(namespace) {
			add(status.share, with(place, "__name__", "response_total", "status_code", status.code,
				"classification", status.class))
			add(status.share, with(place, "__name__", "request_total"))
		}
		for _, name := range []string{"app_http_requests_total", "inbound_http_statuses_total"} {
			add(status.share, with(x.app(namespace), "__name__", name, "status", status.code))
		}
		add(status.share, map[string]string{"__name__": "outbound_http_route_backend_response_statuses_total",
			"namespace": namespace, "backend_name": x.service, "http_status": status.code})
	}
	return s
}

// latencies are the buckets of two kinds of requests: fast ones and those that take over a second.
func (x side) latencies(namespace string) promeval.Store {
	var s promeval.Store
	for _, h := range []struct {
		name   string
		bounds []float64
		unit   float64 // a second
		places []map[string]string
	}{
		{"response_latency_ms", []float64{10, 100, 1000, 2000, math.Inf(1)}, 1000, x.places(namespace)},
		{"app_http_request_duration_seconds", []float64{0.01, 0.1, 1, 2.5, math.Inf(1)}, 1,
			[]map[string]string{x.app(namespace)}},
	} {
		for _, place := range h.places {
			for _, le := range h.bounds {
				share := 1 - x.slow
				if le > h.unit {
					share = 1
				}
				s = append(s, promeval.Counter{PerSecond: x.rate * share, Labels: with(place,
					"__name__", h.name+"_bucket", "le", bound(le))})
			}
			s = append(s, promeval.Counter{PerSecond: x.rate, Labels: with(place, "__name__", h.name+"_count")},
				promeval.Counter{PerSecond: x.rate * h.unit * (0.05 + 1.5*x.slow),
					Labels: with(place, "__name__", h.name+"_sum")})
		}
	}
	return s
}

func bound(le float64) string {
	if math.IsInf(le, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(le, 'g', -1, 64)
}

// checkSameForPrimary evaluates the query twice: with a canary that is slow and fails at a third of
// the traffic beside a healthy primary, and with the two exchanged.
func checkSameForPrimary(p *pass, q query) {
	target, namespace := q.canary.Spec.TargetRef.Name, q.canary.Namespace
	if matchesPrimary(q.expr, target) != nil || tellsApart(q.expr) {
		return // rule matches-primary says it at the matcher
	}
	bad, good := side{rate: 30, failing: 0.3, slow: 0.3}, side{rate: 60, failing: 0.001, slow: 0.001}
	exchange := func(canary, primary side) (float64, bool) {
		canary.deployment, canary.service = target, target+"-canary"
		primary.deployment, primary.service = target+"-primary", target+"-primary"
		return p.Evaluate(q.rendered, sides(namespace, canary, primary))
	}
	straight, ok1 := exchange(bad, good)
	crossed, ok2 := exchange(good, bad)
	if !ok1 || !ok2 || math.IsNaN(straight) || !selectsSeries(q.expr) || returnsSeveral(q.expr) {
		return
	}
	differ := func(a, b float64) bool { return math.Abs(a-b) > 1e-9*math.Max(math.Abs(a), 1) }
	well, ok := exchange(good, good)
	if differ(straight, crossed) || ok && !differ(straight, well) {
		return // it tells them apart, or depends on neither
	}
	p.warnAt(q.object, q.field, "the query has the same value whether the canary fails or the primary does: it does "+
		"not select by deployment", "add deployment=\"{{ target }}\", which is the canary's")
}
