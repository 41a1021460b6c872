package wire

// Names and numbers that the control plane, the proxies and the manifests agree on. Ports are
// Linkerd's, so that the same policies and scrape jobs apply.
const (
	// InitContainer redirects the connections of a pod to its proxy.
	InitContainer = "linkerd-init"
	// ProxyUser is the user ID of the proxy, whose own connections are not redirected.
	ProxyUser    = 2102
	OutboundPort = 4140
	InboundPort  = 4143

	// ControlService and ControlPort are where the control plane serves this package's paths
	// over HTTPS, in names.MeshNamespace.
	ControlService = "testmesh-control"
	ControlPort    = 8443

	// TokenAudience is the audience of the service account tokens that proxies send.
	TokenAudience = "coalmine.dev/identity"
	TokenFile     = "/var/run/secrets/coalmine.dev/identity/token"

	// TrustRootsConfigMap holds the trust anchors under names.TrustRoots in every meshed
	// namespace. The control plane keeps it up to date; pods mount it as TrustRootsFile.
	TrustRootsConfigMap = "coalmine-trust-roots"
	TrustRootsFile      = "/var/run/coalmine/trust/ca.crt"
)

// Commands of the mesh's containers.
const (
	CommandInit  = "init"
	CommandProxy = "proxy"
)

// Environment variables of the mesh's containers. The injector sets them, but EnvImage, which the
// manifest of the control plane sets.
const (
	EnvSkipInbound    = "TESTMESH_SKIP_INBOUND"
	EnvSkipOutbound   = "TESTMESH_SKIP_OUTBOUND"
	EnvPodName        = "TESTMESH_POD_NAME"
	EnvPodNamespace   = "TESTMESH_POD_NAMESPACE"
	EnvPodIP          = "TESTMESH_POD_IP"
	EnvServiceAccount = "TESTMESH_SERVICE_ACCOUNT"
	EnvControl        = "TESTMESH_CONTROL"
	EnvImage          = "TESTMESH_IMAGE"
)
