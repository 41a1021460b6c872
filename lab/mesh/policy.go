package mesh

import (
	"net/netip"
	"slices"
	"time"
)

// Policies are the inbound policies of a cluster, as far as proxies enforce them.
type Policies struct {
	Servers        []Server
	Authorizations []AuthorizationPolicy
	MeshTLS        []MeshTLSAuthentication
	Networks       []NetworkAuthentication
	Routes         []InboundRoute
	RateLimits     []RateLimit
	// Default applies to pods without an annotation; "" means [AllUnauthenticated], Linkerd's
	// default.
	Default string
	// ClusterNetworks are admitted by the "cluster-" policies; nil means [DefaultClusterNetworks].
	ClusterNetworks []netip.Prefix
}

// Default inbound policies, the values of the annotation (linkerd2,
// policy-controller/k8s/index/src/defaults.rs).
const (
	AllUnauthenticated     = "all-unauthenticated"
	AllAuthenticated       = "all-authenticated"
	ClusterUnauthenticated = "cluster-unauthenticated"
	ClusterAuthenticated   = "cluster-authenticated"
	Deny                   = "deny"
	Audit                  = "audit"
)

// DefaultPolicyAnnotation on a pod sets its default policy. The proxy reads it when the pod is
// created.
const DefaultPolicyAnnotation = "config.linkerd.io/default-inbound-policy"

// DefaultClusterNetworks returns the private networks (linkerd2,
// charts/linkerd-control-plane/values.yaml, clusterNetworks).
func DefaultClusterNetworks() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("100.64.0.0/10"),
		netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("fd00::/8"),
	}
}

// Server selects a port of pods for authorization (policy.linkerd.io/v1beta3).
type Server struct {
	Name      string
	Namespace string
	// Created decides between Servers that select the same port: the oldest wins, then the first by
	// name.
	Created  time.Time
	Selector Selector
	// Port is a number, or 0 if PortName is the name of a container port.
	Port     int
	PortName string
	// Protocol is the value of proxyProtocol.
	Protocol string
	// AccessPolicy applies to clients without an authorization; "" means deny.
	AccessPolicy string
}

// Selector selects pods by labels. The zero value selects every pod.
type Selector struct {
	MatchLabels      map[string]string
	MatchExpressions []Requirement
}

// Requirement is one condition of a selector: In, NotIn, Exists or DoesNotExist.
type Requirement struct {
	Key      string
	Operator string
	Values   []string
}

// Matches reports whether the selector selects a pod with these labels.
func (s Selector) Matches(labels map[string]string) bool {
	for k, want := range s.MatchLabels {
		if got, ok := labels[k]; !ok || got != want {
			return false
		}
	}
	for _, r := range s.MatchExpressions {
		if !r.matches(labels) {
			return false
		}
	}
	return true
}

func (r Requirement) matches(labels map[string]string) bool {
	got, ok := labels[r.Key]
	switch r.Operator {
	case "In":
		return ok && slices.Contains(r.Values, got)
	case "NotIn":
		return !ok || !slices.Contains(r.Values, got)
	case "Exists":
		return ok
	case "DoesNotExist":
		return !ok
	}
	return false
}

// AuthorizationPolicy admits clients that pass all required authentications
// (policy.linkerd.io/v1alpha1).
type AuthorizationPolicy struct {
	Name      string
	Namespace string
	// TargetKind is Server, Namespace or HTTPRoute; TargetGroup tells the two kinds of HTTPRoutes
	// apart.
	TargetGroup string
	TargetKind  string
	TargetName  string
	// Required must all pass. An empty list admits every client.
	Required []AuthenticationRef
}

// AuthenticationRef refers to a MeshTLSAuthentication, a NetworkAuthentication or a ServiceAccount.
type AuthenticationRef struct {
	Kind string
	Name string
	// Namespace defaults to that of the policy.
	Namespace string
}

// MeshTLSAuthentication is a list of mesh identities, any of which passes.
type MeshTLSAuthentication struct {
	Name      string
	Namespace string
	// Identities are full identities, "*" for every authenticated client, or "*." and a suffix.
	Identities []string
	// Refs are ServiceAccounts, or Namespaces all of whose service accounts pass.
	Refs []IdentityRef
}

// IdentityRef refers to a ServiceAccount or a Namespace.
type IdentityRef struct {
	Kind string
	Name string
	// Namespace of a ServiceAccount defaults to that of the authentication.
	Namespace string
}

// NetworkAuthentication is a list of networks, any of which passes.
type NetworkAuthentication struct {
	Name      string
	Namespace string
	Networks  []Network
}

// Network is an address range with exceptions.
type Network struct {
	CIDR   netip.Prefix
	Except []netip.Prefix
}

func (n Network) contains(a netip.Addr) bool {
	return n.CIDR.Contains(a) && !slices.ContainsFunc(n.Except, func(p netip.Prefix) bool { return p.Contains(a) })
}
