package guardrail

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	istio "github.com/fluxcd/flagger/pkg/apis/istio/common/v1alpha1"
)

// intervalPattern is the pattern that Flagger's CRD has for intervals and timeouts. Source: artifacts/flagger/crd.yaml.
var intervalPattern = regexp.MustCompile(`^[0-9]+(m|s)`)

// checkAnalysis checks spec.analysis.
func (c *checker) checkAnalysis(d *document, v *flaggerv1.Canary) {
	const path = "spec.analysis"
	a := v.Spec.Analysis
	c.checkInterval(d, a)
	if a.Threshold < 0 || a.Threshold > 1000 {
		c.fail(d, path+".threshold", fmt.Sprintf("%d is not between 0 and 1000", a.Threshold), "say how many failed checks roll back")
	} else if !d.has(path + ".threshold") {
		c.fail(d, path+".threshold", "is missing", "say how many failed checks roll back")
	}
	c.checkProgress(d, a)
	c.checkMatches(d, a)
	c.checkMetrics(d, v)
	c.checkAlerts(d, a)
	c.checkWebhooks(d, a)
	if s := a.SessionAffinity; s != nil && (s.CookieName == "" || s.CookieName == s.PrimaryCookieName) {
		c.fail(d, path+".sessionAffinity.cookieName", "must be set, and differ from primaryCookieName", "name the cookie")
	}
	for field, share := range map[string]*int{"primaryReadyThreshold": a.PrimaryReadyThreshold, "canaryReadyThreshold": a.CanaryReadyThreshold} {
		if share != nil && (*share < 0 || *share > 100) {
			c.fail(d, path+"."+field, fmt.Sprintf("%d is no percentage", *share), "write 0 to 100")
		}
	}
}

func (c *checker) checkInterval(d *document, a *flaggerv1.CanaryAnalysis) {
	const path = "spec.analysis.interval"
	if a.Interval == "" {
		c.fail(d, path, "is missing", "say how often Flagger checks, as in 10s")
		return
	}
	interval, ok := c.parseDuration(d, path, a.Interval)
	switch {
	case !ok:
	case interval < MinAnalysisInterval:
		c.fail(d, path, clip(a.Interval)+" is shorter than Flagger's least, which it would take instead", "write 10s or more")
	case interval > time.Hour:
		c.fail(d, path, clip(a.Interval)+" is longer than any run", "write a minute or less")
	}
}

// parseDuration reads an interval as both the CRD and Flagger do.
func (c *checker) parseDuration(d *document, path, text string) (time.Duration, bool) {
	v, err := time.ParseDuration(text)
	if err != nil || !intervalPattern.MatchString(text) {
		c.fail(d, path, clip(text)+" is no interval that Flagger takes", "write whole minutes or seconds, as in 1m or 30s")
		return 0, false
	}
	return v, true
}

// checkProgress checks how the canary advances. Flagger's CRD asks for exactly one of iterations, stepWeight and
// stepWeights (oneOf in artifacts/flagger/crd.yaml).
func (c *checker) checkProgress(d *document, a *flaggerv1.CanaryAnalysis) {
	const path = "spec.analysis"
	var ways []string
	for _, field := range []string{"iterations", "stepWeight", "stepWeights"} {
		if d.has(path + "." + field) {
			ways = append(ways, field)
		}
	}
	switch {
	case len(ways) == 0:
		c.fail(d, path, "has none of iterations, stepWeight and stepWeights: the canary would never advance", "write stepWeights, or iterations for an A/B test")
	case len(ways) > 1:
		c.fail(d, path+"."+ways[1], strings.Join(ways, " and ")+" exclude each other", "keep one of them")
	case len(a.Match) > 0 && ways[0] != "iterations":
		c.fail(d, path+".match", "is ignored without iterations: users would be split by weight", "write iterations instead of "+ways[0])
	case ways[0] == "iterations":
		c.checkRange(d, path+".iterations", a.Iterations, 1, 1000)
	case ways[0] == "stepWeight":
		c.checkStepWeight(d, a)
	default:
		c.checkStepWeights(d, a.StepWeights)
	}
	if a.StepWeightPromotion != 0 {
		c.checkRange(d, path+".stepWeightPromotion", a.StepWeightPromotion, 1, 100)
	}
}

func (c *checker) checkRange(d *document, path string, value, low, high int) bool {
	if value >= low && value <= high {
		return true
	}
	c.fail(d, path, fmt.Sprintf("%d is not between %d and %d", value, low, high), "correct it")
	return false
}

func (c *checker) checkStepWeight(d *document, a *flaggerv1.CanaryAnalysis) {
	ok := c.checkRange(d, "spec.analysis.stepWeight", a.StepWeight, 1, 100)
	if a.MaxWeight != 0 {
		ok = c.checkRange(d, "spec.analysis.maxWeight", a.MaxWeight, 1, 100) && ok
	}
	if ok && a.MaxWeight != 0 && a.MaxWeight < a.StepWeight {
		c.fail(d, "spec.analysis.maxWeight", fmt.Sprintf("%d is less than stepWeight, %d", a.MaxWeight, a.StepWeight), "raise it")
	}
}

func (c *checker) checkStepWeights(d *document, weights []int) {
	const path = "spec.analysis.stepWeights"
	if len(weights) == 0 || len(weights) > 100 {
		c.fail(d, path, fmt.Sprintf("has %d weights", len(weights)), "write 1 to 100 of them, as in [5, 25, 50, 100]")
		return
	}
	last := 0
	for i, w := range weights {
		if !c.checkRange(d, indexPath(path, i), w, 1, 100) {
			return
		}
		if w <= last {
			c.fail(d, indexPath(path, i), fmt.Sprintf("%d does not exceed the weight before it, %d", w, last), "let weights increase")
			return
		}
		last = w
	}
}

