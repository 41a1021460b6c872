package workloads

import (
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/event"
	"coalmine/lab/guardrail"
)

// OnlineQuery is how Flagger asks whether Prometheus is there (flagger, pkg/metrics/providers/prometheus.go). It says nothing of a
// rollout.
const OnlineQuery = "vector(1)"

// queryTag begins the comment that tells a query's asker; Flagger fills in the canary's name with the rest of the query.
const queryTag = "# coalmine "

// TagQuery lets a query of a template, or of a check with this name, tell who asks it.
func TagQuery(query, metric string) string {
	return strings.TrimRight(query, " \t\r\n") + "\n" + queryTag + "{{ name }}.{{ namespace }} " + metric
}

// Query is a query as it arrived.
type Query struct {
	PromQL string
	// Canary is NAME.NAMESPACE, "" where nobody knows. Metric is what the query was marked with, "" for one of Flagger's own.
	Canary, Metric string
}

// ParseQuery takes a query apart that came to a path: NAME.NAMESPACE/api/v1/query for one of Flagger's own, which go to the address
// that the canary has as its metrics server.
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

// TrimNamespace is a canary's name without its namespace.
func TrimNamespace(canary, namespace string) string { return strings.TrimSuffix(canary, "."+namespace) }

// FindCheck finds the check of a canary that asks a metric template, or whose own query has a name; nil where none does. Where several
// checks ask one template, Flagger asks them in their order, and before tells how many were asked already in this round. Rounds that come
// so close upon each other that they were taken for one begin again with the first.
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

// Fact is the query as the check that asked it means it; nil for a check that is not known. The answer is the caller's to fill in.
func (a Query) Fact(asker string, check *flaggerv1.CanaryMetric) event.Query {
	q := event.Query{Asker: asker, Metric: a.Metric, PromQL: a.PromQL}
	if check == nil {
		return q
	}
	q.Metric = check.Name
	if r := check.ThresholdRange; r != nil {
		q.Min, q.Max = r.Min, r.Max
	} else {
		q.Max = &check.Threshold // for templates and inline queries the deprecated threshold is a maximum
	}
	return q
}

// FindCanary is a canary of a set as the learner wrote it; nil where there is none of the name for one of the targets.
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
