package kind

import (
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/scenario"
)

// How pods of services begin and end. Who still has a pod's address when it is told to stop reaches it while it lingers; nothing is
// broken off then. Linkerd's proxies learn of it in well under a second.
const (
	linger      = 3 * time.Second
	drain       = 10 * time.Second
	grace       = 20 * time.Second
	probePeriod = 1
)

// workloadsOf has the objects of a scenario as they are here: every pod runs coalmine's own image, as the service and version that its
// environment says.
func workloadsOf(s *scenario.Scenario, image string) workloads.Builder {
	return workloads.Builder{Scenario: s, Mutate: func(t *corev1.PodTemplateSpec, svc *scenario.Service, version string) {
		mutatePodTemplate(t, svc, version, image, scenarioVolume(s, names.ScenarioConfigMap))
	}}
}

func mutatePodTemplate(t *corev1.PodTemplateSpec, s *scenario.Service, version, image string, scenario corev1.Volume) {
	if t.Annotations == nil {
		t.Annotations = map[string]string{}
	}
	t.Annotations[names.SkipInboundPorts] = strconv.Itoa(names.MetricsPort)
	seconds := int64(grace / time.Second)
	t.Spec.TerminationGracePeriodSeconds = &seconds
	t.Spec.Volumes = []corev1.Volume{scenario}
	app := &t.Spec.Containers[0]
	app.Image, app.ImagePullPolicy, app.Args = image, corev1.PullIfNotPresent, []string{"app"}
	app.Ports = []corev1.ContainerPort{
		{Name: workloads.PortName, ContainerPort: int32(s.TargetPort), Protocol: corev1.ProtocolTCP},
		{Name: "http-metrics", ContainerPort: names.MetricsPort, Protocol: corev1.ProtocolTCP},
	}
	app.Env = containerEnv(s, version)
	app.VolumeMounts = []corev1.VolumeMount{scenarioMount()}
	// Probes go past the proxy: on the port of the users, whose share of a canary's requests is small, they would count as good answers.
	app.ReadinessProbe = probe("/readyz", names.MetricsPort, probePeriod, 2)
	// A service that is busy is slow, and no reason to kill it: only one that is stuck for long is.
	app.LivenessProbe = probe("/healthz", names.MetricsPort, 10*probePeriod, 6)
	app.Resources = cpuRequest("10m")
	app.SecurityContext = restrictedSecurityContext()
}

// versionVariable says in a pod's environment which version it is.
const versionVariable = "COALMINE_VERSION"

func containerEnv(s *scenario.Service, version string) []corev1.EnvVar {
	desk := fmt.Sprintf("http://%s.%s:%d", names.AgentService, names.LabNamespace, names.AgentPort)
	return []corev1.EnvVar{
		{Name: "COALMINE_SCENARIO", Value: names.ScenarioDir},
		{Name: "COALMINE_SERVICE", Value: s.Name},
		{Name: versionVariable, Value: version},
		{Name: "COALMINE_LISTEN", Value: ":" + strconv.Itoa(s.TargetPort)},
		{Name: "COALMINE_METRICS", Value: ":" + strconv.Itoa(names.MetricsPort)},
		{Name: "COALMINE_ON_KILL", Value: "exit"},
		{Name: "COALMINE_LINGER", Value: linger.String()},
		{Name: "COALMINE_DRAIN", Value: drain.String()},
		{Name: "COALMINE_WEIGHT_FROM", Value: desk + client.PathWeight},
		// Flagger gives the pods of its primary the label NAME-primary, which is the Deployment's name too.
		{Name: "COALMINE_WORKLOAD", ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.labels['app']"},
		}},
	}
}

// versionOf is the version that pods of a template run.
func versionOf(t *corev1.PodTemplateSpec) string {
	for _, c := range t.Spec.Containers {
		for _, e := range c.Env {
			if e.Name == versionVariable {
				return e.Value
			}
		}
	}
	return t.Labels[workloads.LabelVersion]
}

func probe(path string, port int, period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(int32(port)), Scheme: corev1.URISchemeHTTP}},
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
