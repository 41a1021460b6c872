package score

import (
	"fmt"

	"coalmine/lab/guardrail/promeval"
	"coalmine/lab/verdict/timeline"
)

// evidenceTicks returns in how many ticks a metric had a value that says something about the canary.
func evidenceTicks(t *timeline.Timeline) int {
	return mostTicks(t, func(m timeline.Measured) int { return m.Ticks })
}

// failedTicks returns in how many ticks such a metric failed its check.
func failedTicks(t *timeline.Timeline) int {
	return mostTicks(t, func(m timeline.Measured) int { return m.Failed })
}

func mostTicks(t *timeline.Timeline, count func(timeline.Measured) int) int {
	most := 0
	for _, m := range t.Measured {
		if n := count(m); n > most && canFail(m, t.Run.Service) {
			most = n
		}
	}
	return most
}

// alwaysPasses says which bound a canary meets however ill it is, "" if none is known.
func alwaysPasses(t *timeline.Timeline) string {
	for _, m := range t.Measured {
		switch {
		case m.Ticks == 0 || canFail(m, t.Run.Service):
		case m.Max != nil:
			return fmt.Sprintf(": an ill canary does not exceed the maximum of %v either", *m.Max)
		case m.Min != nil:
			return fmt.Sprintf(": an ill canary reaches the minimum of %v too", *m.Min)
		}
	}
	return ""
}

// canFail reports whether a check of a service's canary can pass at one time and fail at another: it
// evaluates the query while the canary is well, and while it is ill in one way after another. A check
// that passes every time is no evidence, whatever it reads, and one that never passes judges nothing
// by itself. A query of series that no proxy, service or controller of the lab exports has the benefit
// of the doubt, as has one that fails while the canary is well, such as a bound of its share of the
// traffic.
func canFail(m timeline.Measured, service string) bool {
	e := promeval.New()
	well, ok := e.Evaluate(m.PromQL, exported(service, condition{}))
	if !ok || !within(well, m) {
		return !constant(e, m.PromQL)
	}
	for _, ill := range conditions() {
		v, ok := e.Evaluate(m.PromQL, exported(service, ill))
		if !ok || !within(v, m) {
			return true
		}
	}
	return false
}

// constant reports whether a query has a value without any series.
func constant(e *promeval.Evaluator, query string) bool {
	_, ok := e.Evaluate(query, nil)
	return ok
}

// condition is how a canary is. Shares are of its requests.
type condition struct {
	failing, refused, denied, unanswered, slow float64
	// attempts it makes for each request beyond the first.
	attempts float64
	// expiring is set if its certificates end soon.
	expiring bool
}

// conditions are the ways in which a canary is ill that the lab's scenarios have.
func conditions() []condition {
	return []condition{
		{failing: 0.5}, {refused: 0.5}, {denied: 0.5}, {unanswered: 0.5}, {slow: 0.5}, {slow: 0.9}, {attempts: 3},
		{expiring: true},
	}
}

// Seconds of a certificate's life.
const (
	certificateLife = 24 * 3600
	certificateLeft = 60
)

// series collects counters.
type series struct {
	all    promeval.Store
	labels map[string]string // of the side that is being described
}

func (s *series) add(name string, perSecond float64, labels ...string) {
	s.from(name, 0, perSecond, labels...)
}

// from adds a counter that starts with a value. Labels are pairs of name and value.
func (s *series) from(name string, value, perSecond float64, labels ...string) {
	if value == 0 && perSecond == 0 {
		return
	}
	all := map[string]string{"__name__": name}
	for k, v := range s.labels {
		all[k] = v
	}
	for i := 0; i+1 < len(labels); i += 2 {
		all[labels[i]] = labels[i+1]
	}
	s.all = append(s.all, promeval.Counter{Labels: all, PerSecond: perSecond, From: value})
}

// histogram adds a histogram whose observations are tiny or, for a share of them, beyond its last but
// one bound.
func (s *series) histogram(name string, perSecond, slow float64, labels ...string) {
	for _, b := range []struct {
		le    string
		share float64
	}{{"0.001", 1 - slow}, {"1", 1 - slow}, {"10000", 1 - slow}, {"50000", 1}, {"+Inf", 1}} {
		s.add(name+"_bucket", perSecond*b.share, append([]string{"le", b.le}, labels...)...)
	}
	s.add(name+"_sum", perSecond*((1-slow)*0.0005+slow*20_000), labels...)
	s.add(name+"_count", perSecond, labels...)
}

