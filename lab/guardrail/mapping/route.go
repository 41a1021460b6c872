package mapping

import (
	"strings"

	"coalmine/lab/input/yamlpos"
)

// mapRoute maps the Services of an HTTPRoute.
func (m *mapper) mapRoute(d *Document) {
	parents, _ := find(d.Root, "spec.parentRefs")
	for i, p := range parents.Items() {
		at := yamlpos.Index("spec.parentRefs", i)
		if scalar(p.Value, "kind") == "Service" {
			m.mapServiceRef(d, at)
		}
		m.setNamespace(d, at+".namespace")
	}
	hosts, _ := find(d.Root, "spec.hostnames")
	for i, h := range hosts.Items() {
		if to, ok := m.names.host(h.Value.Value); ok {
			m.set(d, yamlpos.Index("spec.hostnames", i), to, "the host that clients call")
		}
	}
	rules, _ := find(d.Root, "spec.rules")
	for i, rule := range rules.Items() {
		backends, _ := rule.Child("backendRefs")
		for j := range backends.Items() {
			m.mapServiceRef(d, yamlpos.Index(yamlpos.Index("spec.rules", i)+".backendRefs", j))
		}
	}
}

// mapServiceRef maps a reference to a Service with its namespace and port.
func (m *mapper) mapServiceRef(d *Document, at string) {
	if !m.names.ours(scalar(d.Root, at+".namespace")) {
		return
	}
	service, ok := m.names.service(scalar(d.Root, at+".name"))
	m.setName(d, at+".name")
	m.setNamespace(d, at+".namespace")
	if ok {
		m.setServicePort(d, at+".port", service)
	}
}

// mapProfile maps the destinations of a ServiceProfile.
func (m *mapper) mapProfile(d *Document) {
	overrides, _ := find(d.Root, "spec.dstOverrides")
	for i, o := range overrides.Items() {
		authority := scalar(o.Value, "authority")
		dot := strings.HasPrefix(authority, ".")
		if to, ok := m.names.host(strings.TrimSuffix(authority, ".")); ok && !dot {
			m.set(d, yamlpos.Index("spec.dstOverrides", i)+".authority", to, "the Service in the lab")
		}
	}
}
