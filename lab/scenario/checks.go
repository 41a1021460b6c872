package scenario

import (
	"slices"
	"strings"
)

func (c *validator) text(at fieldPath, s string) {
	if strings.TrimSpace(s) == "" {
		c.add(at, "is empty: write some text")
	}
}

// label checks for a DNS label (RFC 1123), because the name becomes that of a Kubernetes object.
func (c *validator) label(at fieldPath, s string) {
	if !IsLabel(s) {
		c.add(at, "%q is not a valid Kubernetes name: write at most 63 of a-z, 0-9 and -, starting with a letter", s)
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

func (c *validator) port(at fieldPath, n int) {
	if n < 1 || n > 65535 {
		c.add(at, "is %d: write a port from 1 to 65535", n)
	}
}

func (c *validator) replicas(at fieldPath, n int) {
	if n < 1 || n > maxReplicas {
		c.add(at, "is %d: write 1 to %d", n, maxReplicas)
	}
}

func (c *validator) knownAll(at fieldPath, what string, names, known []string) {
	for i, name := range names {
		c.known(at.child(i), what, name, known)
	}
}

func (c *validator) known(at fieldPath, what, name string, known []string) {
	if slices.Contains(known, name) {
		return
	}
	if len(known) == 0 {
		c.add(at, "there is no %s %q: none is defined", what, name)
		return
	}
	c.add(at, "there is no %s %q: write one of %s", what, name, strings.Join(known, ", "))
}

// calls checks that calls lead to known services and form no cycle.
func (c *validator) calls() {
	callees := map[string][]string{}
	for i, svc := range c.scenario.Services {
		for _, version := range keys(svc.Versions) {
			routes := svc.Versions[version].Behaviour.Routes
			for _, route := range keys(routes) {
				callee := routes[route].Calls
				if callee == "" {
					continue
				}
				at := fieldPath{"services", i, "versions", version, "behaviour", "routes", route, "calls"}
				c.known(at, "service", callee, c.serviceNames())
				callees[svc.Name] = append(callees[svc.Name], callee)
				if reaches(callees, callee, svc.Name) {
					c.add(at, "%s calls %s, which calls back: calls must not form a cycle", svc.Name, callee)
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
