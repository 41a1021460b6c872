package lint

import (
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/series"
)

func counterRules() []Rule {
	return []Rule{
		{Name: "raw-counter", query: checkRawCounter, Section: sectionQueries,
			What: "A counter is read without rate() or increase().",
			Why: "It counts since the pod started, falls to 0 when the pod restarts, and changes ever more slowly: " +
				"a minute of failures hides in an hour of successes.",
			Source: "prometheus.io/docs, metric types, counter; querying functions, rate()"},
		{Name: "empty-variable", query: checkEmptyVariable, Section: sectionQueries,
			What: "A template variable that the query uses is empty.",
			Why: "Flagger renders it as nothing. A matcher with an empty value selects series without the label, " +
				"which is not the same as all of them.",
			Source: "flagger pkg/metrics/observers/render.go, RenderQuery; prometheus.io/docs, querying basics"},
	}
}

// isCounter reports whether a series is a counter: by the table, or by the suffix that Prometheus'
// naming conventions reserve for counters.
func isCounter(all []series.Family, name string) bool {
	if f, known := series.Find(all, name); known {
		return f.Counter || f.Histogram
	}
	return strings.HasSuffix(name, "_total")
}

// overTime are the functions that take the increase of a counter, or that do not depend on its
// value.
func overTime() []string {
	return []string{"rate", "irate", "increase", "resets", "changes", "count_over_time", "absent_over_time",
		"present_over_time", "absent", "timestamp"}
}

func checkRawCounter(p *pass, q query) {
	all := series.Families()
	var raw []string
	parser.Inspect(q.expr, func(n parser.Node, path []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok || s.OriginalOffset != 0 || readsIncrease(path) {
			return nil
		}
		for _, name := range seriesNames(s) {
			if isCounter(all, name) && !slices.Contains(raw, name) && !differs(q.expr, name) {
				raw = append(raw, name)
			}
		}
		return nil
	})
	for _, name := range raw {
		p.warnAt(q.object, q.field, "the counter "+guardrail.Clip(name)+" is read without rate() or increase(), so "+
			"the value covers the pod's whole life", "write rate("+guardrail.Clip(name)+"{…}[1m])")
	}
}

// readsIncrease reports whether one of the nodes around a selector takes the increase of a counter,
// or counts series.
func readsIncrease(path []parser.Node) bool {
	return slices.ContainsFunc(path, func(n parser.Node) bool {
		switch n := n.(type) {
		case *parser.Call:
			return slices.Contains(overTime(), n.Func.Name)
		case *parser.AggregateExpr:
			return n.Op == parser.COUNT || n.Op == parser.GROUP
		case *parser.SubqueryExpr:
			return true // its function is the outer one, for example max_over_time(…[5m:10s])
		case *parser.BinaryExpr:
			return n.Op == parser.LAND || n.Op == parser.LUNLESS
		}
		return false
	})
}

// differs reports whether the query also reads the series some time ago: x - x offset 1m.
func differs(e parser.Expr, name string) bool {
	found := false
	eachSelector(e, func(s *parser.VectorSelector) {
		found = found || s.OriginalOffset != 0 && slices.Contains(seriesNames(s), name)
	})
	return found
}

func checkEmptyVariable(p *pass, q query) {
	for name, value := range q.metric.TemplateVariables {
		if strings.TrimSpace(value) != "" || !usesVariable(q.text, name) {
			continue
		}
		p.warn(q.metricPath+".templateVariables["+guardrail.Clip(name)+"]", "is empty, and the query uses it",
			"write a value, or take the variable out of the query")
	}
}

// usesVariable reports whether a template inserts a variable.
func usesVariable(template, name string) bool {
	for _, part := range strings.Split(template, "{{")[1:] {
		action, _, _ := strings.Cut(part, "}}")
		words := strings.FieldsFunc(action, func(r rune) bool { return strings.ContainsRune(` ()."`, r) })
		if i := slices.Index(words, "variables"); i >= 0 && slices.Contains(words[i+1:], name) {
			return true
		}
	}
	return false
}
