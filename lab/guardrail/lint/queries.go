package guardrail

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

const (
	// scrapeInterval is Linkerd's, and the lab's.
	scrapeInterval = 10 * time.Second
	// minWindow is the shortest range over which rate() has points to spare when one scrape is late.
	minWindow = 3 * scrapeInterval
)

func queryRules() []Rule {
	const rates = "prometheus.io/docs, querying functions, rate(); Linkerd's scrape interval of 10 s"
	return []Rule{
		{Name: "fails-open", Why: "`or vector(…)` answers for a canary without traffic, so a check of nothing passes.",
			Source: "github.com/fluxcd/flagger/issues/732", query: lintFailsOpen},
		{Name: "short-window", Why: "rate() needs two points and loses one to a late scrape: a short range gives no value at times.", Source: rates, query: lintShortWindow},
		{Name: "stale-window", Why: "A range much longer than the interval still shows the weights before: the canary advances before its metric can.",
			Source: "Google SRE Workbook, ch. 16, Canarying Releases", query: lintStaleWindow},
		{Name: "matches-primary", Why: "A regex that matches X-primary too averages the canary with the version that is well.",
			Source: "prometheus.io/docs: regex matches are fully anchored", query: lintMatchesPrimary},
		{Name: "several-series", Why: "Of several series Flagger takes the last, whichever that is.", Source: "flagger pkg/metrics/providers/prometheus.go, RunQuery", query: lintSeveralSeries},
		{Name: "no-series", Why: "A query without a selector gives the same answer whatever happens.", Source: "PromQL", query: lintNoSeries},
		{Name: "quantile-name", Why: "A metric that is named for one quantile and measures another misleads whoever reads the alert.",
			Source: "the built-in request-duration is p99, flagger pkg/metrics/observers/http.go", query: lintQuantileName},
	}
}

func lintFailsOpen(s *lintTarget, u queryUse) {
	parser.Inspect(u.expr, func(n parser.Node, _ []parser.Node) error {
		or, ok := n.(*parser.BinaryExpr)
		if ok && or.Op == parser.LOR && (isVectorCall(or.LHS) || isVectorCall(or.RHS)) {
			s.warnAt(u.doc, u.field, "`or vector(…)` makes the check pass when the canary has no traffic", "take it out: Flagger fails closed on no values")
		}
		return nil
	})
}

// isVectorCall tells whether an expression is vector(…), perhaps in parentheses.
func isVectorCall(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return isVectorCall(e.Expr)
	case *parser.Call:
		return e.Func.Name == "vector"
	}
	return false
}

