package mesh

import "net/netip"

// TrustDomain is the trust domain of a default installation.
const TrustDomain = "cluster.local"

// IdentityDomain is the suffix of every identity of a default installation.
const IdentityDomain = "serviceaccount.identity.linkerd." + TrustDomain

// Identity returns the mesh identity of a service account, as used in certificates and in the
// labels client_id and server_id (linkerd2, policy-controller/k8s/index/src/cluster_info.rs).
func Identity(serviceAccount, namespace string) string {
	return serviceAccount + "." + namespace + "." + IdentityDomain
}

// Client is the source of a request, as seen by the server's proxy.
type Client struct {
	// Identity is that of the client's certificate, or "" without one.
	Identity string
	// Addr is the remote address of the connection.
	Addr netip.Addr
}
