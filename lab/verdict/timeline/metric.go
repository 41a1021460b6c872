package timeline

import (
	"cmp"
	"strings"

	"coalmine/lab/event"
)

// Flagger's built-in checks, whose queries have no name in a log.
const (
	// Flagger's built-in checks, whose queries have no name in a log.
	builtinSuccess  = "request-success-rate"
	builtinDuration = "request-duration"
)

// MetricName is the name of the check that Flagger made a query for. A query without a name is that
// of one of the two built-in checks; only the one of durations asks for a quantile (flagger,
// pkg/metrics/observers).
func MetricName(q event.Query) string {
	builtin := builtinSuccess
	if strings.Contains(q.PromQL, "histogram_quantile") {
		builtin = builtinDuration
	}
	return cmp.Or(q.Metric, builtin)
}

// QueryPassed reports whether a result is within its bounds. A result without known bounds passes.
func QueryPassed(q event.Query) bool {
	if q.Error != "" || q.Value == nil {
		return false
	}
	return !(q.Min != nil && *q.Value < *q.Min) && !(q.Max != nil && *q.Value > *q.Max)
}