// exported returns the series that the lab exports about a service whose canary is in a condition.
func exported(service string, canary condition) promeval.Store {
	s := &series{}
	for _, side := range []struct {
		deployment, backend string
		condition
	}{{service, service + "-canary", canary}, {service + "-primary", service + "-primary", condition{}}} {
		s.labels = map[string]string{"deployment": side.deployment, "pod": side.deployment + "-7d4b9c6f5-x2k4p"}
		s.serverSide(side.condition)
		s.labels = map[string]string{"deployment": "client"}
		s.clientSide(service, side.deployment, side.backend, side.condition)
	}
	s.labels = map[string]string{"name": service, "workload": service}
	s.from("flagger_canary_weight", 50, 0)
	s.from("flagger_canary_status", 1, 0)
	s.from("flagger_canary_total", 1, 0)
	return s.all
}

// answer is a status with its share of a side's answers.
type answer struct {
	status, class string
	share         float64
}

// answers lists what the pods answer, and after that what only the clients' proxies see.
func (c condition) answers() (byPods []answer, denied, unanswered float64) {
	well := 1 - c.failing - c.refused - c.denied - c.unanswered
	return []answer{{"200", "success", well}, {"503", "failure", c.failing}, {"404", "success", c.refused}}, c.denied,
		c.unanswered
}

func (s *series) serverSide(c condition) {
	const rate = promeval.Rate
	byPods, denied, unanswered := c.answers()
	arrived := rate * (1 - unanswered)
	s.add("request_total", arrived, "direction", "inbound")
	s.add("inbound_http_requests_total", arrived)
	for _, a := range byPods {
		s.add("response_total", rate*a.share, "direction", "inbound", "status_code", a.status,
			"classification", a.class)
		s.add("inbound_http_statuses_total", rate*a.share, "status", a.status)
		s.add("app_http_requests_total", rate*a.share, "status", a.status)
		s.histogram("response_latency_ms", rate*a.share, c.slow, "direction", "inbound", "status_code", a.status)
		s.histogram("app_http_request_duration_seconds", rate*a.share, c.slow, "status", a.status)
	}
	s.histogram("inbound_http_request_duration_seconds", arrived, c.slow)
	s.histogram("inbound_http_response_duration_seconds", arrived, c.slow)
	s.add("inbound_http_authz_allow_total", arrived-rate*denied, "authz_name", promeval.Any)
	s.add("inbound_http_authz_deny_total", rate*denied)
	// What the service asks: an attempt that it gave up has no response.
	s.add("request_total", rate*(1+c.attempts), "direction", "outbound")
	s.add("response_total", rate, "direction", "outbound", "status_code", "200", "classification", "success")
	s.histogram("response_latency_ms", rate, 0, "direction", "outbound", "status_code", "200")
	ends := promeval.Traffic.Seconds() + certificateLife
	if c.expiring {
		ends = promeval.Traffic.Seconds() + certificateLeft
	}
	s.from("control_identity_cert_expiration_timestamp_seconds", ends, 0)
}

func (s *series) clientSide(service, deployment, backend string, c condition) {
	const rate, route = promeval.Rate, "outbound_http_route_"
	byPods, denied, unanswered := c.answers()
	s.add("request_total", rate, "direction", "outbound", "dst_deployment", deployment)
	s.add(route+"backend_requests_total", rate, "parent_name", service, "backend_name", backend)
	for _, a := range append(byPods, answer{"403", "success", denied}) {
		s.add("response_total", rate*a.share, "direction", "outbound", "dst_deployment", deployment,
			"status_code", a.status, "classification", a.class)
		s.histogram("response_latency_ms", rate*a.share, c.slow, "direction", "outbound", "dst_deployment", deployment,
			"status_code", a.status)
		s.add(route+"request_statuses_total", rate*a.share, "parent_name", service, "http_status", a.status,
			"error", "")
		s.add(route+"backend_response_statuses_total", rate*a.share, "parent_name", service, "backend_name", backend,
			"http_status", a.status, "error", "")
	}
	s.add("response_total", rate*unanswered, "direction", "outbound", "dst_deployment", deployment,
		"classification", "failure", "error", "unclassified")
	s.add(route+"request_statuses_total", rate*unanswered, "parent_name", service, "http_status", "",
		"error", "unexpected")
	s.add(route+"backend_response_statuses_total", rate*unanswered, "parent_name", service, "backend_name", backend,
		"http_status", "", "error", "unexpected")
	s.histogram(route+"request_duration_seconds", rate, c.slow, "parent_name", service)
	s.histogram(route+"backend_response_duration_seconds", rate, c.slow, "parent_name", service,
		"backend_name", backend)
	for _, name := range []string{"requests", "successes", "limit_exceeded"} {
		s.add(route+"retry_"+name+"_total", 1+rate*c.failing, "parent_name", service)
	}
}
