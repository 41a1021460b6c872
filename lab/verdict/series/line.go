package series

import (
	"math"
	"strings"

	"coalmine/lab/event"
	"coalmine/lab/verdict/timeline"
)

// Unit is what a metric counts, as far as its query shows: a chart of the same unit can draw its
// bounds.
type Unit int

// Units of metrics.
const (
	Other   Unit = iota
	Success      // percent that went well, judged by a minimum
	Failure      // percent that went wrong, judged by a maximum
	Latency      // milliseconds
)

// Line is one metric that Flagger queried for the released service, with its bounds and results.
type Line struct {
	Metric string
	// PromQL is the latest query.
	PromQL string
	Unit   Unit
	// Min and Max bound the values that pass, in the unit, as of the latest query.
	Min, Max *float64
	Samples  []Sample
}

// Sample is one result of a metric's query.
type Sample struct {
	timeline.Moment
	// Value is in the line's unit; nil if the query had none.
	Value  *float64
	Passed bool
}

// Lines returns the metrics of the released service's canary, in the order of their first queries.
func Lines(t *timeline.Timeline) []Line {
	var lines []Line
	index := map[string]int{}
	for _, e := range t.Facts {
		q, ok := e.Fact.(event.Query)
		if !ok || q.Asker == "" || q.Asker != t.Canary {
			continue
		}
		q.Metric = timeline.MetricName(q)
		i, seen := index[q.Metric]
		if !seen {
			i = len(lines)
			index[q.Metric] = i
			lines = append(lines, Line{Metric: q.Metric})
		}
		lines[i].add(timeline.Moment{At: e.At, Seq: e.Seq}, q)
	}
	return lines
}

func (l *Line) add(at timeline.Moment, q event.Query) {
	unit, factor := unitOf(q)
	l.Unit, l.PromQL = unit, q.PromQL
	v := scaled(q.Value, factor)
	if q.Metric == builtinDuration {
		factor = 1 // Flagger compares in milliseconds, whatever the unit of the query
	}
	l.Min, l.Max = scaled(q.Min, factor), scaled(q.Max, factor)
	passed := v != nil && q.Error == "" && !(l.Min != nil && *v < *l.Min) && !(l.Max != nil && *v > *l.Max)
	if v != nil && math.IsInf(*v, 0) {
		v = nil // a chart has no place for it
	}
	l.Samples = append(l.Samples, Sample{at, v, passed})
}

// Flagger's built-in checks.
const (
	// Flagger's built-in checks.
	builtinSuccess  = "request-success-rate"
	builtinDuration = "request-duration"
)

func scaled(v *float64, factor float64) *float64 {
	if v == nil {
		return nil
	}
	x := *v * factor
	return &x
}

// unitOf guesses what a query's values are, and the factor from them to the unit. Prometheus' and
// Linkerd's metrics carry their unit in their names; a share is a quotient, in percent if it is
// multiplied by 100.
func unitOf(q event.Query) (Unit, float64) {
	text := strings.Join(strings.Fields(q.PromQL), " ")
	switch {
	case q.Metric == builtinSuccess:
		return Success, 1
	case strings.Contains(text, "histogram_quantile"):
		if strings.Contains(text, "_seconds") && !strings.HasSuffix(text, "* 1000") {
			return Latency, 1000
		}
		return Latency, 1
	case !strings.Contains(text, "/") || q.Min == nil && q.Max == nil:
		return Other, 1
	}
	factor := 1.0
	if !strings.Contains(text, "* 100") && !strings.Contains(text, "100 *") {
		if bound := q.Max; bound != nil && *bound > 1 || q.Min != nil && *q.Min > 1 {
			return Other, 1 // a quotient that is not a share
		}
		factor = 100
	}
	if q.Min != nil {
		return Success, factor
	}
	return Failure, factor
}
