package lint

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"coalmine/lab/guardrail"
)

// minWindow is the shortest range over which rate() still has two samples when one scrape is late.
const minWindow = 3 * guardrail.SampleInterval

func queryRules() []Rule {
	return []Rule{
		{Name: "fails-open", query: checkFailsOpen,
			Section: sectionQueries,
			What:    "A query has an accepted value without any traffic.",
			Why: "A query with a value for a canary without traffic, such as `… or vector(100)`, lets a check of " +
				"nothing pass.",
			Source: "github.com/fluxcd/flagger/issues/732"},
		{Name: "absent-until-failure", query: checkAbsentUntilFailure,
			Section: sectionQueries,
			What:    "A query, or its numerator, selects only what has failed.",
			Why:     "A series of failures does not exist before the first one, and a check without a value fails.",
			Source: "prometheus.io/docs, instrumentation, avoid missing metrics; " +
				"github.com/fluxcd/flagger/issues/732"},
		{Name: "quantile-range", query: checkQuantileRange,
			Section: sectionQueries,
			What:    "A quantile is not between 0 and 1.",
			Why:     "A quantile above 1 is +Inf and one below 0 is -Inf, whatever was measured: 99 is not 0.99.",
			Source:  "prometheus.io/docs, querying functions, histogram_quantile()"},
		{Name: "short-window", query: checkShortWindow,
			Section: sectionQueries,
			What:    "A range is shorter than three scrapes.",
			Why:     "rate() needs two samples, and a late scrape costs one. A short range sometimes gives no value.",
			Source:  "prometheus.io/docs, querying functions, rate(); Linkerd's scrape interval of 10 s"},
		{Name: "stale-window", query: checkStaleWindow,
			Section: sectionQueries,
			What:    "A range is longer than three analysis intervals.",
			Why: "A range much longer than the interval covers earlier weights: the metric reacts after the " +
				"canary advances.",
			Source: "Google SRE Workbook, ch. 16, Canarying Releases"},
		{Name: "matches-primary", query: checkMatchesPrimary,
			Section: sectionQueries,
			What:    "A regular expression matches the primary as well as the canary.",
			Why:     "A regular expression that also matches X-primary averages the canary with the healthy version.",
			Source:  "prometheus.io/docs: regex matches are fully anchored"},
		{Name: "several-series", query: checkSeveralSeries,
			Section: sectionQueries,
			What:    "A query can return several series.",
			Why:     "Of several series Flagger uses the last, which can be any of them.",
			Source:  "flagger pkg/metrics/providers/prometheus.go, RunQuery"},
		{Name: "no-series", query: checkNoSeries,
			Section: sectionQueries,
			What:    "A query selects no series.",
			Why:     "A query without a selector always returns the same value.", Source: "PromQL"},
		{Name: "quantile-name", query: checkQuantileName,
			Section: sectionQueries, Severity: guardrail.SeverityNote,
			What:   "A metric is named for another quantile than it measures.",
			Why:    "A metric named for one quantile that measures another misleads readers of the alert.",
			Source: "the built-in request-duration is p99, flagger pkg/metrics/observers/http.go"},
	}
}

func checkShortWindow(p *pass, q query) {
	if d, ok := shortestRange(q.expr); ok && d < minWindow {
		p.warnAt(q.object, q.field, fmt.Sprintf("a range of %s holds at most %d samples, one every %s",
			model.Duration(d), int(d/guardrail.SampleInterval), model.Duration(guardrail.SampleInterval)),
			"use 30s or more, preferably 1m (the metric's interval)")
	}
}

func shortestRange(e parser.Expr) (time.Duration, bool) {
	shortest, found := time.Duration(math.MaxInt64), false
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if m, ok := n.(*parser.MatrixSelector); ok {
			shortest, found = min(shortest, m.Range), true
		}
		return nil
	})
	return shortest, found
}

func checkStaleWindow(p *pass, q query) {
	interval := q.canary.GetAnalysisInterval()
	if d, ok := shortestRange(q.expr); ok && d > 3*interval && len(weightSteps(q.canary.Spec.Analysis)) > 0 {
		p.warn(q.metricPath,
			fmt.Sprintf("its range of %s is more than 3 analysis intervals of %s, so checks mostly see earlier weights",
				model.Duration(d), model.Duration(interval)),
			"shorten the metric's interval or lengthen the analysis interval")
	}
}

func checkMatchesPrimary(p *pass, q query) {
	for _, m := range matchesPrimary(q.expr, q.canary.Spec.TargetRef.Name) {
		p.warnAt(q.object, q.field,
			fmt.Sprintf("%s=~%q matches the primary as well as the canary", m.Name, guardrail.Clip(m.Value)),
			"to select only the canary, write "+strings.Replace(m.Name, "pod", "deployment", 1)+"=\"{{ target }}\"")
	}
}

