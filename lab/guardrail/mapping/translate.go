package mapping

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/input/yamlpos"
)

// Provider is the mesh provider under which Flagger works with Linkerd.
const Provider = "gatewayapi:v1beta1"

// namesMesh reports whether a Canary names another mesh or ingress, or a Gateway, so that it is not one
// for Linkerd with a part missing.
func namesMesh(d *Document) bool {
	if slices.Contains(otherProviders(), scalar(d.Root, "spec.provider")) {
		return true
	}
	refs, _ := find(d.Root, "spec.service.gatewayRefs")
	return slices.ContainsFunc(refs.Items(), func(f yamlpos.Field) bool { return isGateway(f) })
}

// otherProviders are those of Flagger that split the traffic by other means than a route of the Gateway
// API. Source: flagger, pkg/apis/flagger/v1beta1/provider.go.
func otherProviders() []string {
	return []string{"apisix", "appmesh", "appmesh:v1beta1", "appmesh:v1beta2", "contour", "gloo", "istio", "knative",
		"kubernetes", "kuma", "linkerd", "nginx", "osm", "skipper", "smi:v1alpha1", "smi:v1alpha2", "smi:v1alpha3",
		"traefik"}
}

// isGateway reports whether a parent of a route is a Gateway, the default.
func isGateway(ref yamlpos.Field) bool {
	group, kind := scalar(ref.Value, "group"), scalar(ref.Value, "kind")
	return (kind == "" || kind == "Gateway") && (group == "" || strings.HasPrefix(group, "gateway."))
}

// forOtherMesh reports whether a Canary is written for another mesh or ingress: by its provider or,
// if that is left to Flagger's installation, since its route has no Service for a parent, as Linkerd
// needs it.
func forOtherMesh(d *Document) bool {
	if namesMesh(d) {
		return true
	}
	refs, _ := find(d.Root, "spec.service.gatewayRefs")
	return !slices.ContainsFunc(refs.Items(), func(f yamlpos.Field) bool {
		return scalar(f.Value, "kind") == "Service"
	})
}

// foreign reports whether the Canary of an app is changed to one for Linkerd. One that is written
// for the lab, and only lacks something, is played as it is.
func (m *mapper) foreign(a *app) bool {
	return m.lab.Translate || a.otherMesh && (m.remaps(a) || a.to != "" && a.namesMesh)
}

// translate changes a Canary for another mesh or ingress into one for Linkerd.
func (m *mapper) translate(a *app) {
	d := a.doc
	from := scalar(d.Root, "spec.provider")
	first := len(m.result.Edits)
	if from != "" {
		m.set(d, "spec.provider", Provider, providerReason(from))
	}
	for _, f := range []string{"ingressRef", "routeRef", "upstreamRef"} {
		m.remove(d, "spec", f, "Linkerd splits the traffic in the clients' proxies, without an ingress")
	}
	for _, f := range []string{"gateways", "trafficPolicy", "corsPolicy", "delegation", "backends", "meshName",
		"mirror", "headless"} {
		m.remove(d, "spec.service", f, "is not for the Gateway API of Linkerd")
	}
	m.remove(d, "spec.service", "rewrite", "Linkerd refuses a route that rewrites, and then splits nothing")
	for _, f := range []string{"mirror", "mirrorWeight"} {
		m.remove(d, "spec.analysis", f, "Linkerd does not mirror requests")
	}
	m.translateHosts(a)
	if _, ok := find(d.Root, "spec.service.gatewayRefs"); !ok {
		refs := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq",
			Content: []*yaml.Node{m.serviceRef(a, &yaml.Node{Line: d.Root.Line})}}
		after := "port"
		if _, ok := find(d.Root, "spec.service.targetPort"); ok {
			after = "targetPort"
		}
		m.insert(d, "spec.service", after, "gatewayRefs", refs, reasonGateway)
	}
	m.translateMetrics(a)
	m.noteTranslation(a, from, m.result.Edits[first:])
}

