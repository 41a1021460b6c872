package lint

import (
	"fmt"
	"math"
	"slices"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/promeval"
)

// The rules of this file compare a criterion with the number of requests that it can rest on. They
// need the traffic, which a scenario or --rps gives.

func trafficRules() []Rule {
	return []Rule{
		{Name: "unresolvable-threshold", needs: theTraffic, query: checkResolution, Section: sectionTraffic,
			What: "A ratio's threshold lies between no failed request and one, at this traffic.",
			Why: "With n requests in the window a share moves in steps of 1/n. If the threshold allows less than one " +
				"failure, a single failed request fails the check, and healthy releases have those too.",
			Source: "Google SRE Workbook, ch. 16, Canarying Releases; docs/evidence.md"},
		{Name: "quantile-of-few", needs: theTraffic, query: checkFewForQuantile, Section: sectionTraffic,
			What: "A quantile is taken of so few requests that it is their maximum.",
			Why: "The 99th percentile of fewer than 100 requests is the slowest of them: one slow request fails " +
				"the check.",
			Source: "prometheus.io/docs, histograms and summaries"},
		{Name: "relative-at-low-counts", needs: theTraffic, query: checkRelative, Section: sectionTraffic,
			What: "The canary is compared with the primary by a factor, and both have few failures.",
			Why: "The number of failures in a window is Poisson distributed: where 2 are expected, 4 or more happen " +
				"in one window of seven. A factor of 2 means something from some 10 expected failures on.",
			Source: "Kohavi, Tang, Xu: Trustworthy Online Controlled Experiments, 2020, ch. 19; docs/evidence.md"},
	}
}

// window is what one check of the canary can rest on at its first step.
type window struct {
	weight   int // percent
	length   time.Duration
	requests float64
}

// firstWindow returns the requests to the canary in the range of a query at the first step, or
// false if the traffic or the share of the canary is not known.
func (p *pass) firstWindow(q query) (window, bool) {
	rate := p.set.Environment.Rates[q.canary.Spec.TargetRef.Name]
	length, ranged := shortestRange(q.expr)
	steps := weightSteps(q.canary.Spec.Analysis)
	if rate <= 0 || !ranged || len(steps) == 0 {
		return window{}, false
	}
	w := window{weight: steps[0], length: length}
	w.requests = rate * float64(w.weight) / 100 * length.Seconds()
	return w, true
}

func (w window) String() string {
	return fmt.Sprintf("at weight %d the canary gets about %.0f requests in %s", w.weight, w.requests,
		model.Duration(w.length))
}

// failuresAt evaluates a query while a share of the canary's requests fails and everything else is
// well.
func (e evaluator) failuresAt(q query, share float64) (float64, bool) {
	target, namespace := q.canary.Spec.TargetRef.Name, q.canary.Namespace
	return e.Evaluate(q.rendered, sides(namespace,
		side{deployment: target, service: target + "-canary", rate: promeval.Rate, failing: share},
		side{deployment: target + "-primary", service: target + "-primary", rate: promeval.Rate}))
}

// toleratedFailures returns the share of failing requests from which on a check fails, if its value
// is a line of that share: a success rate or an error rate, as a fraction or in percent.
func (e evaluator) toleratedFailures(q query) (float64, bool) {
	const low, high = 0.25, 0.5
	none, ok0 := e.failuresAt(q, 0)
	some, ok1 := e.failuresAt(q, low)
	more, ok2 := e.failuresAt(q, high)
	slope := (some - none) / low
	if !ok0 || !ok1 || !ok2 || math.IsNaN(slope) || math.Abs(slope) < 1e-9 {
		return 0, false
	}
	if math.Abs(none+slope*high-more) > 1e-6*math.Abs(slope) || !accepts(q.metric, none) {
		return 0, false
	}
	if one, hundred := math.Abs(slope-1), math.Abs(math.Abs(slope)-100); one > 1e-6 && hundred > 1e-4 &&
		math.Abs(slope+1) > 1e-6 {
		return 0, false // not a ratio: it depends on the rate
	}
	limit := thresholds(q.metric)
	if slope < 0 {
		return (limit.Min - none) / slope, !math.IsInf(limit.Min, -1)
	}
	return (limit.Max - none) / slope, !math.IsInf(limit.Max, 1)
}

// thresholds returns the range that a metric's value must lie in.
func thresholds(m flaggerv1.CanaryMetric) struct{ Min, Max float64 } {
	limit := struct{ Min, Max float64 }{math.Inf(-1), math.Inf(1)}
	switch r := m.ThresholdRange; {
	case r == nil:
		limit.Max = m.Threshold
	default:
		if r.Min != nil {
			limit.Min = *r.Min
		}
		if r.Max != nil {
			limit.Max = *r.Max
		}
	}
	return limit
}