// checkMatches checks the header conditions of an A/B test by what Flagger's Gateway API router can translate.
// Source: flagger pkg/router/gateway_api_v1beta1.go, mapRouteMatches.
func (c *checker) checkMatches(d *document, a *flaggerv1.CanaryAnalysis) {
	const path = "spec.analysis.match"
	if !c.checkLength(d, path, len(a.Match)) {
		return
	}
	for i, m := range a.Match {
		at := indexPath(path, i)
		if len(m.Headers) == 0 && len(m.QueryParams) == 0 {
			c.fail(d, at, "has no header condition: it would match everyone", "write headers")
		}
		for name, cond := range m.Headers {
			c.checkStringMatch(d, at+".headers["+clip(name)+"]", cond)
		}
		for name, cond := range m.QueryParams {
			c.checkStringMatch(d, at+".queryParams["+clip(name)+"]", cond)
		}
	}
}

func (c *checker) checkStringMatch(d *document, path string, m istio.StringMatch) {
	set := 0
	for _, text := range []string{m.Exact, m.Prefix, m.Suffix, m.Regex} {
		if text != "" {
			set++
		}
	}
	switch {
	case set != 1:
		c.fail(d, path, "must have one condition", "write exact or regex")
	case m.Prefix != "" || m.Suffix != "":
		c.fail(d, path, "the Gateway API has no prefix or suffix for it", "write exact or regex")
	case m.Regex != "":
		c.checkRegex(d, path+".regex", m.Regex)
	}
}

// entryNamePattern is what a metric, alert or webhook may be called. The CRD takes anything; names end up in events, in metric labels
// and behind the lab's mark on a query, which is a template: braces and line breaks could forge these.
var entryNamePattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9 _./:()%,-]{0,98}[A-Za-z0-9)%])?$`)

func (c *checker) checkEntryName(d *document, path, name string) {
	if name == "" {
		c.fail(d, path, "is missing", "name it")
	} else if !entryNamePattern.MatchString(name) {
		c.fail(d, path, clip(name)+" is not a name", "use up to 100 letters, digits, spaces and -_./:()%,")
	}
}

// checkLength bounds the length of a list.
func (c *checker) checkLength(d *document, path string, n int) bool {
	if n <= MaxItems {
		return true
	}
	c.fail(d, path, strconv.Itoa(n)+" entries are more than the limit of "+strconv.Itoa(MaxItems), "keep those that matter")
	return false
}

func (c *checker) checkAlerts(d *document, a *flaggerv1.CanaryAnalysis) {
	const path = "spec.analysis.alerts"
	if !c.checkLength(d, path, len(a.Alerts)) {
		return
	}
	for i, alert := range a.Alerts {
		at := indexPath(path, i)
		c.checkEntryName(d, at+".name", alert.Name)
		switch alert.Severity {
		case "", flaggerv1.SeverityInfo, flaggerv1.SeverityWarn, flaggerv1.SeverityError:
		default:
			c.fail(d, at+".severity", clip(string(alert.Severity))+" is no severity", "use one of info, warn, error")
		}
		if c.checkNamespace(d, at+".providerRef.namespace", alert.ProviderRef.Namespace) {
			c.find(d, at+".providerRef.name", flaggerv1.AlertProviderKind, alert.ProviderRef.Name)
		}
	}
}

// checkMetrics checks the list of checks; each query is rendered for this Canary.
func (c *checker) checkMetrics(d *document, v *flaggerv1.Canary) {
	const path = "spec.analysis.metrics"
	metrics := v.Spec.Analysis.Metrics
	if !c.checkLength(d, path, len(metrics)) {
		return
	}
	for i, m := range metrics {
		at := indexPath(path, i)
		c.checkEntryName(d, at+".name", m.Name)
		if m.Interval != "" {
			if _, ok := c.parseDuration(d, at+".interval", m.Interval); !ok {
				continue // no query can be made with it
			}
		}
		if r := m.ThresholdRange; r != nil && r.Min != nil && r.Max != nil && *r.Min > *r.Max {
			c.fail(d, at+".thresholdRange", fmt.Sprintf("min %v is above max %v: no value passes", *r.Min, *r.Max), "swap them")
		}
		c.checkMetricSource(d, at, v, m)
	}
}

func (c *checker) checkMetricSource(d *document, at string, v *flaggerv1.Canary, m flaggerv1.CanaryMetric) {
	switch {
	case m.TemplateRef != nil && m.Query != "":
		c.fail(d, at+".query", "query and templateRef exclude each other", "keep templateRef")
	case m.TemplateRef != nil:
		if !c.checkNamespace(d, at+".templateRef.namespace", m.TemplateRef.Namespace) {
			return
		}
		if t := c.find(d, at+".templateRef.name", flaggerv1.MetricTemplateKind, m.TemplateRef.Name); t != nil {
			c.checkTemplateUse(d, at, t, v, m)
		}
	case m.Query != "":
		if _, p := renderQuery(m.Query, templateModel(v, m)); p != nil {
			c.fail(d, at+".query", p.message, p.hint)
		}
	case !isBuiltin(m.Name):
		c.fail(d, at, "metric "+clip(m.Name)+" has no query", "add a templateRef; built in are only request-success-rate and request-duration")
	}
}