// noteTranslation says that a Canary for another mesh is played as one for Linkerd.
func (m *mapper) noteTranslation(a *app, provider string, edits []Edit) {
	if m.lab.Translate || !a.otherMesh {
		return // every edit is shown
	}
	name, what := provider, "for "+provider
	if provider == "" || provider == Provider || provider == "gatewayapi:v1" {
		name = "without a Gateway API"
		what = "without a Service as parent of its route, so for another mesh than Linkerd"
		if gateway := m.gateways[a.doc]; gateway != "" {
			name, what = "behind Gateway "+gateway, "for users who come through Gateway "+gateway
		}
	}
	changed := []string{"gatewayRefs"}
	for _, e := range edits {
		if field := e.Path[strings.LastIndex(e.Path, ".")+1:]; !slices.Contains(changed, field) {
			changed = append(changed, field)
		}
	}
	m.note(a.doc, "spec.provider", "is "+what+": it is played as with Linkerd, whose proxies split the traffic of "+
		"the Service by a route of the Gateway API; changed for that: "+strings.Join(changed, ", "),
		"coalmine adopt shows each change")
	m.result.LeftOut = append(m.result.LeftOut, Part{Document: a.doc, Path: "spec.provider", What: partMesh, Name: name,
		Reason: "Linkerd splits the traffic of the Service in its place"})
}

func providerReason(from string) string {
	switch from {
	case "linkerd":
		return "linkerd means the deprecated SMI TrafficSplit, which ignores analysis.match"
	case "gatewayapi:v1":
		return "Flagger waits for an observedGeneration that Linkerd never writes (linkerd2#14964)"
	case "kubernetes":
		return "the lab's mesh routes by the Gateway API; with iterations alone it stays Blue/Green"
	}
	return "the lab runs Linkerd, which routes by the Gateway API"
}

// translateHosts removes host names that no client calls.
func (m *mapper) translateHosts(a *app) {
	const path = "spec.service.hosts"
	hosts, ok := find(a.doc.Root, path)
	if !ok || hosts.Value.Kind != yaml.SequenceNode {
		return
	}
	// Istio completes the names of Services, Linkerd does not.
	called := func(n *yaml.Node) bool { return n.Value == a.to+"."+m.lab.Namespace }
	if !slices.ContainsFunc(hosts.Value.Content, called) {
		m.dropHosts(a)
		return
	}
	kept := slices.DeleteFunc(slices.Clone(hosts.Value.Content), func(n *yaml.Node) bool { return !called(n) })
	if len(kept) < len(hosts.Value.Content) {
		m.record(a.doc, path, hosts.Key.Line, brief(hosts.Value),
			brief(&yaml.Node{Kind: yaml.SequenceNode, Content: kept}), "no client calls the others")
		hosts.Value.Content = kept
	}
}

// translateMetrics gives built-in metrics, which have no values with Linkerd, a template.
func (m *mapper) translateMetrics(a *app) {
	const path = "spec.analysis.metrics"
	metrics, _ := find(a.doc.Root, path)
	for i, metric := range metrics.Items() {
		at := yamlpos.Index(path, i)
		name := scalar(metric.Value, "name")
		m.widen(a, at)
		_, templated := metric.Child("templateRef")
		_, inline := metric.Child("query")
		if templated || inline || name != "request-success-rate" && name != "request-duration" {
			continue
		}
		template, bound, own := successTemplate, "min", "success-rate"
		if name == "request-duration" {
			template, bound, own = latencyTemplate, "max", "latency-p99"
		}
		m.set(a.doc, at+".name", own, "Flagger asks the built-in metric of this name as well")
		source := m.insertQuery(a.doc, at, template)
		if text := scalar(metric.Value, "threshold"); text != "" {
			value := &yaml.Node{Kind: yaml.ScalarNode, Value: text}
			m.remove(a.doc, at, "threshold", "means a maximum for a template")
			m.insert(a.doc, at, source, "thresholdRange", mappingNode(bound, value),
				"as the built-in metric means it")
		}
		if scalar(metric.Value, "interval") == "" {
			m.insert(a.doc, at, source, "interval", stringNode("1m"), "the default of the built-in metric")
		}
	}
}

