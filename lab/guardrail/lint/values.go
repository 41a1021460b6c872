package lint

import (
	"math"
	"slices"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// store says which series exist when a query is evaluated.
type store func(*parser.VectorSelector) bool

// noSeries is a store without traffic.
func noSeries(*parser.VectorSelector) bool { return false }

// noFailures is a store in which nothing has failed yet.
func noFailures(s *parser.VectorSelector) bool { return !selectsFailures(s) }

// result is what is known of a query's result.
type result struct {
	// exists is false if the query has no value.
	exists bool
	// value is the value if it does not depend on series.
	value float64
	known bool
}

var missing = result{}

func constant(v float64) result { return result{exists: true, value: v, known: true} }

// evaluate returns what a query gives in a store. It assumes that comparisons hold and that labels
// match, so that a result that does not exist certainly does not.
func evaluate(e parser.Expr, s store) result {
	switch e := e.(type) {
	case *parser.NumberLiteral:
		return constant(e.Val)
	case *parser.VectorSelector:
		return result{exists: s(e)}
	case *parser.MatrixSelector:
		return evaluate(e.VectorSelector, s)
	case *parser.SubqueryExpr:
		return evaluate(e.Expr, s)
	case *parser.StepInvariantExpr:
		return evaluate(e.Expr, s)
	case *parser.ParenExpr:
		return evaluate(e.Expr, s)
	case *parser.UnaryExpr:
		r := evaluate(e.Expr, s)
		if e.Op == parser.SUB {
			r.value = -r.value
		}
		return r
	case *parser.AggregateExpr:
		return evaluateAggregate(e, s)
	case *parser.BinaryExpr:
		return evaluateBinary(e, s)
	case *parser.Call:
		return evaluateCall(e, s)
	}
	return result{exists: true}
}

func evaluateAggregate(e *parser.AggregateExpr, s store) result {
	r := evaluate(e.Expr, s)
	switch e.Op {
	case parser.SUM, parser.AVG, parser.MIN, parser.MAX:
		return r
	case parser.COUNT, parser.GROUP:
		if r.known {
			return constant(1)
		}
	}
	return result{exists: r.exists}
}

func evaluateBinary(e *parser.BinaryExpr, s store) result {
	left, right := evaluate(e.LHS, s), evaluate(e.RHS, s)
	switch e.Op {
	case parser.LOR:
		if left.exists {
			return left
		}
		return right
	case parser.LUNLESS:
		return left
	}
	if !left.exists || !right.exists {
		return missing
	}
	both := left.known && right.known
	switch e.Op {
	case parser.LAND:
		return left
	case parser.ADD:
		return result{true, left.value + right.value, both}
	case parser.SUB:
		return result{true, left.value - right.value, both}
	case parser.MUL:
		return result{true, left.value * right.value, both}
	case parser.DIV:
		if both && left.value == 0 && right.value == 0 {
			return missing // NaN, which Flagger takes for no value
		}
		return result{true, left.value / right.value, both && right.value != 0}
	}
	return result{exists: true}
}

func evaluateCall(c *parser.Call, s store) result {
	switch c.Func.Name {
	case "vector":
		return evaluate(c.Args[0], s)
	case "scalar":
		return evaluate(c.Args[0], s) // NaN if there is no value
	case "absent", "absent_over_time":
		if evaluate(c.Args[0], s).exists {
			return missing
		}
		return constant(1)
	case "time", "pi":
		return result{exists: true}
	}
	r := result{exists: true}
	for _, a := range c.Args {
		if t := a.Type(); (t == parser.ValueTypeVector || t == parser.ValueTypeMatrix) && !evaluate(a, s).exists {
			r = missing
		}
	}
	return r
}

// deniedRequests counts what policy denied.
const deniedRequests = "inbound_http_authz_deny_total"

// selectsFailures reports whether a selector selects only series that exist since the first
// failure.
func selectsFailures(s *parser.VectorSelector) bool {
	for _, m := range s.LabelMatchers {
		var good, bad []string
		switch m.Name {
		case labels.MetricName:
			if m.Type == labels.MatchEqual && m.Value == deniedRequests {
				return true
			}
		case "classification":
			good, bad = []string{"success"}, []string{"failure"}
		case "status", "status_code", "http_status", "code":
			good = []string{"200", "201", "204", "301", "302", "304"}
			bad = []string{"403", "404", "429", "500", "502", "503", "504"}
		case "error":
			good, bad = []string{""}, []string{"some error"}
		}
		if !matchesAny(m, good) && matchesAny(m, bad) {
			return true
		}
	}
	return false
}

func matchesAny(m *labels.Matcher, values []string) bool {
	return slices.ContainsFunc(values, m.Matches)
}

// accepts reports whether a metric's thresholds accept a value.
func accepts(m flaggerv1.CanaryMetric, v float64) bool {
	r := m.ThresholdRange
	if r == nil {
		return v <= m.Threshold
	}
	return (r.Min == nil || v >= *r.Min) && (r.Max == nil || v <= *r.Max)
}

func checkFailsOpen(p *pass, q query) {
	if !selectsSeries(q.expr) || !evaluate(q.expr, noSeries).exists {
		return
	}
	value, ok := p.Evaluate(q.rendered, nil)
	if !dependsOnTime(q.expr) && (!ok || math.IsNaN(value) || !accepts(q.metric, value)) {
		return
	}
	p.warnAt(q.object, q.field, "the query has a value without any traffic, so the check passes when the "+
		"canary has none",
		"remove what gives the value, such as `or vector(…)`: without values the check fails, which is safe")
}

// dependsOnTime reports whether the value of a query without series is another one at each time.
func dependsOnTime(e parser.Expr) bool {
	depends := false
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		c, ok := n.(*parser.Call)
		depends = depends || ok && slices.Contains([]string{"time", "timestamp", "minute", "hour", "day_of_week",
			"day_of_month", "day_of_year", "days_in_month", "month", "year"}, c.Func.Name)
		return nil
	})
	return depends
}

func checkAbsentUntilFailure(p *pass, q query) {
	if selectsSeries(q.expr) && !evaluate(q.expr, noFailures).exists {
		p.warnAt(q.object, q.field, "the query has no value until a request fails, so a healthy release "+
			"fails the check",
			"count what did not fail, or write (… or vector(0)) around the failures alone")
	}
}

// selectsSeries reports whether the query reads any series.
func selectsSeries(e parser.Expr) bool {
	selects := false
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		_, ok := n.(*parser.VectorSelector)
		selects = selects || ok
		return nil
	})
	return selects
}
