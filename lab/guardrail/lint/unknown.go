package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/series"
)

// The rules of this file are about selectors that select nothing, since nobody exports what they
// name. Without a scenario the exporters are not known: then only what is misspelt is reported.

func unknownRules() []Rule {
	return []Rule{
		{Name: "unknown-series", needs: theScenario, query: checkUnknownSeries, Section: sectionQueries,
			What:   "A query reads a series that nothing exports.",
			Why:    "It has no value, and a check without a value fails: a healthy release is rolled back.",
			Source: "linkerd.io, reference, proxy metrics; flagger pkg/metrics/providers/prometheus.go, RunQuery"},
		{Name: "unknown-label", needs: theScenario, query: checkUnknownLabel, Section: sectionQueries,
			What:   "A selector names a label that its series do not have.",
			Why:    "A condition on a missing label selects nothing, or with != everything.",
			Source: "linkerd.io, reference, proxy metrics; prometheus.io/docs, querying basics"},
		{Name: "unknown-value", needs: theScenario, query: checkUnknownValue, Section: sectionQueries,
			What: "A selector asks for a value that its label never has.",
			Why: "It selects nothing, or with != everything. Values are case-sensitive, and =~ matches whole " +
				"values.",
			Source: "linkerd.io, reference, proxy metrics; prometheus.io/docs, querying basics"},
	}
}

// seriesNames returns the names of the series that a selector selects.
func seriesNames(s *parser.VectorSelector) []string {
	for _, m := range s.LabelMatchers {
		if m.Name != labels.MetricName {
			continue
		}
		switch m.Type {
		case labels.MatchEqual:
			return []string{m.Value}
		case labels.MatchRegexp:
			return m.SetMatches()
		}
	}
	return nil
}

// eachSelector calls f for every selector of a query.
func eachSelector(e parser.Expr, f func(*parser.VectorSelector)) {
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			f(s)
		}
		return nil
	})
}

func checkUnknownSeries(p *pass, q query) {
	all := series.Families()
	var names []string
	for _, f := range all {
		names = append(names, f.Names()...)
	}
	eachSelector(q.expr, func(s *parser.VectorSelector) {
		for _, name := range seriesNames(s) {
			if _, known := series.Find(all, name); !known {
				p.reportSeries(q, name, names)
			}
		}
	})
}

// reportSeries reports a series that is not in the table.
func (p *pass) reportSeries(q query, name string, known []string) {
	const effect = ": the query has no value, and every check fails"
	near := series.Closest(name, known)
	if _, histogram := series.Find(series.Families(), name+"_bucket"); histogram {
		p.warnAt(q.object, q.field, guardrail.Clip(name)+" is a histogram, which has no series of this name"+effect,
			"write "+name+"_bucket, "+name+"_sum or "+name+"_count")
		return
	}
	if near != "" {
		p.warnAt(q.object, q.field, "nothing exports "+guardrail.Clip(name)+effect, "did you mean "+near+"?")
		return
	}
	if !p.played() {
		return
	}
	for _, f := range series.Foreign() {
		if strings.HasPrefix(name, f.Prefix) {
			p.warnAt(q.object, q.field, guardrail.Clip(name)+" is a series of "+f.Owner+", which the lab does not run"+
				effect, "with Linkerd, read "+f.Instead)
			return
		}
	}
	p.warnAt(q.object, q.field, "nothing in the lab exports "+guardrail.Clip(name)+effect,
		"read response_total or response_latency_ms_bucket; docs/guardrails.md lists the series")
}

// eachMatcher calls f for every matcher of a query on a label of one known family.
func eachMatcher(e parser.Expr, f func(series.Family, *labels.Matcher)) {
	all := series.Families()
	eachSelector(e, func(s *parser.VectorSelector) {
		names := seriesNames(s)
		if len(names) == 0 {
			return
		}
		of, known := series.Find(all, names[0])
		if !known {
			return
		}
		for _, name := range names[1:] { // a label that one of them has is enough
			other, _ := series.Find(all, name)
			of.Labels = slices.Concat(of.Labels, other.Labels)
			of.Histogram = of.Histogram || other.Histogram
		}
		for _, m := range s.LabelMatchers {
			if m.Name != labels.MetricName {
				f(of, m)
			}
		}
	})
}

// effectOf says what becomes of a selector whose matcher never matches, or always.
func effectOf(m *labels.Matcher) string {
	if m.Matches("") {
		return "the condition has no effect"
	}
	return "the selector selects nothing, so the query has no value"
}

func checkUnknownLabel(p *pass, q query) {
	var pods []string
	for _, l := range p.set.Environment.VersionLabels {
		pods = append(pods, metricLabel(l))
	}
	eachMatcher(q.expr, func(f series.Family, m *labels.Matcher) {
		if m.Value == "" || f.HasLabel(m.Name, pods) {
			return
		}
		near := series.Closest(m.Name, slices.Concat(f.Labels, []string{"namespace", "pod", "deployment"}))
		if near == "" && (!p.played() || isPodSelector(m.Name)) {
			return // a label of pods, perhaps
		}
		hint := "docs/guardrails.md lists the labels"
		if near != "" {
			hint = "did you mean " + near + "?"
		}
		p.warnAt(q.object, q.field, "series "+f.Name+" have no label "+guardrail.Clip(m.Name)+": "+effectOf(m), hint)
	})
}

// isPodSelector reports whether a label looks like a label of pods, of which the lab knows only its
// own.
func isPodSelector(name string) bool {
	return strings.HasPrefix(name, "app_") || strings.HasPrefix(name, "helm_") || strings.HasPrefix(name, "topology_")
}

func checkUnknownValue(p *pass, q query) {
	eachMatcher(q.expr, func(f series.Family, m *labels.Matcher) {
		values := p.values(f, m.Name)
		if len(values) == 0 || m.Value == "" {
			return
		}
		positive := m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp
		test := m
		if !positive {
			opposite, err := m.Inverse()
			if err != nil {
				return
			}
			test = opposite
		}
		if slices.ContainsFunc(values, func(v string) bool { return v != "" && test.Matches(v) }) {
			return
		}
		if test.Matches("") {
			return // it asks for series without the label
		}
		effect := "the condition has no effect"
		if positive {
			effect = "the selector selects nothing, so the query has no value"
		}
		p.warnAt(q.object, q.field, fmt.Sprintf("label %s never has the value of %s: %s", m.Name,
			guardrail.Clip(m.String()), effect), valueHint(m, values))
	})
}

// valueHint says which value was probably meant.
func valueHint(m *labels.Matcher, values []string) string {
	if class := statusClass.FindStringSubmatch(m.Value); class != nil {
		return fmt.Sprintf("write %s=~%q", m.Name, class[1]+"..")
	}
	if near := series.Closest(m.Value, values); near != "" {
		return "did you mean " + near + "?"
	}
	if len(values) > 12 {
		return "write a status such as 503, or =~\"5..\" for a class"
	}
	return "the values are " + strings.Join(slices.DeleteFunc(slices.Clone(values), func(v string) bool {
		return v == ""
	}), ", ")
}
