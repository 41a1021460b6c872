// Package objective parses objectives of a load test such as 'cohort=premium route=/checkout
// p99<500ms', and compares results with them.
//
//	objective  = [selector …] condition …   separated by spaces or commas; all conditions must hold
//	selector   = cohort=NAME | route=NAME | route=/PATH | version=NAME
//	             names with spaces or commas are put in double quotes
//	condition  = metric op value
//	metric     = pNN | pNN.N | mean | max   latency, with a value such as 500ms or 1.5s
//	           | success | errors | bad     share of requests, with a value such as 99.5% or 0.995
//	           | rate                       requests per second, with a value such as 95
//	           | 4xx | 404 | status=404     share of requests with such a status, or with a value such as
//	                                        5/s their number per second
//	op         = < | <= | > | >=
//
// Latency counts from the intended start of a request. Errors are 5xx or no response; bad is as
// defined by package results; success is a 2xx or 3xx that is not bad. All metrics count logical
// requests, not attempts. A request without a response has neither version nor status.
package objective

import (
	"strconv"
	"strings"
	"time"
)

// Objective selects requests and sets conditions for them.
type Objective struct {
	text       string
	selector   selector
	conditions []condition
}

// selector selects cells. A nil field selects all.
type selector struct {
	cohort, version *string
	// route is the text as written, routes the names of the workload's routes that it stands for.
	route  *string
	routes []string
}

// condition compares a metric with a limit: nanoseconds, a share or a number per second.
type condition struct {
	metric metric
	op     op
	limit  float64
	// value is the limit as written.
	value string
}

// op is a comparison.
type op string

const (
	less         op = "<"
	lessEqual    op = "<="
	greater      op = ">"
	greaterEqual op = ">="
)

func (o op) holds(value, limit float64) bool {
	switch o {
	case less:
		return value < limit
	case lessEqual:
		return value <= limit
	case greater:
		return value > limit
	}
	return value >= limit
}

// words describes a comparison that holds.
func (o op) words() string {
	switch o {
	case less:
		return "under"
	case lessEqual:
		return "at most"
	case greater:
		return "over"
	}
	return "at least"
}

// isLowerBound reports whether larger values satisfy the comparison.
func (o op) isLowerBound() bool { return o == greater || o == greaterEqual }

// kind is what a metric measures.
type kind int

const (
	latency kind = iota
	share
	perSecond
)

// metric is a metric's name and kind; quantile is set for pNN only, statuses for statuses only.
type metric struct {
	name     string
	kind     kind
	quantile float64
	statuses statusRange
}

// statusRange is a range of statuses; the zero value means none.
type statusRange struct{ low, high uint16 }

// statusesOf returns the statuses that a text such as 404 or 4xx stands for.
func statusesOf(text string) (statusRange, bool) {
	if len(text) != 3 || text[0] < '1' || text[0] > '5' {
		return statusRange{}, false
	}
	class := uint16(text[0]-'0') * 100
	if strings.EqualFold(text[1:], "xx") {
		return statusRange{class, class + 99}, true
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return statusRange{uint16(n), uint16(n)}, err == nil
}

// words describes responses with the metric's statuses.
func (m metric) words() string { return strings.TrimPrefix(m.name, statusKey+"=") + " responses" }

// statusKey may precede a status: status=404 is the same as 404.
const statusKey = "status"

func metrics() []metric {
	return []metric{{name: "mean", kind: latency}, {name: "max", kind: latency}, {name: "success", kind: share},
		{name: "errors", kind: share}, {name: "bad", kind: share}, {name: "rate", kind: perSecond}}
}

// metricOf returns the metric of a name.
func metricOf(name string) (metric, bool) {
	for _, m := range metrics() {
		if m.name == name {
			return m, true
		}
	}
	if statuses, ok := statusesOf(name); ok {
		return metric{name: name, kind: share, statuses: statuses}, true
	}
	digits, ok := strings.CutPrefix(name, "p")
	if !ok || strings.Trim(digits, "0123456789.") != "" || len(digits) > 8 {
		return metric{}, false
	}
	// Shifting the decimal point in the text, unlike dividing, gives the float nearest to the
	// quantile.
	q, err := strconv.ParseFloat(digits+"e-2", 64)
	if err != nil || q <= 0 || q >= 1 {
		return metric{}, false
	}
	return metric{name: name, quantile: q}, true
}

// String returns the text of the objective on one line, normalised. Parse accepts it.
func (o Objective) String() string { return o.text }

func (s selector) String() string {
	var parts []string
	for _, p := range []struct {
		key   string
		value *string
	}{{"cohort", s.cohort}, {"route", s.route}, {"version", s.version}} {
		if p.value != nil {
			parts = append(parts, p.key+"="+quoted(*p.value))
		}
	}
	return strings.Join(parts, " ")
}

func (c condition) String() string { return c.metric.name + string(c.op) + c.value }

// quoted quotes a name if necessary, so that Parse accepts it.
func quoted(name string) string {
	if name == "" || strings.ContainsAny(name, separators+`"`) || strings.ContainsAny(name[:1], operators) {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	}
	return name
}

func duration(limit float64) time.Duration { return time.Duration(limit) }
