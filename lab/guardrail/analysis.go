package guardrail

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/event"
	"coalmine/lab/guardrail/mapping"
	"coalmine/lab/input/yamlpos"
)

// intervalPattern is the pattern of intervals and timeouts in Flagger's CRD.
// Source: flagger artifacts/flagger/crd.yaml.
var intervalPattern = regexp.MustCompile(`^[0-9]+(m|s)`)

const thresholdHint = "write the number of failed checks after which Flagger rolls back"

// checkAnalysis checks spec.analysis.
func (c *checker) checkAnalysis(d *document, v *flaggerv1.Canary) {
	const path = "spec.analysis"
	a := v.Spec.Analysis
	c.checkInterval(d, a)
	if a.Threshold < 0 {
		c.fail(d, path+".threshold", fmt.Sprintf("%d is less than 0", a.Threshold), thresholdHint)
	} else if !d.has(path + ".threshold") {
		c.fail(d, path+".threshold", "is missing", thresholdHint)
	}
	c.checkProgress(d, a)
	c.checkAnalysisMatches(d, a)
	c.checkMetrics(d, v)
	c.checkAlerts(d, a)
	c.checkWebhooks(d, a)
	c.checkAffinity(d, a.SessionAffinity)
	for field, percent := range map[string]*int{
		"primaryReadyThreshold": a.PrimaryReadyThreshold,
		"canaryReadyThreshold":  a.CanaryReadyThreshold,
	} {
		if percent != nil {
			c.checkRange(d, path+"."+field, *percent, 0, 100)
		}
	}
}

func (c *checker) checkInterval(d *document, a *flaggerv1.CanaryAnalysis) {
	const path = "spec.analysis.interval"
	if a.Interval == "" {
		c.fail(d, path, "is missing", "write how often Flagger runs the checks, for example 30s")
		return
	}
	interval, ok := c.parseDuration(d, path, a.Interval)
	switch {
	case !ok:
	case interval < MinAnalysisInterval:
		c.note(d, path, Clip(a.Interval)+" is shorter than Flagger's minimum of 10s, which it uses instead", "")
	case interval > time.Hour:
		c.note(d, path, Clip(a.Interval)+" is longer than any run of the lab: no check takes place", "")
	}
}

// parseDuration parses an interval that both the CRD and Flagger accept.
func (c *checker) parseDuration(d *document, path, text string) (time.Duration, bool) {
	v, err := time.ParseDuration(text)
	if err == nil && intervalPattern.MatchString(text) {
		return v, true
	}
	message := Clip(text) + " is not an interval that Flagger accepts"
	hint := "write whole minutes or seconds, for example 1m or 30s"
	if strings.Trim(text, "0123456789") == "" {
		message, hint = noUnit(text)
	}
	c.fail(d, path, message, hint)
	return 0, false
}

// cookieNamePattern matches cookie names that mean themselves in a regular expression: Flagger puts
// the name into one. Source: flagger pkg/router/gateway_api_v1beta1.go,
// getSessionAffinityRouteRules.
var cookieNamePattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

func (c *checker) checkAffinity(d *document, s *flaggerv1.SessionAffinity) {
	const path = "spec.analysis.sessionAffinity"
	if s == nil {
		return
	}
	if s.CookieName == "" || s.CookieName == s.PrimaryCookieName {
		c.fail(d, path+".cookieName", "must be set and differ from primaryCookieName", "write the name of the cookie")
	}
	for field, name := range map[string]string{"cookieName": s.CookieName, "primaryCookieName": s.PrimaryCookieName} {
		if name != "" && !cookieNamePattern.MatchString(name) {
			c.fail(d, path+"."+field, Clip(name)+" is not a cookie name that Flagger can match",
				"use up to 64 letters, digits and -_.")
		}
	}
}

