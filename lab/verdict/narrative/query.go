package narrative

import (
	"math"
	"strconv"

	"coalmine/lab/event"
)

// DescribeQuery writes a query's answer against its bounds: "success-rate 97.2 < 99", "latency-p99 108.5 ≤ 500", "orders has no
// values". Learners name metrics: the text may hold anything, and a view must make it safe.
func DescribeQuery(q event.Query) string {
	switch {
	case q.Error != "":
		return q.Metric + " could not be asked: " + q.Error
	case q.Value == nil:
		return q.Metric + " has no values"
	}
	v := *q.Value
	switch {
	case q.Min != nil && v < *q.Min:
		return comparison(q.Metric, v, "<", *q.Min)
	case q.Max != nil && v > *q.Max:
		return comparison(q.Metric, v, ">", *q.Max)
	case q.Min != nil:
		return comparison(q.Metric, v, "≥", *q.Min)
	case q.Max != nil:
		return comparison(q.Metric, v, "≤", *q.Max)
	}
	return q.Metric + " " + formatNumber(v, 4)
}

// QueryPassed tells whether an answer lies within its bounds. An answer without bounds that are known passes.
func QueryPassed(q event.Query) bool {
	if q.Error != "" || q.Value == nil {
		return false
	}
	v := *q.Value
	return !(q.Min != nil && v < *q.Min) && !(q.Max != nil && v > *q.Max)
}

// comparison shows as many digits as it takes to tell the value from its bound: 98.996 < 99, not 99 < 99.
func comparison(metric string, v float64, sign string, bound float64) string {
	limit := formatNumber(bound, 15)
	for digits := 4; ; digits++ {
		if s := formatNumber(v, digits); s != limit || v == bound || digits == 15 {
			return metric + " " + s + " " + sign + " " + limit
		}
	}
}

// formatNumber writes so many significant digits, without an exponent where people would not expect one.
func formatNumber(v float64, digits int) string {
	if a := math.Abs(v); a >= 1e15 || a > 0 && a < 1e-6 || math.IsInf(v, 0) || math.IsNaN(v) {
		return strconv.FormatFloat(v, 'g', digits, 64)
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	if err != nil {
		return strconv.FormatFloat(v, 'g', digits, 64)
	}
	if math.Abs(v) >= math.Pow10(digits) {
		rounded = math.Round(v)
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}
