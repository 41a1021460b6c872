package scenario

import (
	"slices"
	"strings"
)

func (v *validator) text(at fieldPath, s string) {
	if strings.TrimSpace(s) == "" {
		v.add(at, "is empty: write some text")
	}
}

// label checks for a DNS label (RFC 1123), because the name becomes that of a Kubernetes object.
func (v *validator) label(at fieldPath, s string) {
	if !IsLabel(s) {
		v.add(at, "%q is not a valid Kubernetes name: write at most 63 of a-z, 0-9 and -, starting with a letter", s)
	}
}

// IsLabel reports whether a name is a DNS label that starts with a letter.
func IsLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] < 'a' || s[0] > 'z' || s[len(s)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
}

func (v *validator) port(at fieldPath, n int) {
	if n < 1 || n > 65535 {
		v.add(at, "is %d: write a port from 1 to 65535", n)
	}
}

func (v *validator) replicas(at fieldPath, n int) {
	if n < 1 || n > maxReplicas {
		v.add(at, "is %d: write 1 to %d", n, maxReplicas)
	}
}

func (v *validator) knownAll(at fieldPath, what string, names, known []string) {
	for i, name := range names {
		v.known(at.child(i), what, name, known)
	}
}

func (v *validator) known(at fieldPath, what, name string, known []string) {
	if slices.Contains(known, name) {
		return
	}
	if len(known) == 0 {
		v.add(at, "there is no %s %q: none is defined", what, name)
		return
	}
	v.add(at, "there is no %s %q: write one of %s", what, name, strings.Join(known, ", "))
}

// calls checks that calls lead to known services and form no cycle.
func (v *validator) calls() {
	callees := map[string][]string{}
	for i, svc := range v.scenario.Services {
		for _, version := range keys(svc.Versions) {
			routes := svc.Versions[version].Behaviour.Routes
			for _, route := range keys(routes) {
				callee := routes[route].Calls
				if callee == "" {
					continue
				}
				at := fieldPath{"services", i, "versions", version, "behaviour", "routes", route, "calls"}
				v.known(at, "service", callee, v.serviceNames())
				callees[svc.Name] = append(callees[svc.Name], callee)
				if reaches(callees, callee, svc.Name) {
					v.add(at, "%s calls %s, which calls back: calls must not form a cycle", svc.Name, callee)
				}
			}
		}
	}
}

// reaches reports whether calls lead from one service to another.
func reaches(callees map[string][]string, from, to string) bool {
	seen := map[string]bool{from: true}
	for open := []string{from}; len(open) > 0; {
		next := open[0]
		open = open[1:]
		if next == to {
			return true
		}
		for _, callee := range callees[next] {
			if !seen[callee] {
				seen[callee] = true
				open = append(open, callee)
			}
		}
	}
	return false
}
