package mapping

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/input/yamlpos"
)

const (
	reasonPort    = "the scenario's port"
	reasonGateway = "with Linkerd the parent of a route is the Service, and the lab has no gateways"
)

// mapCanary maps what a Canary names.
func (m *mapper) mapCanary(d *Document) {
	i := slices.IndexFunc(m.apps, func(a *app) bool { return a.doc == d })
	if i < 0 || m.apps[i].to == "" {
		return
	}
	a := m.apps[i]
	m.set(d, "spec.targetRef.name", a.to, "the released service")
	if m.remaps(a) {
		m.set(d, "spec.service.name", a.to, "the Service that clients call")
		if scalar(d.Root, "spec.targetRef.kind") == "DaemonSet" {
			m.set(d, "spec.targetRef.kind", "Deployment", "the lab's services are Deployments")
			m.note(d, "spec.targetRef.kind", "the DaemonSet is played as a Deployment", "")
		}
		m.mapServicePorts(a)
	}
	m.mapGateways(a)
	m.mapHosts(d)
	mirrored := m.foreign(a) && scalar(d.Root, "spec.analysis.mirror") == "true"
	if m.foreign(a) {
		m.translate(a)
	}
	if m.remaps(a) {
		m.matchUsers(a)
		m.fitInterval(a)
	}
	m.mapMetrics(a)
	alerts, _ := find(d.Root, "spec.analysis.alerts")
	for i := range alerts.Items() {
		m.reference(d, yamlpos.Index("spec.analysis.alerts", i)+".providerRef", "AlertProvider", a.namespace)
	}
	webhooks, _ := find(d.Root, "spec.analysis.webhooks")
	for i, w := range webhooks.Items() {
		metadata, ok := w.Child("metadata")
		if !ok {
			continue
		}
		at := yamlpos.Index("spec.analysis.webhooks", i) + ".metadata"
		eachString(metadata.Value, at, func(path string, n *yaml.Node) {
			m.set(d, path, m.names.command(n.Value), "the addresses in the lab")
		})
	}
	if mirrored {
		m.loadCanary(a)
	}
}

// mapServicePorts sets the ports of the Service and of its pods.
func (m *mapper) mapServicePorts(a *app) {
	port, ok := m.lab.Ports[a.to]
	target, known := m.lab.TargetPorts[a.to]
	if !ok || !known || a.port == "" {
		return
	}
	if _, set := find(a.doc.Root, "spec.service.targetPort"); set {
		m.setNumber(a.doc, "spec.service.targetPort", target, reasonPort)
	} else if target != port {
		m.insert(a.doc, "spec.service", "port", "targetPort", intNode(target), "the port of the lab's pods")
	}
	m.setNumber(a.doc, "spec.service.port", port, reasonPort)
}

// mapGateways maps the parents of the route. A Gateway becomes the Service, where Linkerd looks for
// routes; the host names that users have at the gateway go with it.
func (m *mapper) mapGateways(a *app) {
	const path = "spec.service.gatewayRefs"
	d := a.doc
	refs, ok := find(d.Root, path)
	if !ok || refs.Value.Kind != yaml.SequenceNode {
		return
	}
	var kept []*yaml.Node
	gateways, service := 0, false
	for i, ref := range refs.Items() {
		at := yamlpos.Index(path, i)
		switch {
		case scalar(ref.Value, "kind") == "Service":
			service = true
			m.setName(d, at+".name")
			m.setNamespace(d, at+".namespace")
			m.setServicePort(d, at+".port", a.to)
		case (m.remaps(a) || m.foreign(a)) && isGateway(ref):
			gateways++
			m.gateways[d] = scalar(ref.Value, "name")
			continue
		}
		kept = append(kept, ref.Value)
	}
	if gateways == 0 {
		return
	}
	if !service {
		kept = append(kept, m.serviceRef(a, refs.Value))
	}
	m.record(d, path, refs.Key.Line, brief(refs.Value), brief(&yaml.Node{Kind: yaml.SequenceNode, Content: kept}),
		reasonGateway)
	refs.Value.Content = kept
	m.dropHosts(a)
}

// serviceRef returns a reference to the Service, in the place of an item of refs.
func (m *mapper) serviceRef(a *app, refs *yaml.Node) *yaml.Node {
	n := mappingNode("group", "core", "kind", "Service", "name", a.to, "namespace", m.lab.Namespace)
	if port, ok := m.lab.Ports[a.to]; ok {
		n.Content = append(n.Content, stringNode("port"), intNode(port))
	}
	line := refs.Line
	if len(refs.Content) > 0 {
		line = refs.Content[0].Line
	}
	setLine(n, line)
	return n
}

