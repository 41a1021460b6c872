package guardrail

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// parsePromQL reads a query with the options that Prometheus has by default.
func parsePromQL(query string) (expr parser.Expr, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the PromQL parser gave up: %v", p)
		}
	}()
	return parser.NewParser(parser.Options{}).ParseExpr(query)
}

// checkPromQL checks that a query parses, that Flagger can read its result, and that it is cheap enough.
func checkPromQL(query string) *problem {
	expr, err := parsePromQL(query)
	if err != nil {
		return &problem{what: "the query is not PromQL: " + clip(err.Error()), todo: "correct it; it reads " + clip(query)}
	}
	switch expr.Type() {
	case parser.ValueTypeVector:
	case parser.ValueTypeMatrix:
		return &problem{what: "the query gives a range of values, Flagger reads one", todo: "wrap it in rate() or another function over time"}
	case parser.ValueTypeScalar:
		return &problem{what: "the query gives a scalar, Flagger reads a vector", todo: "wrap it in vector()"}
	default:
		return &problem{what: "the query gives a " + string(expr.Type()) + ", Flagger reads a vector", todo: "ask for series"}
	}
	cost := &queryCost{}
	cost.visit(expr, 1)
	return cost.problem
}

// queryCost walks a query and finds what would make it expensive.
type queryCost struct {
	selectors int
	reads     int64 // samples of one series
	problem   *problem
}

func (q *queryCost) refuse(what, todo string) {
	if q.problem == nil {
		q.problem = &problem{what: what, todo: todo}
	}
}

// visit walks down; steps is how often the node is evaluated for one answer, or how many samples a selector reads.
func (q *queryCost) visit(n parser.Node, steps int64) {
	switch n := n.(type) {
	case *parser.VectorSelector:
		q.selector(n)
		q.read(steps)
	case *parser.MatrixSelector:
		q.window("range", n.Range)
		steps *= int64(min(n.Range, MaxQueryRange)/SampleInterval) + 1
	case *parser.SubqueryExpr:
		steps = q.subquery(n, steps)
	}
	for c := range parser.ChildrenIter(n) {
		q.visit(c, steps)
	}
}

func (q *queryCost) read(samples int64) {
	q.reads += samples
	if q.reads > MaxQueryReads {
		q.refuse(fmt.Sprintf("one answer reads more than %d samples of a series", MaxQueryReads), "shorten ranges, lengthen the steps of subqueries, or split the query")
	}
}

func (q *queryCost) window(name string, d time.Duration) {
	if d.Abs() > MaxQueryRange {
		q.refuse(fmt.Sprintf("the query has %s %s; the limit is %s", name, promDuration(d), promDuration(MaxQueryRange)), "shorten it; no run lasts longer")
	}
}

// promDuration writes a duration as PromQL does, in its largest whole unit.
func promDuration(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	case d%time.Second == 0:
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	return d.String()
}

// subquery returns how often the expression inside is evaluated.
func (q *queryCost) subquery(n *parser.SubqueryExpr, steps int64) int64 {
	q.window("subquery range", n.Range)
	q.window("offset", n.OriginalOffset)
	if n.Timestamp != nil || n.StartOrEnd != 0 {
		q.refuse("the query has an @ modifier", "take it out; a check is about now")
	}
	step := n.Step
	if step <= 0 {
		step = DefaultSubqueryStep
	}
	steps *= int64(n.Range/step) + 1
	if steps > MaxSubquerySteps {
		q.refuse(fmt.Sprintf("the query's subqueries take more than %d steps", MaxSubquerySteps), "lengthen the step or shorten the range")
		return MaxSubquerySteps
	}
	return steps
}

func (q *queryCost) selector(v *parser.VectorSelector) {
	q.selectors++
	if q.selectors > MaxQuerySelectors {
		q.refuse(fmt.Sprintf("the query has more than %d selectors", MaxQuerySelectors), "split it into several metrics")
	}
	q.window("offset", v.OriginalOffset)
	if v.Timestamp != nil || v.StartOrEnd != 0 {
		q.refuse("the query has an @ modifier", "take it out; a check is about now")
	}
	named := false
	for _, m := range v.LabelMatchers {
		if m.Type != labels.MatchEqual && m.Type != labels.MatchNotEqual && len(m.Value) > MaxRegexLength {
			q.refuse(fmt.Sprintf("the regex for label %s is longer than %d bytes", clip(m.Name), MaxRegexLength), "shorten it")
		}
		named = named || namesMetric(m)
	}
	if !named {
		q.refuse("selector "+clip(v.String())+" names no metric: it could read every series", "name the metric")
	}
}

// namesMetric tells whether a matcher holds for a few metric names only.
func namesMetric(m *labels.Matcher) bool {
	if m.Name != labels.MetricName {
		return false
	}
	switch m.Type {
	case labels.MatchEqual:
		return m.Value != ""
	case labels.MatchRegexp:
		names := m.SetMatches()
		return len(names) > 0 && len(names) <= MaxRegexNames && !slices.Contains(names, "")
	}
	return false
}