// matchesPrimary returns the matchers that select the pods of both canary and primary.
func matchesPrimary(e parser.Expr, target string) []*labels.Matcher {
	var both []*labels.Matcher
	eachSelector(e, func(s *parser.VectorSelector) {
		for _, m := range s.LabelMatchers {
			if m.Type == labels.MatchRegexp && matchesBoth(m, target) {
				both = append(both, m)
			}
		}
	})
	return both
}

// matchesBoth reports whether the matcher accepts the label values of both canary and primary.
func matchesBoth(m *labels.Matcher, target string) bool {
	suffix := ""
	switch m.Name {
	case "deployment", "dst_deployment":
	case "pod", "dst_pod":
		suffix = "-6c9f8d7b5-x2x4z"
	default:
		return false
	}
	return m.Matches(target+suffix) && m.Matches(target+"-primary"+suffix)
}

func checkSeveralSeries(p *pass, q query) {
	if returnsSeveral(q.expr) {
		p.warnAt(q.object, q.field, "the query can return several series, of which Flagger uses the last",
			"aggregate them, for example with sum(…)")
	}
}

// returnsSeveral reports whether an expression certainly keeps the labels of what it selects. If in
// doubt, it returns false.
func returnsSeveral(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.VectorSelector:
		return true
	case *parser.ParenExpr:
		return returnsSeveral(e.Expr)
	case *parser.AggregateExpr:
		return len(e.Grouping) > 0 || e.Without || e.Op == parser.TOPK || e.Op == parser.BOTTOMK
	case *parser.BinaryExpr:
		left, right := e.LHS.Type() == parser.ValueTypeScalar, e.RHS.Type() == parser.ValueTypeScalar
		return (left || returnsSeveral(e.LHS)) && (right || returnsSeveral(e.RHS)) && !(left && right)
	case *parser.Call:
		return callKeepsSeries(e)
	}
	return false
}

func callKeepsSeries(c *parser.Call) bool {
	switch c.Func.Name {
	case "rate", "irate", "increase", "delta", "deriv", "abs", "ceil", "floor", "round", "clamp_min",
		"clamp_max", "clamp",
		"avg_over_time", "max_over_time", "min_over_time", "sum_over_time", "last_over_time", "quantile_over_time":
		return true
	case "histogram_quantile":
		a, ok := c.Args[1].(*parser.AggregateExpr)
		return !ok || a.Without || len(a.Grouping) > 1
	}
	return false
}

func checkNoSeries(p *pass, q query) {
	if !selectsSeries(q.expr) {
		p.warnAt(q.object, q.field, "the query selects no series, so its value never changes",
			"query a metric of the canary")
	}
}

// quantileInName matches p95, p999 and the like as a word of a name.
var quantileInName = regexp.MustCompile(`(?i)(?:^|[^a-z0-9])p(\d{2,4})(?:$|[^a-z0-9])`)

// namedQuantile returns the quantile that a name contains: p95 is 0.95, p999 is 0.999.
func namedQuantile(name string) (float64, bool) {
	m := quantileInName.FindStringSubmatch(name)
	if m == nil {
		return 0, false
	}
	q, err := strconv.ParseFloat("0."+m[1], 64)
	return q, err == nil
}

func checkQuantileName(p *pass, q query) {
	named, ok := namedQuantile(q.metric.Name)
	if !ok {
		return
	}
	parser.Inspect(q.expr, func(n parser.Node, _ []parser.Node) error {
		c, ok := n.(*parser.Call)
		if !ok || c.Func.Name != "histogram_quantile" {
			return nil
		}
		if got, ok := c.Args[0].(*parser.NumberLiteral); ok && math.Abs(got.Val-named) > 1e-9 {
			p.warn(q.metricPath+".name", fmt.Sprintf("%s is named for quantile %v but measures %v",
				guardrail.Clip(q.metric.Name), named, got.Val), "rename it or correct the query")
		}
		return nil
	})
}

func checkQuantileRange(p *pass, q query) {
	parser.Inspect(q.expr, func(n parser.Node, _ []parser.Node) error {
		var param parser.Expr
		switch n := n.(type) {
		case *parser.Call:
			if n.Func.Name == "histogram_quantile" || n.Func.Name == "quantile_over_time" {
				param = n.Args[0]
			}
		case *parser.AggregateExpr:
			if n.Op == parser.QUANTILE {
				param = n.Param
			}
		}
		if param == nil {
			return nil
		}
		if r := evaluate(param, noSeries); r.known && !(r.value >= 0 && r.value <= 1) {
			p.warnAt(q.object, q.field, fmt.Sprintf("quantile %v is not between 0 and 1: the result is "+
				"always infinite", r.value),
				"write 0.99 for the 99th percentile")
		}
		return nil
	})
}
