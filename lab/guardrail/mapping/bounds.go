package mapping

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"coalmine/lab/input/yamlpos"
)

// checkBounds finds bounds on latency that the lab's service exceeds when nothing is wrong. They are
// made for the service that the manifests are of, and would roll every release back.
func (m *mapper) checkBounds() {
	for _, a := range m.apps {
		if a.to == "" || a.doc.Aside != "" || !m.lab.Translate && !m.remaps(a) {
			continue
		}
		metrics, _ := find(a.doc.Root, "spec.analysis.metrics")
		for i := range slices.Backward(metrics.Items()) { // leaveOut may remove one
			m.checkBound(metricUse{a, yamlpos.Index("spec.analysis.metrics", i)})
		}
	}
}

func (m *mapper) checkBound(u metricUse) {
	d := u.app.doc
	field := u.path + ".thresholdRange.max"
	if scalar(d.Root, field) == "" {
		field = u.path + ".threshold"
	}
	bound, err := strconv.ParseFloat(scalar(d.Root, field), 64)
	if err != nil || bound <= 0 || m.leftOut(u) {
		return
	}
	quantile, unit, ok := latencyOf(m.queryOf(u))
	if !ok {
		return
	}
	normal, ok := m.lab.latency(u.app.to, quantile)
	if !ok || bound*float64(unit) >= float64(normal) {
		return
	}
	reason := fmt.Sprintf("the bound of %v is that of another service: %v %% of %s's requests take up to %v when "+
		"nothing is wrong", bound, 100*quantile, u.app.to, normal.Round(10*time.Millisecond))
	if m.lab.Translate {
		m.setBound(d, field, 2*float64(normal)/float64(unit), reason)
		return
	}
	m.leaveOut(u, reason, "")
}

// setBound writes a bound, rounded up to two digits.
func (m *mapper) setBound(d *Document, path string, value float64, reason string) {
	scale := math.Pow(10, math.Floor(math.Log10(value))-1)
	text := strconv.FormatFloat(math.Round(math.Ceil(value/scale)*scale*1000)/1000, 'f', -1, 64)
	m.set(d, path, text, reason)
	if f, ok := find(d.Root, path); ok && f.Value.Value == text {
		f.Value.Style, f.Value.Tag = 0, "!!float"
		if !strings.Contains(text, ".") {
			f.Value.Tag = "!!int"
		}
	}
}

// leftOut reports whether a metric is left out already.
func (m *mapper) leftOut(u metricUse) bool {
	return slices.ContainsFunc(m.result.LeftOut, func(p Part) bool {
		return p.Document == u.app.doc && p.Path == u.path && p.What == partCheck
	})
}

// queryOf returns the query of a metric, its own or that of its template.
func (m *mapper) queryOf(u metricUse) string {
	d := u.app.doc
	if text := scalar(d.Root, u.path+".query"); text != "" {
		return text
	}
	name := scalar(d.Root, u.path+".templateRef.name")
	for _, t := range m.docs {
		if t.Aside == "" && t.kind == "MetricTemplate" && scalar(t.Root, "metadata.name") == name &&
			scalar(t.Root, "spec.provider.type") == "prometheus" {
			return scalar(t.Root, "spec.query")
		}
	}
	if name == latencyTemplate && slices.Contains(m.result.Templates, name) {
		return latencyQuery("0.99", "")
	}
	return ""
}

// latency returns a quantile of a service's latency when nothing is wrong.
func (l Lab) latency(service string, quantile float64) (time.Duration, bool) {
	samples := l.Latencies[service]
	if len(samples) == 0 || quantile < 0 || quantile > 1 {
		return 0, false
	}
	return samples[min(int(quantile*float64(len(samples))), len(samples)-1)], true
}

// latencyOf returns the quantile of the latency that a query of the lab's series asks for, and what
// its unit is. It returns false for queries that are not as simple as that.
func latencyOf(text string) (quantile float64, unit time.Duration, ok bool) {
	if text == "" {
		return 0, 0, false
	}
	plain, err := parseable(text)
	if err != nil {
		return 0, 0, false
	}
	expr, err := parse(plain)
	if err != nil {
		return 0, 0, false
	}
	factor := 1.0
	for {
		if p, isParen := expr.(*parser.ParenExpr); isParen {
			expr = p.Expr
			continue
		}
		b, isBinary := expr.(*parser.BinaryExpr)
		if !isBinary {
			break
		}
		n, isNumber := b.RHS.(*parser.NumberLiteral)
		switch {
		case isNumber && b.Op == parser.DIV:
			factor *= n.Val
		case isNumber && b.Op == parser.MUL:
			factor /= n.Val
		default:
			return 0, 0, false
		}
		expr = b.LHS
	}
	return quantileOf(expr, factor)
}

// quantileOf reads a call of histogram_quantile whose result is divided by factor.
func quantileOf(expr parser.Expr, factor float64) (quantile float64, unit time.Duration, ok bool) {
	call, ok := expr.(*parser.Call)
	if !ok || call.Func.Name != "histogram_quantile" {
		return 0, 0, false
	}
	q, ok := call.Args[0].(*parser.NumberLiteral)
	if !ok {
		return 0, 0, false
	}
	base := time.Duration(0)
	parser.Inspect(call.Args[1], func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			switch s.Name {
			case "response_latency_ms_bucket":
				base = time.Millisecond
			case "app_http_request_duration_seconds_bucket":
				base = time.Second
			}
		}
		return nil
	})
	return q.Val, time.Duration(float64(base) * factor), base > 0 && factor > 0
}
