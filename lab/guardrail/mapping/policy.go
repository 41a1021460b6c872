package mapping

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"coalmine/lab/input/yamlpos"
)

// appLabels are the labels by which selectors name a workload. The lab's pods have the first.
func appLabels() []string {
	return []string{"app", "app.kubernetes.io/name", "app.kubernetes.io/instance", "name", "k8s-app", "run"}
}

// mapServer maps the selector and the port of a Server.
func (m *mapper) mapServer(d *Document) {
	services := m.mapSelector(d)
	port := scalar(d.Root, "spec.port")
	for _, s := range services {
		if to := m.names.targetPorts[s][port]; to != "" {
			m.setPort(d, "spec.port", to)
			return
		}
	}
	if len(services) == 0 && m.selectsAll(d) {
		m.setPort(d, "spec.port", anyPort(m.names.targetPorts, port))
	}
}

func (m *mapper) selectsAll(d *Document) bool {
	f, ok := find(d.Root, "spec.podSelector")
	return ok && len(f.Value.Content) == 0 && len(m.names.targetPorts) > 0
}

// mapSelector maps the labels of a Server's podSelector and returns the services that they name.
func (m *mapper) mapSelector(d *Document) []string {
	services := m.mapExpressions(d)
	const path = "spec.podSelector.matchLabels"
	f, ok := find(d.Root, path)
	if !ok || f.Value.Kind != yaml.MappingNode {
		return services
	}
	var app, from string
	for _, key := range appLabels() {
		v, ok := f.Child(key)
		if !ok {
			continue
		}
		service, known := m.names.service(v.Value.Value)
		if !known {
			continue
		}
		to, _ := m.names.workload(v.Value.Value)
		from = strings.TrimSuffix(strings.TrimSuffix(v.Value.Value, "-primary"), "-canary")
		services = append(services, service)
		m.set(d, yamlpos.Join(path, key), to, "the name in the lab")
		switch {
		case key == "app" || app == "" && !m.hasLabel(f, "app"):
			app = key
		default:
			m.remove(d, path, key, "the lab's pods have the label app only")
			continue
		}
		m.renameKey(d, path, f, key)
	}
	if app != "" {
		m.dropPodLabels(d, path, f, from)
	}
	return services
}

func (m *mapper) hasLabel(f yamlpos.Field, key string) bool {
	_, ok := f.Child(key)
	return ok
}

// renameKey gives a label that names a workload the key that the lab's pods have.
func (m *mapper) renameKey(d *Document, path string, f yamlpos.Field, key string) {
	for i := 0; i+1 < len(f.Value.Content); i += 2 {
		if k := f.Value.Content[i]; k.Value == key && key != "app" {
			m.record(d, yamlpos.Join(path, key), k.Line, key, "app", "the label of the lab's pods")
			k.Value = "app"
		}
	}
}

// dropPodLabels removes labels that the pods of the workload have in the manifests, since those of
// the lab have them not.
func (m *mapper) dropPodLabels(d *Document, path string, f yamlpos.Field, workload string) {
	var drop []string
	for i := 0; i+1 < len(f.Value.Content); i += 2 {
		key, value := f.Value.Content[i].Value, f.Value.Content[i+1].Value
		if has, ok := m.podLabels[workload][key]; ok && has == value && key != "app" {
			drop = append(drop, key)
		}
	}
	for _, key := range drop {
		m.remove(d, path, key, "the pods of "+workload+" have it, those of the lab have not")
	}
}

func (m *mapper) mapExpressions(d *Document) []string {
	const path = "spec.podSelector.matchExpressions"
	var services []string
	list, _ := find(d.Root, path)
	for i, e := range list.Items() {
		at := yamlpos.Index(path, i)
		key := scalar(e.Value, "key")
		if !slices.Contains(appLabels(), key) {
			continue
		}
		values, _ := e.Child("values")
		for j, v := range values.Items() {
			service, ok := m.names.service(v.Value.Value)
			if !ok {
				continue
			}
			services = append(services, service)
			to, _ := m.names.workload(v.Value.Value)
			m.set(d, yamlpos.Index(at+".values", j), to, "the name in the lab")
			m.set(d, at+".key", "app", "the label of the lab's pods")
		}
	}
	return services
}

// mapTarget maps the target of a policy.
func (m *mapper) mapTarget(d *Document) {
	switch scalar(d.Root, "spec.targetRef.kind") {
	case "Namespace":
		m.setNamespace(d, "spec.targetRef.name")
	case "HTTPRoute":
		m.setName(d, "spec.targetRef.name")
	}
}

// mapAuthentications maps references to authentications and to ServiceAccounts.
func (m *mapper) mapAuthentications(d *Document, path string) {
	list, _ := find(d.Root, path)
	for i, ref := range list.Items() {
		at := yamlpos.Index(path, i)
		if kind := scalar(ref.Value, "kind"); kind != "ServiceAccount" {
			m.reference(d, at, kind, d.namespace)
			continue
		}
		m.mapAccount(d, at)
	}
}

// mapAccount maps a reference to a ServiceAccount.
func (m *mapper) mapAccount(d *Document, at string) {
	namespace := scalar(d.Root, at+".namespace")
	if !m.names.ours(namespace) || namespace == "" && !m.names.ours(d.namespace) {
		return
	}
	m.setName(d, at+".name")
	m.setNamespace(d, at+".namespace")
}

// mapIdentities maps the identities of a MeshTLSAuthentication.
func (m *mapper) mapIdentities(d *Document) {
	list, _ := find(d.Root, "spec.identities")
	for i, item := range list.Items() {
		if to, ok := m.names.identity(item.Value.Value); ok {
			m.set(d, yamlpos.Index("spec.identities", i), to, "the identity in the lab")
		}
	}
	refs, _ := find(d.Root, "spec.identityRefs")
	for i, ref := range refs.Items() {
		at := yamlpos.Index("spec.identityRefs", i)
		foreign := d.namespace != "" && !m.names.ours(d.namespace) && scalar(ref.Value, "namespace") == ""
		switch {
		case scalar(ref.Value, "kind") == "Namespace":
			m.setNamespace(d, at+".name")
		case foreign:
			// The object moves, the account does not.
			m.insert(d, at, "name", "namespace", stringNode(d.namespace), "the account stays in its namespace")
		default:
			m.mapAccount(d, at)
		}
	}
}
