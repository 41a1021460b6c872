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

// OutOfRange reports whether a query has a value that is out of its known bounds.
func OutOfRange(q event.Query) bool {
	return q.Value != nil && (q.Min != nil && *q.Value < *q.Min || q.Max != nil && *q.Value > *q.Max)
}
