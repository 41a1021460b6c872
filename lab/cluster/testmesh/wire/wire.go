// Package wire is the API of the test mesh's control plane for its proxies, as types, paths and
// names.
//
// All requests use HTTPS, with the control plane's certificate, which the trust anchor signed.
// Proxies send the token of their service account (audience [TokenAudience]) as "Authorization:
// Bearer …".
package wire

import (
	"net/netip"

	"coalmine/lab/mesh"
)

// Paths of the control plane.
const (
	// PathIdentity accepts POST of a [CertifyRequest] and answers a [CertifyResponse].
	PathIdentity = "/v1/identity"
	// PathConfig answers GET with a [Snapshot]. With ?after=GENERATION it waits up to 30 s for
	// another one, and answers 204 if there is none.
	PathConfig = "/v1/config"
	// PathInject accepts the API server's AdmissionReviews.
	PathInject = "/v1/inject"
)

// CertifyRequest requests a workload certificate.
type CertifyRequest struct {
	// CSR is PEM, its key ECDSA P-256. Its only DNS name is the identity (mesh.Identity), which
	// must be the token's.
	CSR string `json:"csr"`
}

// CertifyResponse is a leaf certificate for 24 hours, to be renewed at 70 % of that.
type CertifyResponse struct {
	// Chain is PEM: the leaf, then the issuer.
	Chain string `json:"chain"`
}

// Snapshot is everything that proxies need to know of the cluster. It is small, so all proxies get
// all of it.
type Snapshot struct {
	// Generation rises with each change. After a restart of the control plane it starts at a higher
	// number than before.
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

// Port is a port of a Service. Target is a number, TargetName the name of a container port; one of
// them is set.
type Port struct {
	Port       int    `json:"port"`
	Target     int    `json:"target,omitempty"`
	TargetName string `json:"targetName,omitempty"`
	// Policy is what the Service says to its clients' proxies.
	Policy mesh.ServicePolicy `json:"policy"`
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
	// DefaultPolicy is the annotation, "" for none. ProbePaths are those of the HTTP probes, by
	// port.
	DefaultPolicy string           `json:"defaultPolicy,omitempty"`
	ProbePaths    map[int][]string `json:"probePaths,omitempty"`
	// SkipInbound is the value of the annotation names.SkipInboundPorts: ports that bypass the
	// pod's proxy, and so do not use mTLS.
	SkipInbound string `json:"skipInbound,omitempty"`
	// Ready pods accept requests. Meshed pods have a proxy and an identity.
	Ready  bool `json:"ready"`
	Meshed bool `json:"meshed"`
}
