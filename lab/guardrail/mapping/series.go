package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"coalmine/lab/guardrail/series"
	"coalmine/lab/input/yamlpos"
)

// RuleSeries is the lint rule about series that nothing exports.
const RuleSeries = "unknown-series"

// question is what a query asks of a series that the lab does not have.
type question struct {
	// series is "" if the query reads the lab's series only.
	series string
	// ofMesh is set if another mesh or an ingress exports the series.
	ofMesh bool
	// quantile is the first argument of histogram_quantile.
	quantile string
	// function is that on the counter: rate, increase or irate.
	function string
	// ratio is set if one selector is divided by another, failures if only responses 5xx are selected,
	// primary if the query reads the primary's series too.
	ratio, failures, primary bool
}

// readQuestion returns what a query asks.
func readQuestion(text string) (question, error) {
	var q question
	plain, err := parseable(text)
	if err != nil {
		return q, err
	}
	expr, err := parse(plain)
	if err != nil {
		return q, err
	}
	q.primary = strings.Contains(text, "-primary")
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			q.readSelector(n)
		case *parser.BinaryExpr:
			q.ratio = q.ratio || n.Op == parser.DIV && selects(n.LHS) && selects(n.RHS)
		case *parser.Call:
			switch n.Func.Name {
			case "histogram_quantile":
				q.quantile = n.Args[0].String()
			case "rate", "increase", "irate":
				q.function = n.Func.Name
			}
		}
		return nil
	})
	return q, nil
}

func (q *question) readSelector(s *parser.VectorSelector) {
	if s.Name == "" || !unknownSeries(s.Name) {
		return
	}
	q.series = s.Name
	q.ofMesh = q.ofMesh || isOfMesh(s.Name)
	for _, m := range s.LabelMatchers {
		code := strings.Contains(m.Name, "code") || m.Name == "status"
		if code && (m.Type == labels.MatchRegexp || m.Type == labels.MatchEqual) && strings.HasPrefix(m.Value, "5") {
			q.failures = true
		}
	}
}

// selects reports whether an expression has a selector.
func selects(e parser.Expr) bool {
	found := false
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		_, ok := n.(*parser.VectorSelector)
		found = found || ok
		return nil
	})
	return found
}

// unknownSeries reports whether the lab has no series of this name, nor one of a similar name, which
// a misspelt one stands for.
func unknownSeries(name string) bool {
	all := series.Families()
	if _, known := series.Find(all, name); known {
		return false
	}
	if isOfMesh(name) || isOfApp(name) {
		return true
	}
	var names []string
	for _, f := range all {
		names = append(append(names, f.Names()...), f.Name)
	}
	return !slices.Contains(names, name) && series.Closest(name, names) == ""
}

