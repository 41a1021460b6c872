package kind

import (
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/scenario"
)

// How pods of services start and stop. A pod that is told to stop lingers, so that clients which
// still use its address are served; nothing is cut off then. Linkerd's proxies get the change in
// well under a second.
const (
	linger      = 3 * time.Second
	drain       = 10 * time.Second
	grace       = 20 * time.Second
	probePeriod = 1
)

// workloadsOf returns the objects of a run's services in this cluster: every pod runs coalmine's
// own image, as the service and version in its environment. The pod looks up which version that is
// in the run spec, so that pods of a faulty and a healthy version have equal templates, with equal
// hashes, unless the scenario says more.
func workloadsOf(s *scenario.Scenario, seed uint64, image string) workloads.Builder {
	mutate := func(t *corev1.PodTemplateSpec, svc *scenario.Service, name string) {
		mutatePodTemplate(t, svc, name, image, scenarioVolume(s, names.ScenarioConfigMap, client.RunSpecFile))
	}
	return workloads.Builder{Scenario: s, Seed: seed, Mutate: mutate}
}

func mutatePodTemplate(t *corev1.PodTemplateSpec, s *scenario.Service, version, image string, scenario corev1.Volume) {
	if t.Annotations == nil {
		t.Annotations = map[string]string{}
	}
	t.Annotations[names.SkipInboundPorts] = strconv.Itoa(names.MetricsPort)
	seconds := int64(grace / time.Second)
	t.Spec.TerminationGracePeriodSeconds = &seconds
	t.Spec.Volumes = []corev1.Volume{scenario}
	container := &t.Spec.Containers[0]
	container.Image, container.ImagePullPolicy, container.Args = image, corev1.PullIfNotPresent,
		[]string{names.CommandApp}
	container.Ports = []corev1.ContainerPort{
		{Name: workloads.PortName, ContainerPort: int32(s.TargetPort), Protocol: corev1.ProtocolTCP},
		{Name: "http-metrics", ContainerPort: names.MetricsPort, Protocol: corev1.ProtocolTCP},
	}
	container.Env = containerEnv(s, version)
	container.VolumeMounts = []corev1.VolumeMount{scenarioMount()}
	// Probes bypass the proxy, unless the scenario wants them to meet it: on the users' port they
	// count as successful requests, and a canary's share of requests is small.
	if s.Probe == "" {
		container.ReadinessProbe = probe("/readyz", names.MetricsPort, probePeriod, 2)
	}
	// Only a service that is stuck for long is restarted; a busy one is just slow.
	container.LivenessProbe = probe("/healthz", names.MetricsPort, 10*probePeriod, 6)
	container.Resources = cpuRequest("10m")
	container.SecurityContext = restrictedSecurityContext()
}

// Environment variables with a pod's service and the neutral name of its version.
const (
	serviceVariable = "COALMINE_SERVICE"
	versionVariable = "COALMINE_VERSION"
)

func containerEnv(s *scenario.Service, version string) []corev1.EnvVar {
	agent := fmt.Sprintf("http://%s.%s:%d", names.AgentService, names.LabNamespace, names.AgentPort)
	return []corev1.EnvVar{
		{Name: "COALMINE_SCENARIO", Value: names.ScenarioDir},
		{Name: "COALMINE_RUN_SPEC", Value: names.ScenarioDir + "/" + client.RunSpecFile},
		{Name: serviceVariable, Value: s.Name},
		{Name: versionVariable, Value: version},
		{Name: "COALMINE_LISTEN", Value: ":" + strconv.Itoa(s.TargetPort)},
		{Name: "COALMINE_METRICS", Value: ":" + strconv.Itoa(names.MetricsPort)},
		{Name: "COALMINE_ON_KILL", Value: "exit"},
		{Name: "COALMINE_LINGER", Value: linger.String()},
		{Name: "COALMINE_DRAIN", Value: drain.String()},
		{Name: "COALMINE_WEIGHT_FROM", Value: agent + client.PathWeight},
		// Flagger labels the pods of its primary NAME-primary, which is also the Deployment's name.
		{Name: "COALMINE_WORKLOAD", ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.labels['app']"},
		}},
	}
}

// versionOf returns the version that pods run in a run, by the scenario's name.
func versionOf(f cluster.RunSpec, p *corev1.PodSpec) string {
	var service, name string
	for _, c := range p.Containers {
		for _, e := range c.Env {
			switch e.Name {
			case serviceVariable:
				service = e.Value
			case versionVariable:
				name = e.Value
			}
		}
	}
	return f.Scenario.VersionOf(service, name, f.Version, f.Seed)
}

func probe(path string, port int, period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path,
			Port: intstr.FromInt32(int32(port)), Scheme: corev1.URISchemeHTTP}},
		PeriodSeconds: period, FailureThreshold: failures, TimeoutSeconds: 5, SuccessThreshold: 1,
	}
}

func cpuRequest(cpu string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse("32Mi"),
	}}
}

func restrictedSecurityContext() *corev1.SecurityContext {
	no, yes := false, true
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}
