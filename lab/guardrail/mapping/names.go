package mapping

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Names maps the names of the manifests to those of the lab.
type Names struct {
	// workloads maps Deployments, Services and ServiceAccounts, namespaces their namespaces.
	workloads, namespaces map[string]string
	// servicePorts and targetPorts map ports of Services and of pods, by the lab's service.
	servicePorts, targetPorts map[string]map[string]string
	// shown maps the lab's names back, for messages.
	shown map[string]string
	// hosts are the host names of a Canary whose users come through a gateway, with the lab's host.
	hosts map[string]string
	lab   Lab
}

func newNames(lab Lab) *Names {
	return &Names{workloads: map[string]string{}, namespaces: map[string]string{}, hosts: map[string]string{},
		servicePorts: map[string]map[string]string{}, targetPorts: map[string]map[string]string{},
		shown: map[string]string{}, lab: lab}
}

// Changed reports whether any name differs.
func (n *Names) Changed() bool { return n != nil && len(n.shown) > 0 }

// addWorkload maps a name. The first name that maps to one of the lab's is shown in its place.
func (n *Names) addWorkload(from, to string) {
	n.workloads[from] = to
	if _, exists := n.shown[to]; !exists && from != to {
		n.shown[to] = from
	}
}

func (n *Names) addNamespace(from, to string) {
	n.namespaces[from] = to
	if _, exists := n.shown[to]; !exists && from != to && from != "" {
		n.shown[to] = from
	}
}

// suffixes are what Flagger adds to the names of Deployments and Services.
func suffixes() []string { return []string{"", "-primary", "-canary"} }

// workload returns the lab's name of a workload, or of its primary or canary.
func (n *Names) workload(name string) (string, bool) {
	for _, suffix := range suffixes() {
		base, ok := strings.CutSuffix(name, suffix)
		if !ok {
			continue
		}
		if to, ok := n.workloads[base]; ok {
			return to + suffix, true
		}
	}
	return name, false
}

// service returns the lab's service that a name stands for.
func (n *Names) service(name string) (string, bool) {
	for _, suffix := range suffixes() {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			if to, ok := n.workloads[base]; ok {
				return to, true
			}
		}
	}
	return "", false
}

// prefix maps a name that begins with that of a workload, such as that of a pod.
func (n *Names) prefix(name string) (string, bool) {
	if to, ok := n.workload(name); ok {
		return to, true
	}
	longest := ""
	for from := range n.workloads {
		if strings.HasPrefix(name, from+"-") && len(from) > len(longest) {
			longest = from
		}
	}
	if longest == "" {
		return name, false
	}
	return n.workloads[longest] + name[len(longest):], true
}

// namespace returns the lab's name of a namespace. Other namespaces keep their names.
func (n *Names) namespace(name string) string {
	if to, ok := n.namespaces[name]; ok {
		return to
	}
	return name
}

// ours reports whether a namespace is one of those that the lab's stands for.
func (n *Names) ours(name string) bool { return name == "" || n.namespaces[name] == n.lab.Namespace }

// host maps a host name of the cluster, with or without a port: SERVICE, SERVICE.NAMESPACE or a
// longer form.
func (n *Names) host(text string) (string, bool) {
	host, port, hasPort := strings.Cut(text, ":")
	labels := strings.Split(host, ".")
	service, ok := n.service(labels[0])
	if !ok || len(labels) > 2 && labels[2] != "svc" {
		return text, false
	}
	labels[0], _ = n.workload(labels[0])
	if len(labels) > 1 {
		if !n.ours(labels[1]) && !isMark(labels[1]) {
			return text, false
		}
		labels[1] = n.namespace(labels[1])
	}
	to := strings.Join(labels, ".")
	if hasPort {
		to += ":" + n.port(service, port)
	}
	return to, true
}

// port maps a port of a Service, or one of its pods.
func (n *Names) port(service, port string) string {
	return cmp.Or(n.servicePorts[service][port], n.targetPorts[service][port], port)
}

// anyPort maps a port that one of the services has.
func anyPort(ports map[string]map[string]string, port string) string {
	for _, service := range slices.Sorted(maps.Keys(ports)) {
		if to := ports[service][port]; to != "" {
			return to
		}
	}
	return port
}

// identity maps the name in a mesh certificate:
// ACCOUNT.NAMESPACE.serviceaccount.identity.TRUST-DOMAIN.
func (n *Names) identity(text string) (string, bool) {
	labels := strings.SplitN(text, ".", 4)
	if len(labels) < 4 || labels[2] != "serviceaccount" || !n.ours(labels[1]) && !isMark(labels[1]) {
		return text, false
	}
	if to, ok := n.workload(labels[0]); ok {
		labels[0] = to
	}
	labels[1] = n.namespace(labels[1])
	to := strings.Join(labels, ".")
	return to, to != text
}

// Show puts the names of the manifests in the place of the lab's in a message.
func (n *Names) Show(text string) string {
	if n == nil || len(n.shown) == 0 {
		return text
	}
	var b strings.Builder
	before := ""
	for text != "" {
		end := strings.IndexFunc(text, isNameRune)
		if end != 0 {
			if end < 0 {
				end = len(text)
			}
			if strings.Trim(text[:end], " ") != "" {
				before = ""
			}
			b.WriteString(text[:end])
			text = text[end:]
			continue
		}
		end = strings.IndexFunc(text, func(r rune) bool { return !isNameRune(r) })
		if end < 0 {
			end = len(text)
		}
		word := text[:end]
		b.WriteString(n.showWord(before, word))
		before, text = word, text[end:]
	}
	return b.String()
}

func isNameRune(r rune) bool {
	return r == '-' || r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// showWord returns the name in the manifests that a word of a message stands for. A word after an
// article is no name: the backend of a route.
func (n *Names) showWord(before, word string) string {
	noun := slices.Contains([]string{"the", "a", "an", "only", "one", "each", "every", "no", "other"}, before)
	for _, suffix := range suffixes() {
		if base, ok := strings.CutSuffix(word, suffix); ok && (suffix != "" || !noun || base == n.lab.Namespace) {
			if from, ok := n.shown[base]; ok {
				return from + suffix
			}
		}
	}
	return word
}

func number(text string) bool {
	_, err := strconv.Atoi(text)
	return err == nil
}
