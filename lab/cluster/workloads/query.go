package workloads

import (
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/event"
	"coalmine/lab/guardrail"
)

// OnlineQuery is the query by which Flagger checks that Prometheus is available (flagger,
// pkg/metrics/providers/prometheus.go).
const OnlineQuery = "vector(1)"

// queryTag starts the comment that identifies the check that a query is for. Flagger expands the
// canary's name in it, like in the rest of the query.
const queryTag = "# coalmine "

// TagQuery adds a comment to the query of a metric template, or of a check with an inline query,
// that identifies canary and metric; see [ParseQuery].
func TagQuery(query, metric string) string {
	return strings.TrimRight(query, " \t\r\n") + "\n" + queryTag + "{{ name }}.{{ namespace }} " + metric
}

// Query is a query received from Flagger.
type Query struct {
	PromQL string
	// Canary is NAME.NAMESPACE, or "" if unknown. Metric is that of [TagQuery], or "" for a
	// built-in metric of Flagger.
	Canary, Metric string
}

// ParseQuery parses a query and the path that it was sent to. Built-in metrics of Flagger are
// queried at the metrics server of the canary, whose path is NAME.NAMESPACE/api/v1/query.
func ParseQuery(query, path string) Query {
	a := Query{PromQL: query}
	if i := strings.LastIndex(query, queryTag); i >= 0 {
		a.PromQL = strings.TrimSpace(query[:i])
		a.Canary, a.Metric, _ = strings.Cut(query[i+len(queryTag):], " ")
	}
	if a.Canary == "" {
		a.Canary = strings.Trim(strings.TrimSuffix(path, "/api/v1/query"), "/")
	}
	return a
}

// TrimNamespace returns a canary's name without its namespace.
func TrimNamespace(canary, namespace string) string { return strings.TrimSuffix(canary, "."+namespace) }

// FindCheck returns the check of a canary that uses a metric template, or whose inline query has a
// name; nil if there is none. If several checks use one template, Flagger queries for them in
// order, and before is the number of queries before this one in the same analysis run. If two runs
// were taken for one, the order starts over.
func FindCheck(c *flaggerv1.Canary, metric string, before int) *flaggerv1.CanaryMetric {
	if c == nil || c.GetAnalysis() == nil || metric == "" {
		return nil
	}
	var asking []*flaggerv1.CanaryMetric
	for i := range c.GetAnalysis().Metrics {
		m := &c.GetAnalysis().Metrics[i]
		if m.TemplateRef != nil && m.TemplateRef.Name == metric || m.Query != "" && m.Name == metric {
			asking = append(asking, m)
		}
	}
	if len(asking) == 0 {
		return nil
	}
	return asking[before%len(asking)]
}

// Fact returns the fact for a query of a check, which may be nil if it is unknown. The caller fills
// in the result.
func (a Query) Fact(asker string, check *flaggerv1.CanaryMetric) event.Query {
	q := event.Query{Asker: asker, Metric: a.Metric, PromQL: a.PromQL}
	if check == nil {
		return q
	}
	q.Metric = check.Name
	if r := check.ThresholdRange; r != nil {
		q.Min, q.Max = r.Min, r.Max
	} else {
		q.Max = &check.Threshold // the deprecated threshold is a maximum for templates and inline queries
	}
	return q
}

// FindCanary returns the canary with a name for one of the targets, as the user wrote it, or nil.
func FindCanary(set *guardrail.Set, targets []string, name string) *flaggerv1.Canary {
	if set == nil {
		return nil
	}
	for _, target := range targets {
		if c := set.CanaryFor(target); c != nil && c.Name == name {
			return c
		}
	}
	return nil
}
