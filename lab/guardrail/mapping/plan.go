package mapping

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// plan decides which Canaries are played, and as which services. It returns false if that cannot be
// decided.
func (m *mapper) plan() bool {
	ok := m.applyRules()
	m.applyIdentity()
	ok = ok && m.infer()
	if !ok {
		return false
	}
	m.setAside()
	for _, a := range m.apps {
		if a.to != "" {
			m.nameApp(a)
		}
	}
	m.nameNamespaces()
	return true
}

// applyRules maps what the rules name.
func (m *mapper) applyRules() bool {
	ok := true
	for _, r := range m.rules {
		if !slices.Contains(m.lab.Services, r.To) && !slices.Contains(m.lab.Clients, r.To) {
			hint := "the services are " + strings.Join(m.lab.Services, ", ")
			if len(m.lab.Clients) > 0 {
				hint += "; the clients are " + strings.Join(m.lab.Clients, ", ")
			}
			m.fail(nil, "", fmt.Sprintf("%s: the scenario has no service %s", r, r.To), hint)
			ok = false
			continue
		}
		found := m.appsOf(r)
		if len(found) > 1 {
			m.fail(nil, "", fmt.Sprintf("%s: there are several Canaries for it: %s", r, listApps(found)),
				"write NAMESPACE/NAME="+r.To)
			ok = false
		}
		if len(found) == 0 {
			m.names.addWorkload(r.Name, r.To) // a client, or a service without a Canary
			continue
		}
		found[0].to, found[0].explicit = r.To, true
	}
	for i, a := range m.apps {
		for _, b := range m.apps[:i] {
			if a.to != "" && a.to == b.to && a.key() != b.key() {
				m.fail(a.doc, "spec.targetRef.name", fmt.Sprintf("%s and %s are both mapped to %s", a.target, b.target,
					a.to), "keep one of the mappings")
				ok = false
			}
		}
	}
	return ok
}

// key identifies the workload that a Canary releases.
func (a *app) key() [2]string { return [2]string{a.namespace, a.target} }

// appsOf returns the apps that a rule names, one for each workload.
func (m *mapper) appsOf(r Rule) []*app {
	var found []*app
	for _, a := range m.apps {
		if r.Namespace != "" && r.Namespace != a.namespace {
			continue
		}
		if !slices.Contains([]string{a.target, a.service, a.canary}, r.Name) {
			continue
		}
		if !slices.ContainsFunc(found, func(b *app) bool { return b.key() == a.key() }) {
			found = append(found, a)
		}
	}
	return found
}

func listApps(apps []*app) string {
	names := make([]string, len(apps))
	for i, a := range apps {
		names[i] = a.String()
	}
	return strings.Join(names, ", ")
}

// String names the app as a rule does.
func (a *app) String() string {
	if a.implicit {
		return a.target
	}
	return Rule{Namespace: a.namespace, Name: a.target}.from()
}

// applyIdentity keeps the names of Canaries whose targets are services of the lab. Without a
// release every Canary keeps its name, unless it is in the lab's namespace and misspelt.
func (m *mapper) applyIdentity() {
	for _, a := range m.apps {
		if a.to != "" {
			continue
		}
		own := slices.Contains(m.lab.Services, a.target)
		if (own || m.lab.Release == "" && !m.native(a)) && !m.isTaken(a) {
			a.to = a.target
		}
	}
}

// isTaken reports whether another app stands for the lab's service of the app's name.
func (m *mapper) isTaken(a *app) bool {
	return slices.ContainsFunc(m.apps, func(b *app) bool { return b.to == a.target && b.key() != a.key() })
}

// native reports whether an app is written for the lab: it is in the lab's namespace.
func (m *mapper) native(a *app) bool { return a.namespace == m.lab.Namespace && !a.implicit }

// infer maps the only Canary that can be the released one.
func (m *mapper) infer() bool {
	if m.lab.Release == "" || slices.ContainsFunc(m.apps, func(a *app) bool { return a.to == m.lab.Release }) {
		return true
	}
	var free []*app
	for _, a := range m.apps {
		foreign := a.namespace != m.lab.Namespace
		if !a.explicit && !m.native(a) && (a.to == "" || foreign) {
			if !slices.ContainsFunc(free, func(b *app) bool { return b.key() == a.key() }) {
				free = append(free, a)
			}
		}
	}
	switch len(free) {
	case 0:
		return true // without a Canary for the release: reported later
	case 1:
		for _, a := range m.apps {
			if a.key() == free[0].key() {
				a.to = m.lab.Release
			}
		}
		return true
	}
	m.fail(nil, "", fmt.Sprintf("there are %d Canaries, and the scenario releases %s: %s", len(free), m.lab.Release,
		listApps(free)), fmt.Sprintf("choose one with --map %s=%s, or in %s", free[0], m.lab.Release, FileName))
	return false
}

