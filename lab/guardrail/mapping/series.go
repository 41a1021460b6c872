package mapping

import (
	"fmt"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
)

// foreignSeries are the beginnings of the series that other meshes and ingresses export.
func foreignSeries() []string {
	return []string{"istio_", "envoy_", "nginx_", "traefik_", "contour_", "gloo_", "skipper_", "apisix_", "kong_",
		"appmesh_", "haproxy_", "osm_", "kuma_"}
}

// translateQuery replaces a query of the series of another mesh by one that asks Linkerd the same.
// What it asks follows from how the Canaries use it: a minimum is for a success rate, a maximum for
// an error rate or a latency.
func (m *mapper) translateQuery(d *Document) {
	query := scalar(d.Root, "spec.query")
	plain, err := parseable(query)
	if err != nil {
		return
	}
	expr, err := parse(plain)
	if err != nil {
		return
	}
	series, quantile := readSeries(expr)
	if series == "" {
		return
	}
	least, most := m.bounds(d)
	to := ""
	switch {
	case quantile != "" || strings.HasSuffix(series, "_bucket"):
		divisor := " / 1000"
		if strings.Contains(series, "milliseconds") || strings.Contains(series, "_ms") ||
			strings.HasSuffix(series, "_time_bucket") && !strings.Contains(query, "1000") {
			divisor = ""
		}
		if quantile == "" {
			quantile = "0.99"
		}
		to = latencyQuery(quantile, divisor)
	case least:
		to = successQuery()
	case most:
		to = failureQuery()
	default:
		return
	}
	if !strings.Contains(query, "100") && quantile == "" {
		to = strings.TrimPrefix(to, "100 * ") // a ratio, not a percentage
	}
	m.set(d, "spec.query", to, fmt.Sprintf("nothing exports %s with Linkerd: this asks the same of its own series; "+
		"check that it does", series))
}

// readSeries returns a series of another mesh in the expression, and the quantile that is asked.
func readSeries(expr parser.Expr) (series, quantile string) {
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			for _, prefix := range foreignSeries() {
				if strings.HasPrefix(n.Name, prefix) {
					series = n.Name
				}
			}
		case *parser.Call:
			if n.Func.Name == "histogram_quantile" && len(n.Args) > 0 {
				quantile = n.Args[0].String()
			}
		}
		return nil
	})
	return series, quantile
}

// bounds reports whether Canaries use a template with a minimum, and with a maximum.
func (m *mapper) bounds(d *Document) (least, most bool) {
	for _, a := range m.apps {
		metrics, _ := find(a.doc.Root, "spec.analysis.metrics")
		for _, metric := range metrics.Items() {
			if scalar(metric.Value, "templateRef.name") != scalar(d.Root, "metadata.name") {
				continue
			}
			_, hasMin := find(metric.Value, "thresholdRange.min")
			least, most = least || hasMin, most || !hasMin
		}
	}
	return least, most
}