// isOfMesh reports whether a series is one of another mesh or of an ingress.
func isOfMesh(name string) bool {
	for _, prefix := range []string{"istio_", "envoy_", "nginx_", "traefik_", "contour_", "gloo_", "skipper_",
		"apisix_", "kong_", "appmesh_", "haproxy_", "osm_", "kuma_", "knative_", "revision_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// isOfApp reports whether a series is one that services count about the requests they answer, by the
// names that libraries of several languages give it.
func isOfApp(name string) bool {
	return slices.ContainsFunc([]string{"http_request", "http_server_", "http_response"}, func(p string) bool {
		return strings.HasPrefix(name, p)
	})
}

// linkerd returns a query that asks the same of Linkerd's series, or "" if it is not clear what that
// is. least is set if the metric has a minimum: that of a ratio is for a success rate, a maximum for
// an error rate.
func (q question) linkerd(text string, least bool) string {
	if !q.ofMesh && !isOfApp(q.series) || q.primary {
		return ""
	}
	switch {
	case q.quantile != "":
		return latencyQuery(q.quantile, q.divisor(text))
	case q.ratio && strings.HasSuffix(q.series, "_bucket"):
		return ""
	case q.ratio && (strings.HasSuffix(q.series, "_sum") || strings.Contains(text, q.series+"_sum") ||
		strings.Contains(text, "_sum")):
		return meanQuery(q.divisor(text))
	case q.ratio:
		to := failureQuery()
		if least {
			to = successQuery()
		}
		if !strings.Contains(text, "100") {
			to = strings.TrimPrefix(to, "100 * ") // a ratio, not a percentage
		}
		return to
	case q.function != "" && !strings.HasSuffix(q.series, "_bucket") && !strings.HasSuffix(q.series, "_sum"):
		return countQuery(q.function, q.failures)
	}
	return ""
}

// divisor converts milliseconds to what the query returns.
func (q question) divisor(text string) string {
	milliseconds := strings.Contains(q.series, "milliseconds") || strings.Contains(q.series, "_ms") ||
		strings.Contains(q.series, "_rq_time")
	if milliseconds != strings.Contains(text, "1000") {
		return "" // milliseconds as they are, or seconds made to milliseconds
	}
	return " / 1000"
}

// metricUse is one metric of a Canary that is played.
type metricUse struct {
	app  *app
	path string
}

// uses returns the metrics that ask a template.
func (m *mapper) uses(d *Document) []metricUse {
	var list []metricUse
	for _, a := range m.apps {
		if a.to == "" || a.doc.Aside != "" || !m.lab.Translate && !m.remaps(a) {
			continue
		}
		metrics, _ := find(a.doc.Root, "spec.analysis.metrics")
		for i, metric := range metrics.Items() {
			if scalar(metric.Value, "templateRef.name") == scalar(d.Root, "metadata.name") {
				list = append(list, metricUse{a, yamlpos.Index("spec.analysis.metrics", i)})
			}
		}
	}
	return list
}

// translateTemplate asks Linkerd what a template asks of another mesh.
func (m *mapper) translateTemplate(d *Document) {
	uses := m.uses(d)
	if len(uses) == 0 {
		return
	}
	q, err := readQuestion(scalar(d.Root, "spec.query"))
	foreign := slices.ContainsFunc(uses, func(u metricUse) bool { return m.foreign(u.app) })
	if err != nil || q.series == "" || q.ofMesh && !foreign {
		return
	}
	m.translateQuery(d, "spec.query", q, uses)
}

// translateInline is translateTemplate for a metric with a query of its own.
func (m *mapper) translateInline(a *app, path string) {
	text := scalar(a.doc.Root, path+".query")
	if text == "" || !m.lab.Translate && !m.remaps(a) {
		return
	}
	q, err := readQuestion(text)
	if err != nil || q.series == "" || q.ofMesh && !m.foreign(a) {
		return
	}
	m.translateQuery(a.doc, path+".query", q, []metricUse{{a, path}})
}

// translateQuery replaces a query by one of Linkerd's series. Where that is not possible, the metrics
// that use it are left out. A query that Linkerd's mesh could not answer in production either stays
// as it is for a Canary that is written for Linkerd.
func (m *mapper) translateQuery(d *Document, path string, q question, uses []metricUse) {
	least := slices.ContainsFunc(uses, func(u metricUse) bool {
		_, ok := find(u.app.doc.Root, u.path+".thresholdRange.min")
		return ok
	})
	to := q.linkerd(scalar(d.Root, path), least)
	if to == "" {
		for _, u := range slices.Backward(uses) {
			m.leaveOut(u, "nothing in the lab exports "+q.series, RuleSeries)
		}
		return
	}
	where := "with Linkerd"
	if !q.ofMesh {
		where = "in the lab"
	}
	m.set(d, path, to, fmt.Sprintf("nothing exports %s %s: this asks the same of Linkerd's series; check that it does",
		q.series, where))
	if m.lab.Translate {
		return
	}
	m.result.Notes = append(m.result.Notes, Note{Document: d, Field: path, Rule: RuleSeries,
		Hint: "check that it does: coalmine adopt shows the query",
		Message: fmt.Sprintf("nothing exports %s %s: it is played as a query that asks the same of Linkerd's series",
			q.series, where)})
	for _, u := range uses {
		m.result.LeftOut = append(m.result.LeftOut, Part{Document: u.app.doc, Path: u.path, What: partQuery,
			Name:   scalar(u.app.doc.Root, u.path+".name"),
			Reason: fmt.Sprintf("nothing exports %s %s, and Linkerd's series are asked in its place", q.series, where)})
	}
}

// leaveOut leaves a metric out. rule is that of the finding, "" for a note.
func (m *mapper) leaveOut(u metricUse, reason, rule string) {
	d := u.app.doc
	name := scalar(d.Root, u.path+".name")
	if m.lab.Translate {
		list, _ := find(d.Root, "spec.analysis.metrics")
		for i, metric := range list.Items() {
			if yamlpos.Index("spec.analysis.metrics", i) == u.path {
				m.record(d, u.path, metric.Value.Line, brief(metric.Value), "", reason)
				list.Value.Content = slices.Delete(list.Value.Content, i, i+1)
				return
			}
		}
	}
	m.result.Notes = append(m.result.Notes, Note{Document: d, Field: u.path, Rule: rule,
		Message: reason + ": the check is left out"})
	m.result.LeftOut = slices.DeleteFunc(m.result.LeftOut, func(p Part) bool {
		return p.Document == d && p.Path == u.path
	})
	m.result.LeftOut = append(m.result.LeftOut, Part{Document: d, Path: u.path, What: partCheck, Name: name,
		Reason: reason})
}
