package guardrail

import (
	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	"github.com/prometheus/prometheus/promql/parser"
)

// Rule is one check of the linter: something that production accepts and that is probably not meant.
type Rule struct {
	// Name is how a Finding names it.
	Name string
	// Why says what goes wrong; Source where that is written or can be seen.
	Why, Source string

	// One of these looks at each object of its kind; query at each use of a query by a metric.
	canary func(*lintTarget, *flaggerv1.Canary)
	query  func(*lintTarget, queryUse)
	object func(*lintTarget)
}

// lintTarget is one document that a rule looks at.
type lintTarget struct {
	checker  *checker
	rule     Rule
	doc      *document
	findings *[]Finding
}

// warn adds a warning at a field of the subject.
func (s *lintTarget) warn(field, what, todo string) { s.warnAt(s.doc, field, what, todo) }

func (s *lintTarget) warnAt(d *document, field, what, todo string) {
	f := d.finding(field, what, todo)
	f.Rule = s.rule.Name
	*s.findings = append(*s.findings, f)
}

// queryUse is a query as one metric of a Canary asks it.
type queryUse struct {
	// doc and field are where the query is written: a MetricTemplate or the Canary.
	doc   *document
	field string
	expr  parser.Expr
	// metric and at are the use in the Canary, canary the Canary.
	metric     flaggerv1.CanaryMetric
	metricPath string
	canary     *flaggerv1.Canary
}

// Rules lists the linter's checks.
func Rules() []Rule {
	return append(canaryRules(), append(queryRules(), objectRules()...)...)
}

// lint runs every rule over guardrails that are valid.
func lint(c *checker) []Finding {
	var found []Finding
	for _, rule := range Rules() {
		for _, d := range c.docs {
			s := &lintTarget{checker: c, rule: rule, doc: d, findings: &found}
			if rule.object != nil {
				rule.object(s)
			}
			v, ok := d.object.Value.(*flaggerv1.Canary)
			if ok && rule.canary != nil {
				rule.canary(s, v)
			}
			if ok && rule.query != nil {
				for _, use := range queryUses(c, d, v) {
					rule.query(s, use)
				}
			}
		}
	}
	return sortFindings(found)
}

// queryUses are the queries that a Canary asks.
func queryUses(c *checker, d *document, v *flaggerv1.Canary) []queryUse {
	var uses []queryUse
	for i, m := range v.Spec.Analysis.Metrics {
		use := queryUse{doc: d, metric: m, metricPath: indexPath("spec.analysis.metrics", i), canary: v}
		query := m.Query
		use.field = use.metricPath + ".query"
		if m.TemplateRef != nil {
			use.doc, use.field = c.byKey[objectKey{flaggerv1.MetricTemplateKind, m.TemplateRef.Name}], "spec.query"
			query = use.doc.object.Value.(*flaggerv1.MetricTemplate).Spec.Query
		}
		if query == "" {
			continue
		}
		text, problem := renderQuery(query, templateModel(v, m))
		expr, err := parsePromQL(text)
		if problem == nil && err == nil {
			use.expr = expr
			uses = append(uses, use)
		}
	}
	return uses
}
