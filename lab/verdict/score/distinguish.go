package score

import (
	"math"
	"strconv"

	"coalmine/lab/guardrail/promeval"
	"coalmine/lab/verdict/timeline"
)

// distinguishingTicks returns in how many ticks a metric had a value that separates responses with a
// status from successful ones.
func distinguishingTicks(t *timeline.Timeline, status int) int {
	most := 0
	for _, m := range t.Measured {
		if distinguishesStatus(m, t.Run.Service, status) {
			most = max(most, m.Ticks)
		}
	}
	return most
}

// distinguishesStatus reports whether a check on a service's canary passes while all responses succeed
// and fails while half of them have a status: it evaluates the query on series of both.
func distinguishesStatus(m timeline.Measured, service string, status int) bool {
	pairs, e := responsePairs(service, status), promeval.New()
	good, ok := e.Evaluate(m.PromQL, succeeding(pairs))
	if !ok || !within(good, m) {
		return false
	}
	bad, ok := e.Evaluate(m.PromQL, halfFailing(pairs))
	return !ok || !within(bad, m)
}

// succeeding returns the counters while all responses succeed.
func succeeding(pairs []responsePair) promeval.Store { return counting(pairs, 0) }

// halfFailing returns the counters while every other response has the status.
func halfFailing(pairs []responsePair) promeval.Store { return counting(pairs, 0.5) }

func counting(pairs []responsePair, failing float64) promeval.Store {
	var all promeval.Store
	for _, p := range pairs {
		if p.bad != nil {
			all = append(all, promeval.Counter{Labels: p.bad, PerSecond: failing * promeval.Rate})
		}
		all = append(all, promeval.Counter{Labels: p.good, PerSecond: (1 - failing) * promeval.Rate})
	}
	return all
}

// within reports whether a value passes the bounds of a check. As in Flagger, NaN passes none.
func within(v float64, m timeline.Measured) bool {
	return !math.IsNaN(v) && (m.Min == nil || v >= *m.Min) && (m.Max == nil || v <= *m.Max)
}

// responsePair has the labels of the series in which a response with a status is counted, and a
// successful one. Nil labels stand for no series.
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
	served := server("response_total", "200", "success")
	if status == 403 { // denied before the response metrics count
		return append(pairs, responsePair{nil, served}, responsePair{
			map[string]string{"__name__": "inbound_http_authz_deny_total", "deployment": service},
			map[string]string{"__name__": "inbound_http_authz_allow_total", "deployment": service,
				"authz_name": promeval.Any},
		})
	}
	return append(pairs, responsePair{server("response_total", text(status), class), served})
}