func checkResolution(p *pass, q query) {
	w, ok := p.firstWindow(q)
	if !ok {
		return
	}
	share, ok := p.toleratedFailures(q)
	if !ok || w.requests < 1 || w.requests*share >= 1 {
		return
	}
	hint := "allow for one failure or more, start at a larger weight, or lengthen the range"
	if share > 0 {
		hint = fmt.Sprintf("it takes %.0f requests before one failure passes: %s", math.Ceil(1/share-1e-6),
			"start at a larger weight, lengthen the range, or lower the threshold")
	}
	p.warn(q.metricPath, fmt.Sprintf("%s, of which %s tolerates %.2g failures: one failed request fails the check",
		w, guardrail.Clip(q.metric.Name), w.requests*share), hint)
}

func checkFewForQuantile(p *pass, q query) {
	w, ok := p.firstWindow(q)
	if !ok {
		return
	}
	parser.Inspect(q.expr, func(n parser.Node, _ []parser.Node) error {
		c, ok := n.(*parser.Call)
		if !ok || c.Func.Name != "histogram_quantile" {
			return nil
		}
		r := evaluate(c.Args[0], noSeries)
		if r.known && r.value > 0 && r.value < 1 && w.requests*(1-r.value) < 1 {
			p.warn(q.metricPath, fmt.Sprintf("%s, and quantile %v of fewer than %.0f is the slowest request",
				w, r.value, math.Ceil(1/(1-r.value)-1e-9)),
				"start at a larger weight, lengthen the range, or take a lower quantile")
		}
		return nil
	})
}

const (
	// assumedErrors is the share of failing requests of a healthy version, if it is not known.
	assumedErrors = 0.001
	// maxFalseAlarm is the chance, per check, from which on noise is reported.
	maxFalseAlarm = 0.02
)

// checkRelative computes how often a healthy canary exceeds its primary by the factor.
func checkRelative(p *pass, q query) {
	w, ok := p.firstWindow(q)
	factor := thresholds(q.metric).Max
	if !ok || math.IsInf(factor, 1) || factor <= 1 || !p.comparesFailures(q) {
		return
	}
	errors, known := p.set.Environment.ErrorRates[q.canary.Spec.TargetRef.Name]
	if !known || errors <= 0 {
		errors = assumedErrors
	}
	expected := w.requests * errors
	chance := poissonAbove(expected, factor*expected)
	if chance < maxFalseAlarm {
		return
	}
	p.warn(q.metricPath, fmt.Sprintf("%s, of which %.2g fail if %.2g %% do: a healthy canary exceeds %v times the "+
		"primary in %.0f %% of the checks", w, expected, 100*errors, factor, 100*chance),
		"compare with a fixed rate, require a number of failures, or start at a larger weight")
}

// comparesFailures reports whether a query divides the failures of the canary by those of the
// primary: without failures of the primary it is larger, and with more of them it is smaller.
func (e evaluator) comparesFailures(q query) bool {
	target, namespace := q.canary.Spec.TargetRef.Name, q.canary.Namespace
	divides := false
	parser.Inspect(q.expr, func(n parser.Node, _ []parser.Node) error {
		b, ok := n.(*parser.BinaryExpr)
		divides = divides || ok && b.Op == parser.DIV && selectsDeployment(b.RHS, target+"-primary")
		return nil
	})
	if !divides {
		return false
	}
	at := func(canary, primary float64) (float64, bool) {
		return e.Evaluate(q.rendered, sides(namespace,
			side{deployment: target, service: target + "-canary", rate: promeval.Rate, failing: canary},
			side{deployment: target + "-primary", service: target + "-primary", rate: promeval.Rate, failing: primary}))
	}
	equal, ok1 := at(0.1, 0.1)
	worse, ok2 := at(0.2, 0.1)
	return ok1 && ok2 && math.Abs(equal-1) < 0.01 && math.Abs(worse-2) < 0.01
}

// selectsDeployment reports whether an expression selects a Deployment by name.
func selectsDeployment(e parser.Expr, deployment string) bool {
	found := false
	eachSelector(e, func(s *parser.VectorSelector) {
		found = found || slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool {
			return (m.Name == "deployment" || m.Name == "dst_deployment" || m.Name == "backend_name") &&
				m.Value != "" && m.Matches(deployment)
		})
	})
	return found
}

// poissonAbove returns the chance that a Poisson number with a mean exceeds a limit.
func poissonAbove(mean, limit float64) float64 {
	term, sum := math.Exp(-mean), 0.0
	for k := 0.0; k <= limit; k++ {
		sum += term
		term *= mean / (k + 1)
	}
	return max(0, 1-sum)
}
