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
func checkPromQL(query string) *queryProblem {
	expr, err := parsePromQL(query)
	if err != nil {
		return &queryProblem{message: "the query is not PromQL: " + clip(err.Error()), hint: "correct it; it reads " + clip(query)}
	}
	switch expr.Type() {
	case parser.ValueTypeVector:
	case parser.ValueTypeMatrix:
		return &queryProblem{message: "the query gives a range of values, Flagger reads one", hint: "wrap it in rate() or another function over time"}
	case parser.ValueTypeScalar:
		return &queryProblem{message: "the query gives a scalar, Flagger reads a vector", hint: "wrap it in vector()"}
	default:
		return &queryProblem{message: "the query gives a " + string(expr.Type()) + ", Flagger reads a vector", hint: "ask for series"}
	}
	cost := &queryCost{}
	cost.visit(expr, 1)
	return cost.problem
}

// queryCost walks a query and finds what would make it expensive.
type queryCost struct {
	selectors int
	samples   int64 // samples of one series
	problem   *queryProblem
}

func (q *queryCost) reject(what, todo string) {
	if q.problem == nil {
		q.problem = &queryProblem{message: what, hint: todo}
	}
}

// visit walks down; steps is how often the node is evaluated for one answer, or how many samples a selector reads.
func (q *queryCost) visit(n parser.Node, steps int64) {
	switch n := n.(type) {
	case *parser.VectorSelector:
		q.checkSelector(n)
		q.addSamples(steps)
	case *parser.MatrixSelector:
		q.checkDuration("range", n.Range)
		steps *= int64(min(n.Range, MaxQueryRange)/SampleInterval) + 1
	case *parser.SubqueryExpr:
		steps = q.enterSubquery(n, steps)
	}
	for c := range parser.ChildrenIter(n) {
		q.visit(c, steps)
	}
}

func (q *queryCost) addSamples(samples int64) {
	q.samples += samples
	if q.samples > MaxQuerySamples {
		q.reject(fmt.Sprintf("one answer reads more than %d samples of a series", MaxQuerySamples), "shorten ranges, lengthen the steps of subqueries, or split the query")
	}
}

func (q *queryCost) checkDuration(name string, d time.Duration) {
	if d.Abs() > MaxQueryRange {
		q.reject(fmt.Sprintf("the query has %s %s; the limit is %s", name, promDuration(d), promDuration(MaxQueryRange)), "shorten it; no run lasts longer")
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

// enterSubquery returns how often the expression inside is evaluated.
func (q *queryCost) enterSubquery(n *parser.SubqueryExpr, steps int64) int64 {
	q.checkDuration("subquery range", n.Range)
	q.checkDuration("offset", n.OriginalOffset)
	if n.Timestamp != nil || n.StartOrEnd != 0 {
		q.reject("the query has an @ modifier", "take it out; a check is about now")
	}
	step := n.Step
	if step <= 0 {
		step = DefaultSubqueryStep
	}
	steps *= int64(n.Range/step) + 1
	if steps > MaxSubquerySteps {
		q.reject(fmt.Sprintf("the query's subqueries take more than %d steps", MaxSubquerySteps), "lengthen the step or shorten the range")
		return MaxSubquerySteps
	}
	return steps
}

func (q *queryCost) checkSelector(v *parser.VectorSelector) {
	q.selectors++
	if q.selectors > MaxQuerySelectors {
		q.reject(fmt.Sprintf("the query has more than %d selectors", MaxQuerySelectors), "split it into several metrics")
	}
	q.checkDuration("offset", v.OriginalOffset)
	if v.Timestamp != nil || v.StartOrEnd != 0 {
		q.reject("the query has an @ modifier", "take it out; a check is about now")
	}
	named := false
	for _, m := range v.LabelMatchers {
		if m.Type != labels.MatchEqual && m.Type != labels.MatchNotEqual && len(m.Value) > MaxRegexLength {
			q.reject(fmt.Sprintf("the regex for label %s is longer than %d bytes", clip(m.Name), MaxRegexLength), "shorten it")
		}
		named = named || namesMetric(m)
	}
	if !named {
		q.reject("selector "+clip(v.String())+" names no metric: it could read every series", "name the metric")
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
