// Package lint warns about guardrails that are valid but probably not what their author meant.
package lint

import (
	"slices"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"github.com/prometheus/prometheus/promql/parser"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/promeval"
	"coalmine/lab/input/yamlpos"
)

// Sections of the documentation, in this order.
const (
	sectionChecks      = "Checks"
	sectionRollout     = "Rollout"
	sectionRouting     = "Routing"
	sectionQueries     = "Queries"
	sectionTraffic     = "Traffic"
	sectionExperiments = "Experiments"
	sectionPolicies    = "Policies and routes"
	sectionFolder      = "Manifests as a whole"
)

// Sections returns the sections of the documentation in their order.
func Sections() []string {
	return []string{sectionChecks, sectionRollout, sectionRouting, sectionQueries, sectionTraffic,
		sectionExperiments, sectionPolicies, sectionFolder}
}

// Rule is one check of the linter.
type Rule struct {
	// Name identifies the rule in a Finding.
	Name string
	// Severity of its findings.
	Severity guardrail.Severity
	// Section is the section of the documentation.
	Section string
	// What says what the rule finds, Why what goes wrong, and Source where that is documented or
	// can be read in code.
	What, Why, Source string

	// At least one of these is set, unless another package reports the finding. canary runs once
	// for each Canary, query once for each metric of a Canary that has a query, object once for
	// each object.
	canary func(*pass, *flaggerv1.Canary)
	query  func(*pass, query)
	object func(*pass)
	// whole is set if the rule needs all objects: it is left out if some could not be read.
	whole bool
	// needs is what the rule has to know beside the manifests: without it, it finds less or nothing.
	needs knowledge
}

// knowledge is what is known beside the manifests.
type knowledge int

const (
	nothingElse knowledge = iota
	theScenario
	theTraffic
)

// Decided reports whether the rule finds everything there is to find in a set whose objects were all
// read: rules about a scenario find nothing, or less, where none is given.
func (r Rule) Decided(e guardrail.Environment) bool {
	switch r.needs {
	case theScenario:
		return e.ReleaseTarget != ""
	case theTraffic:
		return len(e.Rates) > 0
	}
	return true
}

// reports reports whether the rule is one of this package, not one that documents the findings of
// another.
func (r Rule) reports() bool { return r.canary != nil || r.query != nil || r.object != nil }

// pass is one rule applied to one object.
type pass struct {
	set      *guardrail.Set
	rule     Rule
	object   guardrail.Object
	findings *[]guardrail.Finding
	evaluator
}

// evaluator evaluates queries on made-up series.
type evaluator struct{ *promeval.Evaluator }

// warn reports a field of the object.
func (p *pass) warn(field, message, hint string) { p.warnAt(p.object, field, message, hint) }

// warnAt reports a field of another object.
func (p *pass) warnAt(o guardrail.Object, field, message, hint string) {
	f := o.Finding(field, message, hint)
	f.Rule, f.Severity = p.rule.Name, p.rule.Severity
	*p.findings = append(*p.findings, f)
}

// query is the query of one metric of a Canary.
type query struct {
	// object and field are where the query is written: a MetricTemplate or the Canary itself.
	object guardrail.Object
	field  string
	// text is the template, rendered the query that Flagger sends, and expr its tree.
	text, rendered string
	expr           parser.Expr
	// metric is the metric, at metricPath of canary.
	metric     flaggerv1.CanaryMetric
	metricPath string
	canary     *flaggerv1.Canary
}

// Rules returns all rules, section by section.
func Rules() []Rule {
	all := slices.Concat(canaryRules(), queryRules(), unknownRules(), counterRules(), placeRules(), trafficRules(),
		experimentRules(), versionRules(), objectRules(), annotationRules(), linkerdRules(), readingRules(),
		suppressionRules())
	for i := range all {
		if r := &all[i]; r.reports() && r.Severity != guardrail.SeverityNote {
			r.Severity = guardrail.SeverityWarning
		}
	}
	slices.SortStableFunc(all, func(a, b Rule) int {
		return slices.Index(Sections(), a.Section) - slices.Index(Sections(), b.Section)
	})
	return all
}

// Check runs every rule on a validated set and returns the findings, ordered by file and line.
func Check(set *guardrail.Set) []guardrail.Finding { return check(set, Rules()) }

// CheckPart is Check for a set of which some objects could not be read or are not valid. It leaves
// out rules that would blame an object for what another one lacks.
func CheckPart(set *guardrail.Set) []guardrail.Finding {
	return check(set, slices.DeleteFunc(Rules(), func(r Rule) bool { return r.whole }))
}

func check(set *guardrail.Set, rules []Rule) []guardrail.Finding {
	var findings []guardrail.Finding
	e := evaluator{promeval.New()}
	for _, o := range set.Objects {
		if v, ok := o.Value.(*flaggerv1.Canary); ok && v.Spec.Analysis == nil {
			continue // an error of its own
		}
		queries := queriesOf(set, o) // parsed once: a query can take milliseconds
		for _, rule := range rules {
			p := &pass{set: set, rule: rule, object: o, findings: &findings, evaluator: e}
			p.run(queries)
		}
	}
	return guardrail.SortFindings(findings)
}

// played reports whether the scenario is known that the guardrails are for, and with it everything
// that they can refer to.
func (p *pass) played() bool { return p.set.Environment.ReleaseTarget != "" }

func (p *pass) run(queries []query) {
	if p.rule.object != nil {
		p.rule.object(p)
	}
	canary, ok := p.object.Value.(*flaggerv1.Canary)
	if !ok {
		return
	}
	if p.rule.canary != nil {
		p.rule.canary(p, canary)
	}
	if p.rule.query != nil {
		for _, q := range queries {
			p.rule.query(p, q)
		}
	}
}

// queriesOf returns the queries of a Canary's metrics, with their templates rendered.
func queriesOf(set *guardrail.Set, o guardrail.Object) []query {
	canary, ok := o.Value.(*flaggerv1.Canary)
	if !ok {
		return nil
	}
	var queries []query
	for i, m := range canary.Spec.Analysis.Metrics {
		q := query{object: o, metric: m, metricPath: yamlpos.Index("spec.analysis.metrics", i), canary: canary}
		q.field = q.metricPath + ".query"
		text := m.Query
		if set.LeavesOut(canary, m) {
			continue
		}
		if m.TemplateRef != nil {
			template, ok := set.Find(flaggerv1.MetricTemplateKind, m.TemplateRef.Name)
			if !ok {
				continue
			}
			q.object, q.field = template, "spec.query"
			text = template.Value.(*flaggerv1.MetricTemplate).Spec.Query
		}
		var ok bool
		if q.expr, ok = guardrail.ParseMetricQuery(text, canary, m); ok {
			q.text, q.rendered = text, q.expr.String()
			queries = append(queries, q)
		}
	}
	return queries
}

// available is the hint that lists the objects of a kind, at most ten of them.
func (p *pass) available(kind string) string {
	var names []string
	for _, o := range p.set.Objects {
		if o.Kind == kind {
			names = append(names, guardrail.Clip(o.Name))
		}
	}
	slices.Sort(names)
	return "available: " + strings.Join(names[:min(len(names), 10)], ", ")
}
