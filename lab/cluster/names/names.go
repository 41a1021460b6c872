// Package names has the names of things in the kind cluster: namespaces, Services, ports, labels, files. What runs outside of the
// cluster and what runs inside agree on them here. It is a leaf and knows nobody.
package names

// Namespaces.
const (
	// LabNamespace has what coalmine itself runs: the desk, the traffic of unmeshed clients goes from [Develop] as all traffic does.
	LabNamespace = "coalmine"
	// MeshNamespace has the mesh's control plane.
	MeshNamespace = "linkerd"
	// VizNamespace has the Prometheus.
	VizNamespace = "linkerd-viz"
	// FlaggerNamespace is Flagger's.
	FlaggerNamespace = "flagger-system"
	// DevelopNamespace is the one of the demo services and of the learner's manifests.
	DevelopNamespace = "develop"
)

// Linkerd is the mesh that a cluster comes up with, as in [event.RunStarted.Mesh], unless its
// bundle brings another.
const Linkerd = "linkerd"

// FieldManager owns what coalmine applies.
const FieldManager = "coalmine"

// LabelManagedBy with the value [FieldManager] is on everything that coalmine creates in the cluster.
const LabelManagedBy = "app.kubernetes.io/managed-by"

// DefaultCluster is the name of the kind cluster where none is given; its kubeconfig context is kind-coalmine.
const DefaultCluster = "coalmine"

// ImageRegistry begins the names of coalmine's own images, which no registry serves: they are
// loaded into the nodes. See package image.
const ImageRegistry = "coalmine.dev"

// Services of the lab. Gates answer at http://gate.coalmine, as the learner's webhooks say.
const (
	// AgentService and DeskPort: the desk's own interface (facts, traffic, flights), in namespace Lab.
	AgentService = "desk"
	AgentPort    = 8080
	// GateService listens on port 80 of the same pod.
	GateService = "gate"
	// PrometheusService and PrometheusPort are in namespace Viz.
	PrometheusService = "prometheus"
	PrometheusPort    = 9090
)

// Objects and files of the lab.
const (
	// TrustSecret in namespace Mesh has the trust anchor and the issuer: keys below.
	TrustSecret = "coalmine-trust"
	// TrustRoots (PEM certificates), IssuerCert and IssuerKey (PEM) are the keys of TrustSecret. The anchor's own key is kept nowhere.
	TrustRoots = "ca.crt"
	IssuerCert = "tls.crt"
	IssuerKey  = "tls.key"

	// StateConfigMap in namespace Lab tells how the cluster was brought up: keys mesh, image, bundle, and one for each step done.
	StateConfigMap = "bring-up"

	// ScenarioConfigMap in namespace Develop has the scenario that the demo services and the traffic play, with the keys
	// scenario.yaml and, where it replays one, the access log. It is mounted at ScenarioDir.
	ScenarioConfigMap = "coalmine-scenario"
	ScenarioDir       = "/etc/coalmine/scenario"
)

// DrillSuffix ends the names of HTTPRoutes by which the desk rehearses a rollback. They are there for a moment and concern no user.
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

// MetricsPort is where demo services show their metrics to Prometheus beside the port of their users; the mesh leaves it alone.
const MetricsPort = 9102
