// Package objective reads what a load is to achieve, as 'cohort=premium route=/checkout p99<500ms', and judges accounts by it.
//
//	objective  = [selector …] condition …          separated by blanks or commas; every condition is to be met
//	selector   = cohort=NAME | route=NAME | route=/PATH | version=NAME      NAME with blanks or commas in double quotes
//	condition  = metric op value
//	metric     = pNN | pNN.N | mean | max          latency, with a value as 500ms or 1.5s
//	           | success | errors | bad            share of requests, with a value as 99.5% or 0.995
//	           | rate                              requests per second, with a value as 95
//	op         = < | <= | > | >=
//
// Latency is from the time at which a request was intended. Errors are 5xx or no answer; bad is what package ledger calls so,
// and success the rest. All count logical requests, not attempts. A request without an answer has no version.
//
// The package knows neither the scenario nor the lab; what users of a route may expect at all is in lab/service.
package objective

import (
	"strconv"
	"strings"
	"time"
)

// Objective selects requests and says what is to hold for them.
type Objective struct {
	text       string
	selector   selector
	conditions []condition
}

// selector picks cells. A nil part picks all.
type selector struct {
	cohort, version *string
	// route is as it was written, routes the names of the workload's routes that it stands for.
	route  *string
	routes []string
}

// condition is a metric against a limit: nanoseconds, a share or a number per second.
type condition struct {
	metric metric
	op     op
	limit  float64
	// value is the limit as it was written.
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

// words are for a value that holds.
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

// isLowerBound tells whether larger values hold.
func (o op) isLowerBound() bool { return o == greater || o == greaterEqual }

// kind is what a metric measures.
type kind int

const (
	latency kind = iota
	share
	perSecond
)

// metric is a name with its kind; quantile is for pNN alone.
type metric struct {
	name     string
	kind     kind
	quantile float64
}

func metrics() []metric {
	return []metric{{name: "mean", kind: latency}, {name: "max", kind: latency}, {name: "success", kind: share},
		{name: "errors", kind: share}, {name: "bad", kind: share}, {name: "rate", kind: perSecond}}
}

// metricOf finds a metric by its name.
func metricOf(name string) (metric, bool) {
	for _, m := range metrics() {
		if m.name == name {
			return m, true
		}
	}
	digits, ok := strings.CutPrefix(name, "p")
	if !ok || strings.Trim(digits, "0123456789.") != "" || len(digits) > 8 {
		return metric{}, false
	}
	// A shift of the decimal point, unlike a division, gives the float that is nearest to the quantile.
	q, err := strconv.ParseFloat(digits+"e-2", 64)
	if err != nil || q <= 0 || q >= 1 {
		return metric{}, false
	}
	return metric{name: name, quantile: q}, true
}

// String is the text that the objective was read from, in one line and without what it does not need. It can be read again.
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

// quoted writes a name so that it can be read again.
func quoted(name string) string {
	if name == "" || strings.ContainsAny(name, separators+`"`) {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	}
	return name
}

func duration(limit float64) time.Duration { return time.Duration(limit) }