// dropHosts removes the host names of a gateway's users. Requests to them are requests to the
// Service in the lab.
func (m *mapper) dropHosts(a *app) {
	hosts, ok := find(a.doc.Root, "spec.service.hosts")
	if !ok {
		return
	}
	for _, h := range hosts.Items() {
		m.names.hosts[h.Value.Value] = a.to + "." + m.lab.Namespace
	}
	m.note(a.doc, "spec.service.hosts", "left out with the Gateway: the lab's clients call "+a.to+"."+m.lab.Namespace,
		"")
	m.remove(a.doc, "spec.service", "hosts", "the lab's clients call the Service by its name in the cluster")
}

// mapHosts maps host names of the cluster.
func (m *mapper) mapHosts(d *Document) {
	hosts, _ := find(d.Root, "spec.service.hosts")
	for i, h := range hosts.Items() {
		if to, ok := m.names.host(h.Value.Value); ok {
			m.set(d, yamlpos.Index("spec.service.hosts", i), to, "the host that clients call")
		}
	}
}

// mapMetrics maps the templates and queries of a Canary.
func (m *mapper) mapMetrics(a *app) {
	const path = "spec.analysis.metrics"
	metrics, _ := find(a.doc.Root, path)
	for i := range metrics.Items() {
		at := yamlpos.Index(path, i)
		m.reference(a.doc, at+".templateRef", "MetricTemplate", a.namespace)
		m.mapQuery(a.doc, at+".query")
		m.translateInline(a, at)
		variables, ok := find(a.doc.Root, at+".templateVariables")
		if !ok {
			continue
		}
		eachString(variables.Value, at+".templateVariables", func(path string, n *yaml.Node) {
			m.set(a.doc, path, m.names.word(n.Value), "the name in the lab")
		})
	}
	m.mapPrometheus(a.doc, "spec.metricsServer")
}

// word maps a value that is a name or a host, such as that of a template's variable.
func (n *Names) word(text string) string {
	if to, ok := n.workload(text); ok {
		return to
	}
	if to, ok := n.namespaces[text]; ok {
		return to
	}
	to, _ := n.host(text)
	return to
}

// mapTemplate maps the query of a MetricTemplate.
func (m *mapper) mapTemplate(d *Document) {
	if scalar(d.Root, "spec.provider.type") != "prometheus" {
		return
	}
	m.mapQuery(d, "spec.query")
	m.translateTemplate(d)
	m.mapPrometheus(d, "spec.provider.address")
}

// mapPrometheus replaces the address of another Prometheus in a cluster.
func (m *mapper) mapPrometheus(d *Document, path string) {
	address := scalar(d.Root, path)
	if m.lab.Prometheus == "" || !inCluster(address) || sameService(address, m.lab.Prometheus) {
		return
	}
	m.set(d, path, m.lab.Prometheus, "the lab's Prometheus")
}

// inCluster reports whether a URL is that of a Service, as far as its name shows: one label,
// SERVICE.NAMESPACE or SERVICE.NAMESPACE.svc.
func inCluster(address string) bool {
	host, ok := hostOf(address)
	labels := strings.Split(host, ".")
	return ok && host != "localhost" && strings.Trim(labels[len(labels)-1], "0123456789") != "" &&
		(len(labels) <= 2 || labels[2] == "svc")
}

// sameService reports whether two URLs are those of one Service.
func sameService(a, b string) bool {
	x, _ := hostOf(a)
	y, _ := hostOf(b)
	first, _, _ := strings.Cut(x, ".svc")
	second, _, _ := strings.Cut(y, ".svc")
	return first == second
}

func (m *mapper) summarize() {
	for _, a := range m.apps {
		if a.to == "" || a.doc.Aside != "" || !m.remaps(a) {
			continue
		}
		line := fmt.Sprintf("%s is played as %s", a, a.to)
		if port, ok := m.lab.Ports[a.to]; ok && a.port != "" && a.port != fmt.Sprint(port) {
			line += fmt.Sprintf(", port %s as %d", a.port, port)
		}
		how := "mapped by --map or " + FileName
		if !a.explicit {
			how = "the only Canary that can be the released service"
			if a.to == a.target {
				how = "namespace " + a.namespace + " stands for the lab's " + m.lab.Namespace
			}
		}
		m.note(a.doc, "spec.targetRef.name", line+" ("+how+")", "")
	}
}
