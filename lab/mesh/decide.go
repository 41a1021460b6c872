package mesh

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// Workload is the part of a pod that policies look at.
type Workload struct {
	Namespace string
	Labels    map[string]string
	// DefaultPolicy is the value of the pod's annotation, or "".
	DefaultPolicy string
	// PortNames maps the names of container ports to their numbers.
	PortNames map[string]int
	// ProbePaths maps ports to the paths of the pod's HTTP probes, open to unauthorized GET
	// requests.
	ProbePaths map[int][]string
}

// Ref identifies a resource in metric labels.
type Ref struct{ Group, Kind, Name string }

const policyGroup = "policy.linkerd.io"

// DefaultRef refers to a default policy.
func DefaultRef(name string) Ref { return Ref{Kind: "default", Name: name} }

// ServerRef refers to a Server.
func ServerRef(name string) Ref { return Ref{policyGroup, "server", name} }

// RouteRef refers to an HTTPRoute of an API group.
func RouteRef(group, name string) Ref { return Ref{group, "HTTPRoute", name} }

// RateLimitRef refers to an HTTPLocalRateLimitPolicy.
func RateLimitRef(name string) Ref { return Ref{policyGroup, "HTTPLocalRateLimitPolicy", name} }

// Verdict is a proxy's decision about a client and a port of its pod.
type Verdict struct {
	Allowed bool
	// Status is that of the answer to a client that is turned away: 403, or 404 if no route
	// matches.
	Status int
	// Server, Route and Authz are the values of the labels srv_*, route_* and authz_*. Authz is
	// empty if the client is denied.
	Server, Route, Authz Ref
	// Port is the requested port, the value of the label srv_port.
	Port int
	// Reason explains to people why the client is denied.
	Reason string
}

func (v *Verdict) allow(authz Ref) { v.Allowed, v.Status, v.Authz, v.Reason = true, 0, authz, "" }

// Decide returns the decision about a client whose request has no particular path; see
// [Policies.ForPort].
func (p *Policies) Decide(w Workload, port int, c Client) Verdict {
	return p.ForPort(w, port).Decide(c, &Request{})
}

// Probe returns the decision about an HTTP request to a path of the pod.
func (p *Policies) Probe(w Workload, port int, c Client, method, path string) Verdict {
	return p.ForPort(w, port).Decide(c, &Request{Method: method, Path: path})
}

// server returns the Server that selects a port of the pod, or nil.
func (p *Policies) server(w Workload, port int) *Server {
	var best *Server
	for i := range p.Servers {
		s := &p.Servers[i]
		if s.Namespace != w.Namespace || !s.Selector.Matches(w.Labels) || !s.selects(w, port) {
			continue
		}
		if best == nil || cmp.Or(s.Created.Compare(best.Created), strings.Compare(s.Name, best.Name)) < 0 {
			best = s
		}
	}
	return best
}

func (s *Server) selects(w Workload, port int) bool {
	if s.PortName != "" {
		named, ok := w.PortNames[s.PortName]
		return ok && named == port
	}
	return s.Port == port
}

// authorizations returns the policies that target a Server, sorted by name.
func (p *Policies) authorizations(s *Server) []*AuthorizationPolicy {
	var found []*AuthorizationPolicy
	for i := range p.Authorizations {
		a := &p.Authorizations[i]
		toServer := a.TargetKind == "Server" && a.TargetName == s.Name
		if a.Namespace == s.Namespace && (toServer || a.TargetKind == "Namespace") {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b *AuthorizationPolicy) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// applyDefault applies a default or access policy.
func (p *Policies) applyDefault(v Verdict, policy string, c Client, reason string) Verdict {
	inside := slices.ContainsFunc(p.clusterNetworks(), func(n netip.Prefix) bool { return n.Contains(c.Addr) })
	switch policy {
	case AllUnauthenticated, Audit:
		v.Allowed = true
	case AllAuthenticated:
		v.Allowed = c.Identity != ""
	case ClusterUnauthenticated:
		v.Allowed = inside
	case ClusterAuthenticated:
		v.Allowed = inside && c.Identity != ""
	}
	if v.Allowed {
		v.allow(DefaultRef(policy))
	} else {
		v.Reason = reason
	}
	return v
}

func (p *Policies) clusterNetworks() []netip.Prefix {
	if p.ClusterNetworks != nil {
		return p.ClusterNetworks
	}
	return DefaultClusterNetworks()
}

// admits reports whether a client passes all authentications required by a policy. Linkerd ignores
// a policy with a dangling reference, or with two authentications of one kind; then it admits
// nothing.
func (p *Policies) admits(a *AuthorizationPolicy, c Client) bool {
	var identities, networks int
	ok := true
	for _, r := range a.Required {
		namespace := cmp.Or(r.Namespace, a.Namespace)
		switch r.Kind {
		case "MeshTLSAuthentication":
			m := find(p.MeshTLS, func(m *MeshTLSAuthentication) bool {
				return m.Namespace == namespace && m.Name == r.Name
			})
			if m == nil {
				return false
			}
			identities++
			ok = m.admits(c.Identity) && ok
		case "ServiceAccount":
			identities++
			ok = c.Identity == Identity(r.Name, namespace) && ok
		case "NetworkAuthentication":
			n := find(p.Networks, func(n *NetworkAuthentication) bool {
				return n.Namespace == namespace && n.Name == r.Name
			})
			if n == nil {
				return false
			}
			networks++
			ok = slices.ContainsFunc(n.Networks, func(n Network) bool { return n.contains(c.Addr) }) && ok
		default:
			return false
		}
	}
	return ok && identities <= 1 && networks <= 1
}

func find[T any](list []T, match func(*T) bool) *T {
	for i := range list {
		if match(&list[i]) {
			return &list[i]
		}
	}
	return nil
}

func (m *MeshTLSAuthentication) admits(identity string) bool {
	if identity == "" {
		return false
	}
	if slices.ContainsFunc(m.Identities, func(pattern string) bool { return matchIdentity(pattern, identity) }) {
		return true
	}
	return slices.ContainsFunc(m.Refs, func(r IdentityRef) bool {
		switch r.Kind {
		case "ServiceAccount":
			return identity == Identity(r.Name, cmp.Or(r.Namespace, m.Namespace))
		case "Namespace":
			return matchIdentity("*."+r.Name+"."+IdentityDomain, identity)
		}
		return false
	})
}

// matchIdentity compares an identity with "*", a suffix "*.…" or a full identity (linkerd2,
// policy-controller/core/src/identity_match.rs; linkerd2-proxy,
// linkerd/proxy/server-policy/src/authz.rs).
func matchIdentity(pattern, identity string) bool {
	if pattern == "*" {
		return true
	}
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok && strings.HasPrefix(suffix, ".") {
		return strings.HasSuffix(identity, suffix)
	}
	return pattern == identity
}