func lintShortWindow(s *lintTarget, u queryUse) {
	if d, ok := shortestRange(u.expr); ok && d < minWindow {
		s.warnAt(u.doc, u.field, fmt.Sprintf("a range of %s holds at most %d scrapes of %s", promDuration(d), int(d/scrapeInterval), promDuration(scrapeInterval)),
			"use 30s or more, better 1m (the metric's interval)")
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

func lintStaleWindow(s *lintTarget, u queryUse) {
	interval := u.canary.GetAnalysisInterval()
	if d, ok := shortestRange(u.expr); ok && d > 3*interval && len(weightSteps(u.canary.Spec.Analysis)) > 0 {
		s.warn(u.metricPath, fmt.Sprintf("its range of %s is more than 3 analysis intervals of %s: checks look mostly at the weights before", promDuration(d), promDuration(interval)),
			"shorten the metric's interval or lengthen the analysis interval")
	}
}

func lintMatchesPrimary(s *lintTarget, u queryUse) {
	target := u.canary.Spec.TargetRef.Name
	parser.Inspect(u.expr, func(n parser.Node, _ []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		for _, m := range v.LabelMatchers {
			if m.Type == labels.MatchRegexp && matchesBoth(m, target) {
				s.warnAt(u.doc, u.field, fmt.Sprintf("%s=~%q matches the primary as well as the canary", m.Name, clip(m.Value)),
					"where only the canary is meant write "+strings.Replace(m.Name, "pod", "deployment", 1)+"=\"{{ target }}\"")
			}
		}
		return nil
	})
}

// matchesBoth tries the matcher with what canary and primary have in the label.
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

func lintSeveralSeries(s *lintTarget, u queryUse) {
	if mayReturnSeveral(u.expr) {
		s.warnAt(u.doc, u.field, "the query can give several series, of which Flagger takes the last", "aggregate, as in sum(…)")
	}
}

// mayReturnSeveral tells whether an expression surely keeps the labels of what it selects. Where it is not plain it says no.
func mayReturnSeveral(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.VectorSelector:
		return true
	case *parser.ParenExpr:
		return mayReturnSeveral(e.Expr)
	case *parser.AggregateExpr:
		return len(e.Grouping) > 0 || e.Without || e.Op == parser.TOPK || e.Op == parser.BOTTOMK
	case *parser.BinaryExpr:
		left, right := e.LHS.Type() == parser.ValueTypeScalar, e.RHS.Type() == parser.ValueTypeScalar
		return left && mayReturnSeveral(e.RHS) || right && mayReturnSeveral(e.LHS) || mayReturnSeveral(e.LHS) && mayReturnSeveral(e.RHS)
	case *parser.Call:
		return callKeepsSeries(e)
	}
	return false
}

func callKeepsSeries(c *parser.Call) bool {
	switch c.Func.Name {
	case "rate", "irate", "increase", "delta", "deriv", "abs", "ceil", "floor", "round", "clamp_min", "clamp_max", "clamp",
		"avg_over_time", "max_over_time", "min_over_time", "sum_over_time", "last_over_time", "quantile_over_time":
		return true
	case "histogram_quantile":
		a, ok := c.Args[1].(*parser.AggregateExpr)
		return !ok || a.Without || len(a.Grouping) > 1
	}
	return false
}

func lintNoSeries(s *lintTarget, u queryUse) {
	selects := false
	parser.Inspect(u.expr, func(n parser.Node, _ []parser.Node) error {
		_, ok := n.(*parser.VectorSelector)
		selects = selects || ok
		return nil
	})
	if !selects {
		s.warnAt(u.doc, u.field, "the query reads no series: its answer never changes", "ask for a metric of the canary")
	}
}

// quantileInName finds p95, p99.9 and the like as a word of a name.
var quantileInName = regexp.MustCompile(`(?i)(?:^|[^a-z0-9])p(\d{2,4})(?:$|[^a-z0-9])`)

// namedQuantile is the quantile that a name speaks of: p95 is 0.95, p999 0.999.
func namedQuantile(name string) (float64, bool) {
	m := quantileInName.FindStringSubmatch(name)
	if m == nil {
		return 0, false
	}
	q, err := strconv.ParseFloat("0."+m[1], 64)
	return q, err == nil
}

func lintQuantileName(s *lintTarget, u queryUse) {
	named, ok := namedQuantile(u.metric.Name)
	if !ok {
		return
	}
	parser.Inspect(u.expr, func(n parser.Node, _ []parser.Node) error {
		c, ok := n.(*parser.Call)
		if !ok || c.Func.Name != "histogram_quantile" {
			return nil
		}
		if q, ok := c.Args[0].(*parser.NumberLiteral); ok && math.Abs(q.Val-named) > 1e-9 {
			s.warn(u.metricPath+".name", fmt.Sprintf("%s is named for quantile %v and measures %v", clip(u.metric.Name), named, q.Val), "rename it or correct the query")
		}
		return nil
	})
}

// usesTemplate tells whether a Canary asks the named template.
func usesTemplate(v *flaggerv1.Canary, name string) bool {
	for _, m := range v.Spec.Analysis.Metrics {
		if m.TemplateRef != nil && m.TemplateRef.Name == name {
			return true
		}
	}
	return false
}
