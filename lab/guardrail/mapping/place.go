package mapping

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/input/yamlpos"
)

// place moves the objects to the lab's namespace and gives those a new name whose name is taken
// there. Objects that belong to other workloads are set aside.
func (m *mapper) place() {
	// Names in the Canary's own namespace come first.
	for _, own := range []bool{true, false} {
		for _, d := range m.docs {
			if d.Aside == "" && m.names.ours(d.namespace) == own && m.belongs(d) {
				m.move(d)
			}
		}
	}
	m.countAside()
}

// belongs reports whether an object takes part, and sets it aside if not.
func (m *mapper) belongs(d *Document) bool {
	switch d.kind {
	case "Deployment":
		return false // not played by anyone
	case "MetricTemplate", "AlertProvider", "MeshTLSAuthentication", "NetworkAuthentication":
		return true // only what refers to them has an effect
	case "Secret":
		return true // of an AlertProvider
	case "Namespace":
		if !m.names.ours(d.name) {
			d.Aside = "without a Canary that is played"
		}
	case "HorizontalPodAutoscaler":
		if !m.plays(scalar(d.Root, "spec.scaleTargetRef.name")) || !m.names.ours(d.namespace) {
			d.Aside = "for another workload"
		}
	case "ServiceProfile":
		labels := strings.Split(d.name, ".")
		if !m.plays(labels[0]) || len(labels) > 1 && !m.names.ours(labels[1]) {
			d.Aside = "for another Service"
		}
	case "HTTPRoute":
		if !m.names.ours(d.namespace) || m.names.Changed() && m.onlyGateways(d) {
			d.Aside = "of a gateway"
		}
	default:
		if !m.names.ours(d.namespace) {
			d.Aside = "in namespace " + d.namespace
		}
	}
	return d.Aside == ""
}

// plays reports whether a Deployment or Service stands for one of the lab's. Without mapped names
// every one does, so that a wrong name is reported.
func (m *mapper) plays(name string) bool {
	if !m.names.Changed() || len(m.lab.Services) == 0 {
		return true
	}
	to, ok := m.names.service(name)
	if !ok {
		to = name
	}
	return slices.Contains(m.lab.Services, to) || m.lab.Release == ""
}

// onlyGateways reports whether all parents of a route are Gateways, which the lab does not have.
func (m *mapper) onlyGateways(d *Document) bool {
	parents, _ := find(d.Root, "spec.parentRefs")
	gateways := 0
	for _, p := range parents.Items() {
		if kind := scalar(p.Value, "kind"); kind == "" || kind == "Gateway" {
			gateways++
		}
	}
	return gateways > 0 && gateways == len(parents.Items())
}

// move gives an object its namespace and name in the lab.
func (m *mapper) move(d *Document) {
	if d.kind == "Namespace" {
		m.set(d, "metadata.name", m.names.namespace(d.name), "the lab has one namespace")
		return
	}
	if d.name == "" {
		return
	}
	name := d.name
	switch d.kind {
	case "HTTPRoute", "ServiceAccount":
		name, _ = m.names.workload(d.name)
	case "ServiceProfile":
		name, _ = m.names.host(d.name)
	case "Canary":
		name = m.canaryName(d)
	}
	kind := d.kind + "." + strings.Split(d.apiVersion, "/")[0]
	if !m.names.ours(d.namespace) && m.taken[[2]string{kind, name}] {
		name = fmt.Sprintf("%s.%s", name, d.namespace)
	}
	m.taken[[2]string{kind, name}] = true
	m.moved[[3]string{d.kind, d.namespace, d.name}] = name
	m.set(d, "metadata.name", name, "the name in the lab")
	m.set(d, "metadata.namespace", m.lab.Namespace, "the lab has one namespace")
}

// canaryName returns the name of a Canary in the lab. One that is called like its target stays so,
// since queries may use {{ name }} for either.
func (m *mapper) canaryName(d *Document) string {
	for _, a := range m.apps {
		if a.doc == d && a.to != "" && (a.canary == a.target || a.canary == a.service) {
			return a.to
		}
	}
	return d.name
}

