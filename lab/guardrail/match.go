package guardrail

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	istio "github.com/fluxcd/flagger/pkg/apis/istio/common/v1alpha1"
	istiov1beta1 "github.com/fluxcd/flagger/pkg/apis/istio/v1beta1"

	"coalmine/lab/input/yamlpos"
)

// checkAnalysisMatches checks the conditions of an A/B test. Flagger's CRD has no path and no
// method here, and mergeMatchConditions drops them. Source: flagger artifacts/flagger/crd.yaml;
// pkg/router/gateway_api_v1beta1.go.
func (c *checker) checkAnalysisMatches(d *document, a *flaggerv1.CanaryAnalysis) {
	const path = "spec.analysis.match"
	if !c.checkLength(d, path, len(a.Match)) {
		return
	}
	for i, m := range a.Match {
		match := yamlpos.Index(path, i)
		if len(m.Headers) == 0 && len(m.QueryParams) == 0 {
			c.fail(d, match, "has no condition on headers: it would match every request", "add headers")
		}
		for _, field := range []string{"name", "uri", "scheme", "method", "authority", "port", "gateways"} {
			if d.has(match + "." + field) {
				c.failRule(RuleMatchURI, d, match+"."+field, "is not a field of Flagger's CRD: Flagger drops it, "+
					"and the match covers other requests too",
					"remove it; match headers or queryParams")
			}
		}
		c.checkConditions(d, match, m)
	}
}

// headerName is what the Gateway API accepts as the name of a header or query parameter.
// Source: gateway-api apis/v1/shared_types.go, HeaderName.
var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+\\-.^_\x60|~]{1,256}$")

func (c *checker) checkHeaderName(d *document, field, name string) {
	if !headerName.MatchString(name) {
		c.fail(d, field, Clip(name)+" is not the name of a header or parameter: the API server refuses Flagger's route",
			"write letters, digits and -")
	}
}

// checkServiceHeaders checks the names of the headers that Flagger's route changes.
func (c *checker) checkServiceHeaders(d *document, v *flaggerv1.Canary) {
	h := v.Spec.Service.Headers
	if h == nil {
		return
	}
	for _, o := range []struct {
		field      string
		operations *istiov1beta1.HeaderOperations
	}{{"request", h.Request}, {"response", h.Response}} {
		if o.operations == nil {
			continue
		}
		path := "spec.service.headers." + o.field
		for _, name := range slices.Sorted(maps.Keys(o.operations.Add)) {
			c.checkHeaderName(d, path+".add", name)
		}
		for _, name := range slices.Sorted(maps.Keys(o.operations.Set)) {
			c.checkHeaderName(d, path+".set", name)
		}
		for _, name := range o.operations.Remove {
			c.checkHeaderName(d, path+".remove", name)
		}
	}
}

// checkServiceMatches checks the conditions of all routes of the Canary.
func (c *checker) checkServiceMatches(d *document, v *flaggerv1.Canary) {
	const path = "spec.service.match"
	if !c.checkLength(d, path, len(v.Spec.Service.Match)) {
		return
	}
	for i, m := range v.Spec.Service.Match {
		match := yamlpos.Index(path, i)
		if u := m.Uri; u != nil {
			c.checkPathMatch(d, match+".uri", *u)
		}
		if m.Method != nil && (m.Method.Exact == "" || countConditions(*m.Method) != 1) {
			c.fail(d, match+".method", "the Gateway API supports only exact here", "write exact: GET or another method")
		}
		c.checkConditions(d, match, m)
	}
}

func (c *checker) checkPathMatch(d *document, path string, m istio.StringMatch) {
	value, field := m.Exact+m.Prefix+m.Regex, path
	switch {
	case countConditions(m) != 1:
		c.fail(d, path, "must have exactly one condition", "write exact, prefix or regex")
		return
	case m.Suffix != "":
		c.fail(d, path, "the Gateway API does not support suffix", "write exact, prefix or regex")
		return
	case m.Regex != "":
		c.checkRegex(d, path+".regex", m.Regex)
		return
	case m.Exact != "":
		field += ".exact"
	default:
		field += ".prefix"
	}
	c.checkAbsolutePath(d, field, value)
}

// checkAbsolutePath checks a path that is not a regular expression.
// Source: linkerd2 policy-controller/runtime/src/admission.rs.
func (c *checker) checkAbsolutePath(d *document, field, value string) {
	if len(value) == 0 || value[0] != '/' {
		c.fail(d, field, Clip(value)+" does not start with /: Linkerd refuses the route", "write /"+Clip(value))
	}
}

// checkConditions checks the headers and query parameters of a match. Several of a kind are refused
// although the CRD allows them: Flagger ranges over a Go map, so their order in the HTTPRoute is
// random. When it differs from the order before, Flagger takes the route for changed by others and
// writes its first one, which sends nobody to the canary.
// Source: flagger pkg/router/gateway_api_v1beta1.go, mapRouteMatches and Reconcile.
func (c *checker) checkConditions(d *document, path string, m istiov1beta1.HTTPMatchRequest) {
	for _, kind := range []struct {
		field, what string
		conditions  map[string]istio.StringMatch
	}{
		{"headers", "headers", m.Headers},
		{"queryParams", "query parameters", m.QueryParams},
	} {
		field := path + "." + kind.field
		if !c.checkLength(d, field, len(kind.conditions)) {
			continue
		}
		if len(kind.conditions) > 1 {
			c.failRule(RuleSeveralHeaders, d, field, fmt.Sprintf("has %d %s in one match: Flagger writes them in "+
				"random order, and each new order resets the route so that nobody reaches the canary; on a real "+
				"cluster the order is random too", len(kind.conditions), kind.what),
				"write one per match; for a cookie and a header, set one header at the edge that stands for both")
		}
		for _, name := range slices.Sorted(maps.Keys(kind.conditions)) {
			c.checkHeaderName(d, field, name)
			c.checkStringMatch(d, field+"["+Clip(name)+"]", kind.conditions[name])
		}
	}
}

func countConditions(m istio.StringMatch) int {
	set := 0
	for _, text := range []string{m.Exact, m.Prefix, m.Suffix, m.Regex} {
		if text != "" {
			set++
		}
	}
	return set
}

func (c *checker) checkStringMatch(d *document, path string, m istio.StringMatch) {
	switch {
	case countConditions(m) != 1:
		c.fail(d, path, "must have exactly one condition", "write exact or regex")
	case m.Prefix != "" || m.Suffix != "":
		c.fail(d, path, "the Gateway API does not support prefix and suffix here", "write exact or regex")
	case m.Regex != "":
		c.checkRegex(d, path+".regex", m.Regex)
	}
}
