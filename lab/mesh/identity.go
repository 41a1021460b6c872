package mesh

import "net/netip"

// TrustDomain is the one of a default installation.
const TrustDomain = "cluster.local"

// IdentityDomain ends every identity of a default installation.
const IdentityDomain = "serviceaccount.identity.linkerd." + TrustDomain

// Identity is the mesh identity of a service account, as it stands in certificates and in the labels client_id and server_id
// (linkerd2, policy-controller/k8s/index/src/cluster_info.rs).
func Identity(serviceAccount, namespace string) string {
	return serviceAccount + "." + namespace + "." + IdentityDomain
}

// Client is who a request comes from, as the server's proxy sees it.
type Client struct {
	// Identity is the certificate's; "" for a client without one.
	Identity string
	// Addr is the address of the connection's other end.
	Addr netip.Addr
}
