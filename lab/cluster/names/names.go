// Package names has the names of things in the kind cluster: namespaces, Services, ports, labels,
// files. Code outside and inside the cluster agrees on them here. It imports nothing.
package names

// Namespaces.
const (
	// LabNamespace has coalmine's own pods.
	LabNamespace = "coalmine"
	// MeshNamespace has the mesh's control plane.
	MeshNamespace = "linkerd"
	// VizNamespace has Prometheus.
	VizNamespace = "linkerd-viz"
	// FlaggerNamespace has Flagger.
	FlaggerNamespace = "flagger-system"
	// DevelopNamespace has the demo services, their clients and the learner's manifests.
	DevelopNamespace = "develop"
)

// Linkerd is the mesh that a cluster comes up with, as in [event.RunStarted.Mesh], unless its
// bundle has another.
const Linkerd = "linkerd"

// FieldManager is the field manager of what coalmine applies.
const FieldManager = "coalmine"

// LabelManagedBy, with the value [FieldManager], is on every object that coalmine creates.
const LabelManagedBy = "app.kubernetes.io/managed-by"

// DefaultCluster is the default name of the kind cluster; its kubeconfig context is kind-coalmine.
const DefaultCluster = "coalmine"

// ImageRegistry begins the names of coalmine's own images, which no registry serves: they are
// loaded into the nodes. See package image.
const ImageRegistry = "coalmine.dev"

// Commands of the lab's pods, and the flag of CommandTraffic for its client workload: see package
// podcmd.
const (
	CommandAgent   = "agent"
	CommandTraffic = "traffic"
	CommandApp     = "app"
	FlagClient     = "client"
)

// Services. Gates listen at http://gate.coalmine, as in the learner's webhooks.
const (
	// AgentService and AgentPort are the agent's API (facts, traffic, runs), in LabNamespace.
	AgentService = "agent"
	AgentPort    = 8080
	// GateService is port 80 of the same pod.
	GateService = "gate"
	// LoadTesterService is port 80 of Flagger's load tester, in LabNamespace, if a run deploys it.
	LoadTesterService = "flagger-loadtester"
	// PrometheusService and PrometheusPort are in VizNamespace.
	PrometheusService = "prometheus"
	PrometheusPort    = 9090
)

// Objects and files.
const (
	// TrustSecret in MeshNamespace has the trust anchor and the issuer, under the keys below.
	TrustSecret = "coalmine-trust"
	// TrustRoots (PEM certificates), IssuerCert and IssuerKey (PEM) are the keys of TrustSecret.
	// The anchor's private key is not stored.
	TrustRoots = "ca.crt"
	IssuerCert = "tls.crt"
	IssuerKey  = "tls.key"

	// StateConfigMap in LabNamespace records the installation: keys mesh, image, bundle, and one
	// for each finished step.
	StateConfigMap = "bring-up"

	// ScenarioConfigMap in DevelopNamespace has the scenario that the demo services and the traffic
	// pods play, under the keys scenario.yaml and, if it replays one, the access log. It is mounted
	// at ScenarioDir.
	ScenarioConfigMap = "coalmine-scenario"
	ScenarioDir       = "/etc/coalmine/scenario"
)

// DrillSuffix ends the names of HTTPRoutes of rollback drills. They exist for a moment and affect
// no user.
const DrillSuffix = "-coalmine-drill"

// Linkerd's names for a meshed pod (linkerd2, pkg/k8s/labels.go).
const (
	ProxyContainer = "linkerd-proxy"
	// AdminPort of the proxy serves /metrics, /ready and /live.
	AdminPort = 4191

	// InjectAnnotation is "enabled" or "disabled", on a namespace or a pod.
	InjectAnnotation  = "linkerd.io/inject"
	SkipInboundPorts  = "config.linkerd.io/skip-inbound-ports"
	SkipOutboundPorts = "config.linkerd.io/skip-outbound-ports"

	// WorkloadLabel is on every meshed pod; its value is the namespace of the control plane.
	WorkloadLabel        = "linkerd.io/control-plane-ns"
	ProxyDeploymentLabel = "linkerd.io/proxy-deployment"
)

// MetricsPort is where demo services export metrics for Prometheus, next to their users' port; the
// mesh does not intercept it.
const MetricsPort = 9102