// reference maps a reference to an object: its name, and its namespace if it has one. Without it,
// the object is in namespace own.
func (m *mapper) reference(d *Document, path, kind, own string) {
	name, namespace := scalar(d.Root, path+".name"), scalar(d.Root, path+".namespace")
	if namespace == "" {
		namespace = own
	}
	to, ok := m.moved[[3]string{kind, namespace, name}]
	if !ok && m.names.ours(namespace) {
		for from, moved := range m.moved { // an object without a namespace is in the Canary's
			if from[0] == kind && from[2] == name && m.names.ours(from[1]) {
				to, ok = moved, true
			}
		}
	}
	if ok {
		m.set(d, path+".name", to, "the name in the lab")
	}
	if written := scalar(d.Root, path+".namespace"); written != "" && (ok || m.names.ours(namespace)) {
		m.set(d, path+".namespace", m.lab.Namespace, "the lab has one namespace")
	}
}

// countAside adds a note about what was set aside.
func (m *mapper) countAside() {
	count := map[string]int{}
	var reasons []string
	for _, d := range m.docs {
		if d.Aside == "" || d.kind == "Canary" {
			continue
		}
		reason := d.kind + " " + d.Aside
		if count[reason]++; count[reason] == 1 {
			reasons = append(reasons, reason)
		}
	}
	if len(reasons) == 0 {
		return
	}
	slices.Sort(reasons)
	for i, r := range reasons {
		reasons[i] = fmt.Sprintf("%d × %s", count[r], r)
	}
	m.note(nil, "", "not played, because the scenario has no place for it: "+strings.Join(reasons, ", "), "")
}

// mapDocument maps the names inside an object.
func (m *mapper) mapDocument(d *Document) {
	switch d.kind {
	case "Canary":
		m.mapCanary(d)
	case "MetricTemplate":
		m.mapTemplate(d)
	case "AlertProvider":
		m.reference(d, "spec.secretRef", "Secret", d.namespace)
	case "HorizontalPodAutoscaler":
		m.setName(d, "spec.scaleTargetRef.name")
	case "Server":
		m.mapServer(d)
	case "AuthorizationPolicy":
		m.mapTarget(d)
		m.mapAuthentications(d, "spec.requiredAuthenticationRefs")
	case "HTTPLocalRateLimitPolicy":
		m.mapTarget(d)
		overrides, _ := find(d.Root, "spec.overrides")
		for i := range overrides.Items() {
			m.mapAuthentications(d, yamlpos.Index("spec.overrides", i)+".clientRefs")
		}
	case "MeshTLSAuthentication":
		m.mapIdentities(d)
	case "HTTPRoute":
		m.mapRoute(d)
	case "ServiceProfile":
		m.mapProfile(d)
	}
}

// setName maps a field that names a workload.
func (m *mapper) setName(d *Document, path string) {
	if to, ok := m.names.workload(scalar(d.Root, path)); ok {
		m.set(d, path, to, "the name in the lab")
	}
}

// setNamespace maps a field that names a namespace.
func (m *mapper) setNamespace(d *Document, path string) {
	if from := scalar(d.Root, path); from != "" {
		m.set(d, path, m.names.namespace(from), "the lab has one namespace")
	}
}

// setServicePort maps a field that has a port of a Service.
func (m *mapper) setServicePort(d *Document, path, service string) {
	if from := scalar(d.Root, path); from != "" && number(from) {
		m.setPort(d, path, m.names.servicePorts[service][from])
	}
}

func (m *mapper) setPort(d *Document, path, to string) {
	if to == "" {
		return
	}
	m.set(d, path, to, "the scenario's port")
	if f, ok := find(d.Root, path); ok {
		f.Value.Tag, f.Value.Style = "!!int", 0
	}
}

// eachString calls f for every string below a node.
func eachString(n *yaml.Node, path string, f func(path string, n *yaml.Node)) {
	switch n.Kind {
	case yaml.ScalarNode:
		f(path, n)
	case yaml.SequenceNode:
		for i, c := range n.Content {
			eachString(c, yamlpos.Index(path, i), f)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			eachString(n.Content[i+1], yamlpos.Join(path, n.Content[i].Value), f)
		}
	}
}