// checkProgress checks how the canary advances. Flagger's CRD requires exactly one of iterations,
// stepWeight and stepWeights. Source: flagger artifacts/flagger/crd.yaml, oneOf.
func (c *checker) checkProgress(d *document, a *flaggerv1.CanaryAnalysis) {
	const path = "spec.analysis"
	var set []string
	for _, field := range []string{"iterations", "stepWeight", "stepWeights"} {
		if d.has(path + "." + field) {
			set = append(set, field)
		}
	}
	switch {
	case len(set) == 0:
		c.fail(d, path, "has none of iterations, stepWeight and stepWeights: the canary would never advance",
			"write stepWeights, or iterations for an A/B test")
	case len(set) > 1:
		c.fail(d, path+"."+set[1], strings.Join(set, " and ")+" cannot both be set", "keep one of them")
	case len(a.Match) > 0 && set[0] != "iterations":
		c.fail(d, path+".match", "has no effect without iterations: users would be split by weight",
			"write iterations instead of "+set[0])
	case set[0] == "iterations":
		c.checkRange(d, path+".iterations", a.Iterations, 1, math.MaxInt32)
	case set[0] == "stepWeight":
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
	c.fail(d, path, fmt.Sprintf("%d is not between %d and %d", value, low, high),
		fmt.Sprintf("write %d to %d", low, high))
	return false
}

func (c *checker) checkStepWeight(d *document, a *flaggerv1.CanaryAnalysis) {
	ok := c.checkRange(d, "spec.analysis.stepWeight", a.StepWeight, 1, 100)
	if a.MaxWeight != 0 {
		ok = c.checkRange(d, "spec.analysis.maxWeight", a.MaxWeight, 1, 100) && ok
	}
	if ok && a.MaxWeight != 0 && a.MaxWeight < a.StepWeight {
		c.fail(d, "spec.analysis.maxWeight", fmt.Sprintf("%d is less than stepWeight, %d", a.MaxWeight, a.StepWeight),
			"increase it")
	}
}

func (c *checker) checkStepWeights(d *document, weights []int) {
	const path = "spec.analysis.stepWeights"
	if len(weights) == 0 || len(weights) > 100 {
		c.fail(d, path, fmt.Sprintf("has %d weights", len(weights)),
			"write 1 to 100 weights, for example [5, 25, 50, 100]")
		return
	}
	last := 0
	for i, w := range weights {
		if !c.checkRange(d, yamlpos.Index(path, i), w, 1, 100) {
			return
		}
		if w <= last {
			c.fail(d, yamlpos.Index(path, i), fmt.Sprintf("%d is not greater than the previous weight, %d", w, last),
				"write increasing weights")
			return
		}
		last = w
	}
}

// checkEntryName checks the name of a metric, an alert or a webhook. The CRD allows any, but names
// appear in events, in metric labels and in a comment that the lab adds to queries, which are
// templates: braces and line breaks could forge these.
func (c *checker) checkEntryName(d *document, path, name string) {
	switch {
	case name == "":
		c.fail(d, path, "is missing", "write a name")
	case len(name) > maxEntryName || !isGraphic(name) || strings.ContainsAny(name, "{}"):
		c.fail(d, path, Clip(name)+" is not a name that the lab can show",
			fmt.Sprintf("use up to %d characters on one line, without { and }", maxEntryName))
	}
}

// maxEntryName is the length of a name in bytes.
const maxEntryName = 250

// checkLength checks the length of a list.
func (c *checker) checkLength(d *document, path string, n int) bool {
	if n <= MaxItems {
		return true
	}
	c.fail(d, path, fmt.Sprintf("has %d entries, more than the limit of %d", n, MaxItems), "remove some")
	return false
}

func (c *checker) checkAlerts(d *document, a *flaggerv1.CanaryAnalysis) {
	const path = "spec.analysis.alerts"
	if !c.checkLength(d, path, len(a.Alerts)) {
		return
	}
	for i, alert := range a.Alerts {
		entry := yamlpos.Index(path, i)
		c.checkEntryName(d, entry+".name", alert.Name)
		switch alert.Severity {
		case "", flaggerv1.SeverityInfo, flaggerv1.SeverityWarn, flaggerv1.SeverityError:
		default:
			c.fail(d, entry+".severity", Clip(string(alert.Severity))+" is not a severity", "use info, warn or error")
		}
		if ns := alert.ProviderRef.Namespace; ns != "" && ns != c.env.Namespace {
			c.note(d, entry+".providerRef.namespace", "AlertProvider "+Clip(alert.ProviderRef.Name)+" of namespace "+
				Clip(ns)+" is not among the guardrails: the lab does not play the alert", "")
			continue
		}
		c.findOrNote(d, entry+".providerRef.name", flaggerv1.AlertProviderKind, alert.ProviderRef.Name)
	}
}

// checkMetrics checks the metrics, with their queries rendered for this Canary.
func (c *checker) checkMetrics(d *document, v *flaggerv1.Canary) {
	const path = "spec.analysis.metrics"
	metrics := v.Spec.Analysis.Metrics
	if !c.checkLength(d, path, len(metrics)) {
		return
	}
	for i, m := range metrics {
		metric := yamlpos.Index(path, i)
		c.checkEntryName(d, metric+".name", m.Name)
		if m.Interval != "" {
			if _, ok := c.parseDuration(d, metric+".interval", m.Interval); !ok {
				continue // the query cannot be rendered
			}
		}
		if r := m.ThresholdRange; r != nil && r.Min != nil && r.Max != nil && *r.Min > *r.Max {
			c.fail(d, metric+".thresholdRange", fmt.Sprintf("min %v is greater than max %v: no value passes",
				*r.Min, *r.Max),
				"swap them")
		}
		c.checkMetricSource(d, metric, v, m)
	}
}

func (c *checker) checkMetricSource(d *document, path string, v *flaggerv1.Canary, m flaggerv1.CanaryMetric) {
	if c.queries++; c.queries > MaxQueries {
		reason := fmt.Sprintf("the lab asks %d metrics", MaxQueries)
		c.note(d, path, reason+", and leaves out this one", "")
		d.leftOut = append(d.leftOut, mapping.Part{Path: path, What: event.LeftOutCheck, Name: m.Name, Reason: reason})
		return
	}
	switch {
	case m.TemplateRef != nil && m.Query != "":
		c.fail(d, path+".query", "query and templateRef cannot both be set", "keep templateRef")
	case m.TemplateRef != nil:
		if ns := m.TemplateRef.Namespace; ns != "" && ns != c.env.Namespace {
			c.otherTemplate(d, path, m)
			return
		}
		t := c.findTemplate(d, path+".templateRef.name", m.TemplateRef.Name)
		if t != nil && vendorName(t.object.Value.(*flaggerv1.MetricTemplate)) == "" {
			c.checkTemplateUse(d, path, t, v, m)
		}
	case m.Query != "":
		if _, p := renderQuery(m.Query, templateModel(v, m)); p != nil {
			c.fail(d, path+".query", p.message, p.hint)
		}
	case !IsBuiltinMetric(m.Name):
		c.fail(d, path, "metric "+Clip(m.Name)+" has no query",
			"add a templateRef; only request-success-rate and request-duration are built in")
	}
}

// otherTemplate reports a template of another namespace that is not among the guardrails. Those of a
// production cluster can be in another folder.
func (c *checker) otherTemplate(d *document, path string, m flaggerv1.CanaryMetric) {
	name := Clip(m.TemplateRef.Name) + " in namespace " + Clip(m.TemplateRef.Namespace)
	if !d.names.Changed() {
		c.warnTemplate(d, path+".templateRef.namespace", name, "add it")
		return
	}
	reason := "the guardrails have no MetricTemplate " + name
	f := d.finding(path+".templateRef.namespace", reason+": the check is left out", "add it")
	f.Severity = SeverityWarning
	c.notes = append(c.notes, f)
	d.leftOut = append(d.leftOut, mapping.Part{Path: path, What: event.LeftOutCheck, Name: m.Name, Reason: reason})
}

// findTemplate returns the template of a name, or nil. Without one Flagger's every check fails.
// Source: flagger pkg/controller/scheduler_metrics.go, runMetricChecks.
func (c *checker) findTemplate(d *document, field, name string) *document {
	found := c.byKey[objectKey{flaggerv1.MetricTemplateKind, name}]
	if found == nil && !c.refused[objectKey{flaggerv1.MetricTemplateKind, name}] {
		c.warnTemplate(d, field, Clip(name), c.available(flaggerv1.MetricTemplateKind))
	}
	return found
}

func (c *checker) warnTemplate(d *document, field, name, hint string) {
	f := d.finding(field, "the guardrails have no MetricTemplate "+name+": every check fails until there is one, and "+
		"the release is rolled back", hint)
	f.Severity = SeverityWarning
	c.notes = append(c.notes, f)
}

// IsBuiltinMetric reports whether Flagger has a query of its own for the name.
func IsBuiltinMetric(name string) bool {
	return name == "request-success-rate" || name == "request-duration"
}
