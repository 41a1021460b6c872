package score

import (
	"strconv"

	"github.com/prometheus/prometheus/promql/parser"

	"coalmine/lab/verdict/timeline"
)

// maxQuery bounds the queries that are looked at, in bytes. Guardrails cannot have longer ones, but
// a log can.
const maxQuery = 16 << 10

// distinguishingTicks returns in how many ticks a metric had a value that separates responses with a
// status from successful ones.
func distinguishingTicks(t *timeline.Timeline, status int) int {
	most := 0
	for _, m := range t.Measured {
		if distinguishesStatus(m.PromQL, t.Run.Service, status) {
			most = max(most, m.Ticks)
		}
	}
	return most
}

// distinguishesStatus reports whether a query about a service's canary reads series that responses
// with a status count in and successful ones do not, or the other way round. Whether the query makes
// good use of them is not examined.
func distinguishesStatus(promQL, service string, status int) (distinguishes bool) {
	defer func() { // the parser reports some errors so
		if recover() != nil {
			distinguishes = false
		}
	}()
	if len(promQL) > maxQuery {
		return false
	}
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(promQL)
	if err != nil {
		return false
	}
	pairs := responsePairs(service, status)
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			for _, p := range pairs {
				distinguishes = distinguishes || selects(s, p.bad) != selects(s, p.good)
			}
		}
		return nil
	})
	return distinguishes
}

// responsePair has the labels of the series in which a response with a status is counted, and a
// successful one. Empty labels stand for no series.
type responsePair struct{ bad, good map[string]string }

// responsePairs lists where Linkerd's proxies count responses: those of the server, of its policy,
// and of the clients, by both of their metrics (linkerd.io, reference, proxy metrics).
func responsePairs(service string, status int) []responsePair {
	text := func(status int) string { return strconv.Itoa(status) }
	class := "success"
	if status >= 500 {
		class = "failure"
	}
	server := func(name, status, class string) map[string]string {
		return map[string]string{"__name__": name, "deployment": service, "direction": "inbound",
			"status_code": status, "classification": class}
	}
	client := func(status, class string) map[string]string {
		return map[string]string{"__name__": "response_total", "dst_deployment": service, "direction": "outbound",
			"status_code": status, "classification": class}
	}
	backend := func(name, status string) map[string]string {
		return map[string]string{"__name__": name, "parent_name": service, "backend_name": service + "-canary",
			"http_status": status}
	}
	const backends = "outbound_http_route_backend_response_statuses_total"
	pairs := []responsePair{
		{client(text(status), class), client("200", "success")},
		{backend(backends, text(status)), backend(backends, "200")},
	}
	if status == 403 { // denied before the response metrics count
		return append(pairs, responsePair{
			map[string]string{"__name__": "inbound_http_authz_deny_total", "deployment": service},
			map[string]string{"__name__": "inbound_http_authz_allow_total", "deployment": service},
		})
	}
	return append(pairs, responsePair{server("response_total", text(status), class),
		server("response_total", "200", "success")})
}

// selects reports whether a selector selects a series, as far as its labels are known.
func selects(s *parser.VectorSelector, series map[string]string) bool {
	for _, m := range s.LabelMatchers { // the metric's name is among them
		if value, known := series[m.Name]; known && !m.Matches(value) {
			return false
		}
	}
	return true
}
