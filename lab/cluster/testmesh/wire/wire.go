// Package wire is what the stand-in's control plane tells its proxies, and how they ask. It has types and paths only.
//
// Everything goes over https with the control plane's certificate, which the trust anchor signed. Proxies show the token of their
// service account (audience place.TokenAudience) as "Authorization: Bearer …".
package wire

import (
	"net/netip"

	"coalmine/lab/mesh"
)

// Paths of the control plane.
const (
	// PathIdentity takes POST of a [CertifyRequest] and answers a [CertifyResponse].
	PathIdentity = "/v1/identity"
	// PathConfig answers GET with a [Snapshot]. With ?after=GENERATION it waits for a newer one, for up to 30 s, and answers 204 when
	// there is none.
	PathConfig = "/v1/config"
	// PathInject takes the API server's AdmissionReviews.
	PathInject = "/v1/inject"
)

// CertifyRequest asks for a workload certificate.
type CertifyRequest struct {
	// CSR is PEM, its key ECDSA P-256. Its only DNS name is the identity (mesh.Identity), which must be the token's.
	CSR string `json:"csr"`
}

// CertifyResponse is a leaf certificate for 24 hours, to be renewed at 70 % of that.
type CertifyResponse struct {
	// Chain is PEM: the leaf, then the issuer.
	Chain string `json:"chain"`
}

// Snapshot is everything that proxies need to know of the cluster: small, so all proxies get all of it.
type Snapshot struct {
	// Generation rises with each change. It begins anew, at a number higher than before, when the control plane does.
	Generation uint64        `json:"generation"`
	Services   []Service     `json:"services"`
	Pods       []Pod         `json:"pods"`
	Routes     []mesh.Route  `json:"routes"`
	Policies   mesh.Policies `json:"policies"`
}

// Service is a Kubernetes Service with a cluster IP.
type Service struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	ClusterIP netip.Addr        `json:"clusterIP"`
	Selector  map[string]string `json:"selector"`
	Ports     []Port            `json:"ports"`
}

// Port is a Service's port. Target is a number, or TargetName the name of a container port.
type Port struct {
	Port       int    `json:"port"`
	Target     int    `json:"target,omitempty"`
	TargetName string `json:"targetName,omitempty"`
}

// Pod is a running pod.
type Pod struct {
	Name           string            `json:"name"`
	Namespace      string            `json:"namespace"`
	IP             netip.Addr        `json:"ip"`
	ServiceAccount string            `json:"serviceAccount"`
	Deployment     string            `json:"deployment,omitempty"`
	Labels         map[string]string `json:"labels"`
	Ports          map[string]int    `json:"ports,omitempty"` // of its containers, by name
	// DefaultPolicy is the annotation, "" for none; ProbePaths by port are those of the HTTP probes.
	DefaultPolicy string           `json:"defaultPolicy,omitempty"`
	ProbePaths    map[int][]string `json:"probePaths,omitempty"`
	// SkipInbound is the annotation of place.SkipInboundPorts as it stands: ports that the pod's proxy leaves alone, to which nobody
	// speaks mTLS.
	SkipInbound string `json:"skipInbound,omitempty"`
	// Ready pods take requests; Meshed ones have a proxy and so an identity.
	Ready  bool `json:"ready"`
	Meshed bool `json:"meshed"`
}