// leastRange is the shortest range of a query in which Linkerd's Prometheus, which scrapes every 10 s,
// has two samples at any time.
const leastRange = 30 * time.Second

// widen gives a metric the least range. Prometheus of other meshes scrape more often.
func (m *mapper) widen(a *app, at string) {
	if d, err := time.ParseDuration(scalar(a.doc.Root, at+".interval")); err == nil && d < leastRange {
		m.set(a.doc, at+".interval", shortDuration(leastRange), "Linkerd's Prometheus scrapes every 10 s")
	}
}

// insertQuery gives a metric what the built-in one of Linkerd asks: a template, or in manifests that
// nobody gets to see a query. It returns the name of the field.
func (m *mapper) insertQuery(d *Document, at, template string) string {
	const reason = "the built-in metric has no values with Linkerd under " + Provider
	if m.lab.Translate {
		m.result.Templates = append(m.result.Templates, template)
		m.insert(d, at, "name", "templateRef", mappingNode("name", template, "namespace", m.lab.Namespace), reason)
		return "templateRef"
	}
	query := successQuery()
	if template == latencyTemplate {
		query = latencyQuery("0.99", "")
	}
	m.insert(d, at, "name", "query", stringNode(query), reason)
	return "query"
}

// Names of the templates that are written for built-in metrics.
const (
	successTemplate = "linkerd-success-rate"
	latencyTemplate = "linkerd-latency-p99"
)

const linkerdSelector = `namespace="{{ namespace }}",deployment="{{ target }}",direction="inbound"`

// successQuery returns the share of good responses in percent.
func successQuery() string {
	return fmt.Sprintf("100 * sum(rate(response_total{%s,classification=\"success\"}[{{ interval }}]))\n/ "+
		"sum(rate(response_total{%[1]s}[{{ interval }}]))\n", linkerdSelector)
}

// failureQuery returns the share of bad responses in percent.
func failureQuery() string {
	return fmt.Sprintf("100 * (sum(rate(response_total{%s,classification=\"failure\"}[{{ interval }}])) or "+
		"vector(0))\n/ "+
		"sum(rate(response_total{%[1]s}[{{ interval }}]))\n", linkerdSelector)
}

// latencyQuery returns a quantile of the latency in milliseconds, divided for another unit.
func latencyQuery(quantile, divisor string) string {
	return fmt.Sprintf("histogram_quantile(%s,\n  "+
		"sum by (le) (rate(response_latency_ms_bucket{%s}[{{ interval }}]))\n)%s\n",
		quantile, linkerdSelector, divisor)
}

// meanQuery returns the mean latency in milliseconds, divided for another unit.
func meanQuery(divisor string) string {
	return fmt.Sprintf("sum(rate(response_latency_ms_sum{%s}[{{ interval }}]))\n/ "+
		"sum(rate(response_latency_ms_count{%[1]s}[{{ interval }}]))%s\n", linkerdSelector, divisor)
}

// countQuery returns the number of responses, or of bad ones, by the function of the counter.
func countQuery(function string, failures bool) string {
	selector := linkerdSelector
	if failures {
		selector += `,classification="failure"`
	}
	return fmt.Sprintf("sum(%s(response_total{%s}[{{ interval }}]))\n", function, selector)
}

// TemplateFile returns the templates of the given names as YAML, "" for none.
func (l Lab) TemplateFile(names []string) string {
	var docs []string
	for _, name := range []string{successTemplate, latencyTemplate} {
		if !slices.Contains(names, name) {
			continue
		}
		query := successQuery()
		if name == latencyTemplate {
			query = latencyQuery("0.99", "")
		}
		docs = append(docs, fmt.Sprintf("apiVersion: flagger.app/v1beta1\nkind: MetricTemplate\nmetadata:\n"+
			"  name: %s\n"+
			"  namespace: %s\nspec:\n  provider:\n    type: prometheus\n    address: %s\n  query: |\n    %s\n", name,
			l.Namespace, l.Prometheus, strings.ReplaceAll(strings.TrimSuffix(query, "\n"), "\n", "\n    ")))
	}
	return strings.Join(docs, "---\n")
}