// setAside takes the Canaries out that stand for no service.
func (m *mapper) setAside() {
	var others []string
	for _, a := range m.apps {
		for _, b := range m.apps {
			if a.to == "" && b.to != "" && a.key() == b.key() {
				a.to = b.to // a second Canary for the same target: reported later
			}
		}
		if a.to != "" || m.native(a) {
			continue // the target of a native one is misspelt: reported later
		}
		a.doc.Aside = "its Canary stands for no service of the scenario"
		if slices.Contains(m.lab.Services, a.target) {
			m.names.addWorkload(a.target, a.target+unmapped)
		}
		others = append(others, a.String())
	}
	if len(others) > 0 {
		m.note(nil, "", fmt.Sprintf("not played, because the scenario has no service for them: Canaries %s",
			strings.Join(others, ", ")), "map one with --map NAME=SERVICE")
	}
}

// nameApp records the names and ports of an app that is played.
func (m *mapper) nameApp(a *app) {
	m.result.Targets = append(m.result.Targets, a.to)
	m.names.addWorkload(a.target, a.to)
	if !m.remaps(a) {
		return
	}
	m.names.addWorkload(a.service, a.to)
	if to, ok := m.lab.Ports[a.to]; ok && a.port != "" {
		m.names.servicePorts[a.to] = map[string]string{a.port: strconv.Itoa(to)}
	}
	for _, d := range m.docs {
		if d.kind == "Deployment" && d.name == a.target {
			m.result.Used = append(m.result.Used, d)
		}
	}
	to, ok := m.lab.TargetPorts[a.to]
	if !ok || a.targetPort == "" {
		return
	}
	targets := map[string]string{a.targetPort: strconv.Itoa(to)}
	for name, number := range m.ports[a.target] {
		if name != "" && (name == a.targetPort || number == a.targetPort) {
			targets[name], targets[number] = strconv.Itoa(to), strconv.Itoa(to)
		}
	}
	if a.portName != "" {
		targets[a.portName] = strconv.Itoa(to)
	}
	m.names.targetPorts[a.to] = targets
}

// remaps reports whether the app's Service and ports are its own. Those of a Canary that is written
// for the lab must be right.
func (m *mapper) remaps(a *app) bool {
	return a.to != "" && (a.explicit || a.to != a.target || a.namespace != m.lab.Namespace)
}

// nameNamespaces maps the namespaces of the apps that are played to the lab's. Without an app, all
// namespaces are.
func (m *mapper) nameNamespaces() {
	played := false
	for _, a := range m.apps {
		if a.to != "" {
			played = true
			m.names.addNamespace(a.namespace, m.lab.Namespace)
		}
	}
	unnamed := !slices.ContainsFunc(m.apps, func(a *app) bool { return a.to != "" && !a.implicit })
	for _, d := range m.docs {
		if d.namespace == "" || d.Aside != "" {
			continue
		}
		_, known := m.names.namespaces[d.namespace]
		if !known && (!played || m.lab.Release == "" || unnamed && isPolicy(d)) {
			m.names.addNamespace(d.namespace, m.lab.Namespace)
		}
	}
	if m.names.ours(m.lab.Namespace) || len(m.names.namespaces) == 0 {
		m.names.namespaces[m.lab.Namespace] = m.lab.Namespace
		return
	}
	// Another namespace of the lab's name.
	m.names.addNamespace(m.lab.Namespace, m.lab.Namespace+unmapped)
}

// unmapped ends the name of what is called like something in the lab and is not that.
const unmapped = "-unmapped"

// isPolicy reports whether the object belongs to a workload's namespace.
func isPolicy(d *Document) bool {
	switch d.kind {
	case "Server", "AuthorizationPolicy", "HTTPLocalRateLimitPolicy", "HTTPRoute", "HorizontalPodAutoscaler":
		return true
	}
	return false
}
