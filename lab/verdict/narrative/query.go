package narrative

import (
	"coalmine/lab/event"
	"coalmine/lab/format"
)

// DescribeQuery formats a query's result next to its bound: "success-rate 97.2 < 99",
// "latency-p99 108.5 ≤ 500", "orders has no values". Metrics have whatever names a Canary gives
// them: a view must make the text safe.
func DescribeQuery(q event.Query) string {
	switch {
	case q.Error != "":
		return q.Metric + " could not be queried: " + q.Error
	case q.Value == nil:
		return q.Metric + " has no values"
	}
	return q.Metric + " " + QueryValue(q)
}

// QueryValue is [DescribeQuery] without the metric's name; "" for a query without a value.
func QueryValue(q event.Query) string {
	if q.Value == nil {
		return ""
	}
	v := *q.Value
	switch {
	case q.Min != nil && v < *q.Min:
		return comparison(v, "<", *q.Min)
	case q.Max != nil && v > *q.Max:
		return comparison(v, ">", *q.Max)
	case q.Min != nil:
		return comparison(v, "≥", *q.Min)
	case q.Max != nil:
		return comparison(v, "≤", *q.Max)
	}
	return format.Value(v)
}

func comparison(v float64, sign string, bound float64) string {
	return format.ValueAgainst(v, bound) + " " + sign + " " + format.Bound(bound)
}
