package guardrail

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The Linkerd policy types, with the fields that Linkerd's public CRDs have.
// Source: github.com/linkerd/linkerd2, charts/linkerd-crds/templates/policy/*.yaml.

// Names of the Linkerd policy API.
const (
	LinkerdGroup = "policy.linkerd.io"
	// ServerVersion is the version to which every Server is converted.
	ServerVersion = LinkerdGroup + "/v1beta3"
	// AuthorizationVersion is the version of the other policy kinds.
	AuthorizationVersion = LinkerdGroup + "/v1alpha1"
	// ProfileVersion is the version of ServiceProfiles.
	ProfileVersion = "linkerd.io/v1alpha2"
	// RouteVersion is the version to which every HTTPRoute of the Gateway API is converted, that in
	// which Flagger writes its own.
	RouteVersion = "gateway.networking.k8s.io/v1beta1"
)

// Server selects a port of pods, so that policies can apply to it.
type Server struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              ServerSpec `json:"spec"`
}

// ServerSpec is the spec of a Server.
type ServerSpec struct {
	// PodSelector selects pods in the same namespace. An empty selector selects all.
	PodSelector *metav1.LabelSelector `json:"podSelector,omitempty"`
	// ExternalWorkloadSelector selects workloads outside the cluster in place of pods.
	ExternalWorkloadSelector *metav1.LabelSelector `json:"externalWorkloadSelector,omitempty"`
	// Port is the number of a container port, or its name.
	Port intstr.IntOrString `json:"port"`
	// ProxyProtocol is the protocol that the proxy expects: unknown (it detects the protocol),
	// HTTP/1, HTTP/2, gRPC, opaque or TLS.
	ProxyProtocol string `json:"proxyProtocol,omitempty"`
	// AccessPolicy applies to traffic that no policy matches. Parse sets the CRD's default, deny.
	AccessPolicy string `json:"accessPolicy,omitempty"`
}

// AuthorizationPolicy says which clients may call its target.
type AuthorizationPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              AuthorizationPolicySpec `json:"spec"`
}

// AuthorizationPolicySpec is the spec of an AuthorizationPolicy.
type AuthorizationPolicySpec struct {
	TargetRef PolicyTargetRef `json:"targetRef"`
	// RequiredAuthenticationRefs must all be satisfied. An empty list requires nothing.
	RequiredAuthenticationRefs []AuthenticationRef `json:"requiredAuthenticationRefs"`
}

// PolicyTargetRef names a Server, an HTTPRoute or the Namespace.
type PolicyTargetRef struct {
	Group string `json:"group,omitempty"`
	Kind  string `json:"kind"`
	Name  string `json:"name"`
}

// AuthenticationRef names a MeshTLSAuthentication, a NetworkAuthentication or a ServiceAccount.
type AuthenticationRef struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Name      string `json:"name,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// MeshTLSAuthentication is a set of mesh identities.
type MeshTLSAuthentication struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              MeshTLSAuthenticationSpec `json:"spec"`
}

// MeshTLSAuthenticationSpec has either identities or references to them.
type MeshTLSAuthenticationSpec struct {
	// Identities are names as in certificates: "*" matches all, "*.suffix" those of a domain.
	Identities []string `json:"identities,omitempty"`
	// IdentityRefs name ServiceAccounts, or a Namespace for all of its ServiceAccounts.
	IdentityRefs []AuthenticationRef `json:"identityRefs,omitempty"`
}

// NetworkAuthentication is a set of client networks.
type NetworkAuthentication struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              NetworkAuthenticationSpec `json:"spec"`
}

// NetworkAuthenticationSpec is the spec of a NetworkAuthentication.
type NetworkAuthenticationSpec struct {
	Networks []Network `json:"networks"`
}

// Network is a CIDR without those in Except, which are CIDRs or addresses.
type Network struct {
	CIDR   string   `json:"cidr"`
	Except []string `json:"except,omitempty"`
}

// DeepCopyObject implements runtime.Object.
func (s *Server) DeepCopyObject() runtime.Object {
	c := *s
	c.ObjectMeta = *s.ObjectMeta.DeepCopy()
	c.Spec.PodSelector = s.Spec.PodSelector.DeepCopy()
	c.Spec.ExternalWorkloadSelector = s.Spec.ExternalWorkloadSelector.DeepCopy()
	return &c
}

// DeepCopyObject implements runtime.Object.
func (p *AuthorizationPolicy) DeepCopyObject() runtime.Object {
	c := *p
	c.ObjectMeta = *p.ObjectMeta.DeepCopy()
	c.Spec.RequiredAuthenticationRefs = append([]AuthenticationRef(nil), p.Spec.RequiredAuthenticationRefs...)
	return &c
}

// DeepCopyObject implements runtime.Object.
func (a *MeshTLSAuthentication) DeepCopyObject() runtime.Object {
	c := *a
	c.ObjectMeta = *a.ObjectMeta.DeepCopy()
	c.Spec.Identities = append([]string(nil), a.Spec.Identities...)
	c.Spec.IdentityRefs = append([]AuthenticationRef(nil), a.Spec.IdentityRefs...)
	return &c
}

// DeepCopyObject implements runtime.Object.
func (a *NetworkAuthentication) DeepCopyObject() runtime.Object {
	c := *a
	c.ObjectMeta = *a.ObjectMeta.DeepCopy()
	c.Spec.Networks = append([]Network(nil), a.Spec.Networks...)
	for i, n := range a.Spec.Networks {
		c.Spec.Networks[i].Except = append([]string(nil), n.Except...)
	}
	return &c
}
