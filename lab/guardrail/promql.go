package guardrail

import (
	"fmt"
	"slices"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/strutil"
)

// parsePromQL parses a query with Prometheus' default options. The caller has called checkMatchers,
// since the parser compiles regular expressions.
func parsePromQL(query string) (expr parser.Expr, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the PromQL parser failed: %v", p)
		}
	}()
	return parser.NewParser(parser.Options{}).ParseExpr(query)
}

// checkMatchers checks the number of label matchers and the size of their regular expressions.
func checkMatchers(query string) *queryProblem {
	var item parser.Item
	matchers, size := 0, 0
	lexer := parser.Lex(query)
	for {
		last := item.Typ
		lexer.NextItem(&item)
		switch item.Typ {
		case parser.EOF, parser.ERROR:
			return nil // the parser reports the error
		case parser.EQL, parser.NEQ, parser.EQL_REGEX, parser.NEQ_REGEX:
			if matchers++; matchers > MaxQueryMatchers {
				return &queryProblem{message: fmt.Sprintf("the query has more than %d matchers", MaxQueryMatchers),
					hint: "split it into several metrics"}
			}
		case parser.STRING:
			if last != parser.EQL_REGEX && last != parser.NEQ_REGEX {
				continue
			}
			expr, err := strutil.Unquote(item.Val)
			if err != nil {
				return nil
			}
			if p := checkQueryRegex(expr, &size); p != nil {
				return p
			}
		}
	}
}

// checkQueryRegex checks a regular expression of a query and adds its size to the query's.
func checkQueryRegex(expr string, total *int) *queryProblem {
	if len(expr) > MaxRegexLength {
		return &queryProblem{message: fmt.Sprintf("the regular expression %s is longer than %d bytes", Clip(expr),
			MaxRegexLength),
			hint: "shorten it"}
	}
	size, err := regexSize(expr)
	if err != nil {
		return nil // the parser reports the error
	}
	if *total += size; size > MaxRegexSize || *total > MaxQueryRegexSize {
		return &queryProblem{message: "the regular expression " + Clip(expr) + " is too costly",
			hint: "lower the counts in {…}"}
	}
	return nil
}

// ParseMetricQuery renders the query of a metric as Flagger would and parses it. It returns false
// if there is no query or it is invalid.
func ParseMetricQuery(query string, v *flaggerv1.Canary, m flaggerv1.CanaryMetric) (parser.Expr, bool) {
	if query == "" {
		return nil, false
	}
	text, problem := renderQuery(query, templateModel(v, m))
	if problem != nil {
		return nil, false
	}
	expr, err := parsePromQL(text)
	return expr, err == nil
}

// checkPromQL checks that a query is valid, that Flagger can use its result, and that its cost is
// within the limits.
func checkPromQL(query string) *queryProblem {
	if problem := checkMatchers(query); problem != nil {
		return problem
	}
	expr, err := parsePromQL(query)
	if err != nil {
		return &queryProblem{message: "invalid PromQL: " + Clip(err.Error()),
			hint: "correct it; the rendered query is " + Clip(query)}
	}
	switch expr.Type() {
	case parser.ValueTypeVector:
	case parser.ValueTypeMatrix:
		return &queryProblem{message: "the query returns a range vector, but Flagger needs an instant vector",
			hint: "apply rate() or another function over time"}
	case parser.ValueTypeScalar:
		return &queryProblem{message: "the query returns a scalar, but Flagger needs a vector", hint: "use vector()"}
	default:
		return &queryProblem{message: "the query returns a " + string(expr.Type()) + ", but Flagger needs a vector",
			hint: "query a metric"}
	}
	cost := &queryCost{}
	cost.visit(expr, 1)
	return cost.problem
}

// queryCost adds up the cost of a query.
type queryCost struct {
	selectors int
	samples   int64 // per series
	regexSize int
	problem   *queryProblem
}

func (q *queryCost) reject(message, hint string) {
	if q.problem == nil {
		q.problem = &queryProblem{message: message, hint: hint}
	}
}

// visit adds up the cost of a node that is evaluated steps times per result. A selector then reads
// steps samples.
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
	case *parser.Call:
		q.checkLabelReplace(n)
	}
	for c := range parser.ChildrenIter(n) {
		q.visit(c, steps)
	}
}

// checkLabelReplace checks the regular expression of label_replace, which each evaluation compiles.
func (q *queryCost) checkLabelReplace(n *parser.Call) {
	if n.Func.Name != "label_replace" || len(n.Args) != 5 {
		return
	}
	arg := n.Args[4]
	for paren, ok := arg.(*parser.ParenExpr); ok; paren, ok = arg.(*parser.ParenExpr) {
		arg = paren.Expr
	}
	if expr, ok := arg.(*parser.StringLiteral); ok && q.problem == nil {
		q.problem = checkQueryRegex(expr.Val, &q.regexSize)
	}
}

func (q *queryCost) addSamples(samples int64) {
	q.samples += samples
	if q.samples > MaxQuerySamples {
		q.reject(fmt.Sprintf("the query reads more than %d samples per series", MaxQuerySamples),
			"shorten ranges, lengthen the steps of subqueries, or split the query")
	}
}

func (q *queryCost) checkDuration(name string, d time.Duration) {
	if d.Abs() > MaxQueryRange {
		q.reject(fmt.Sprintf("%s %s is longer than the limit of %s", name, model.Duration(d.Abs()),
			model.Duration(MaxQueryRange)),
			"shorten it; no run lasts longer")
	}
}

// enterSubquery returns how often the inner expression of a subquery is evaluated.
func (q *queryCost) enterSubquery(n *parser.SubqueryExpr, steps int64) int64 {
	q.checkDuration("subquery range", n.Range)
	q.checkDuration("offset", n.OriginalOffset)
	if n.Timestamp != nil || n.StartOrEnd != 0 {
		q.reject("the query has an @ modifier", "remove it; a check is about the present")
	}
	step := n.Step
	if step <= 0 {
		step = DefaultSubqueryStep
	}
	steps *= int64(n.Range/step) + 1
	if steps > MaxSubquerySteps {
		q.reject(fmt.Sprintf("the subqueries have more than %d steps", MaxSubquerySteps),
			"lengthen the step or shorten the range")
		return MaxSubquerySteps
	}
	return steps
}

func (q *queryCost) checkSelector(v *parser.VectorSelector) {
	q.selectors++
	if q.selectors > MaxQuerySelectors {
		q.reject(fmt.Sprintf("the query has more than %d selectors", MaxQuerySelectors),
			"split it into several metrics")
	}
	q.checkDuration("offset", v.OriginalOffset)
	if v.Timestamp != nil || v.StartOrEnd != 0 {
		q.reject("the query has an @ modifier", "remove it; a check is about the present")
	}
	named := false
	for _, m := range v.LabelMatchers {
		named = named || namesMetric(m)
	}
	if !named {
		q.reject("selector "+Clip(v.String())+" has no metric name: it could read every series", "name the metric")
	}
}

// namesMetric reports whether a matcher accepts only a few metric names.
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
