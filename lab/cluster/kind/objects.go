package kind

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/names"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
)

// labelComponent of a pod says what it is in a flight, where it is no service.
const labelComponent = "coalmine.dev/part"

// Parts of a flight.
const (
	componentAgent   = "desk"
	componentTraffic = "traffic"
)

// Names of what belongs to the desk.
const (
	agentName = "desk"
	// gatePort is where the desk's pod answers Flagger, to which port 80 of Service gate leads.
	gatePort = 8081
)

// runSpecOf is a flight as the desk is told it.
func (c *Cluster) runSpecOf(f cluster.RunSpec) client.RunSpec {
	flight := client.RunSpec{
		Version: f.Version, Seed: f.Seed, ApproveAfter: f.ApproveAfter, TrafficPods: map[string]int{},
	}
	for _, w := range f.Scenario.Clients {
		flight.TrafficPods[w.Name] = c.trafficPods
	}
	if f.Guardrails != nil {
		flight.Guardrails = map[string]string{}
		for name, text := range f.Guardrails.Files {
			flight.Guardrails[name] = string(text)
		}
	}
	return flight
}

// configMap is the ConfigMap that a flight's pods in a namespace read the flight and its scenario from.
func (c *Cluster) configMap(f cluster.RunSpec, namespace, name string) (*corev1.ConfigMap, error) {
	m, err := scenarioConfigMap(f.Scenario, namespace, name)
	if err != nil {
		return nil, err
	}
	flight, err := json.Marshal(c.runSpecOf(f))
	if err != nil {
		return nil, fmt.Errorf("write the flight: %w", err)
	}
	m.Data[client.RunSpecFile] = string(flight)
	return m, nil
}

// agentRBAC is what the desk's account may do in the namespace of the services: look at what gates ask about, and try routes out.
func (c *Cluster) agentRBAC() []runtime.Object {
	meta := metav1.ObjectMeta{Name: agentName, Namespace: names.DevelopNamespace}
	subject := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: agentName, Namespace: names.LabNamespace}
	read := []string{"get", "list", "watch"}
	objects := []runtime.Object{
		&rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods", "services", "namespaces"}, Verbs: read},
			{APIGroups: []string{"apps"}, Resources: []string{"deployments", "replicasets"}, Verbs: read},
			{APIGroups: []string{"flagger.app"}, Resources: []string{"canaries"}, Verbs: read},
			{APIGroups: []string{"policy.linkerd.io"}, Resources: []string{"*"}, Verbs: read},
			{APIGroups: []string{"gateway.networking.k8s.io"}, Resources: []string{"httproutes"}, Verbs: append(read, "create", "update", "patch", "delete")},
		}},
		&rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: agentName}, Subjects: []rbacv1.Subject{subject},
		},
	}
	if c.mesh == names.Linkerd {
		objects = append(objects, prometheusRBAC())
	}
	return objects
}

// prometheusRBAC lets the desk ask the Prometheus of Linkerd's viz extension, as Flagger's chart does for Flagger (flagger,
// charts/flagger/templates/authorizationpolicy.yaml).
func prometheusRBAC() runtime.Object {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": guardrail.AuthorizationVersion, "kind": "AuthorizationPolicy",
		"metadata": map[string]any{"name": "coalmine-desk", "namespace": names.VizNamespace},
		"spec": map[string]any{
			"targetRef": map[string]any{"group": guardrail.LinkerdGroup, "kind": "Server", "name": "prometheus-admin"},
			"requiredAuthenticationRefs": []any{
				map[string]any{"kind": "ServiceAccount", "name": agentName, "namespace": names.LabNamespace},
			},
		},
	}}
}

// agentObjects is the desk's pod and what leads to it. A desk that ended is not started anew: it would have lost the flight's facts.
func (c *Cluster) agentObjects(s *scenario.Scenario) []runtime.Object {
	meta := metav1.ObjectMeta{Name: agentName, Namespace: names.LabNamespace}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: agentName, Namespace: names.LabNamespace,
			Labels: map[string]string{"app": agentName, labelComponent: componentAgent},
			Annotations: map[string]string{
				names.InjectAnnotation: "enabled",
				// It asks other pods' proxies for their metrics, which are none of the mesh's traffic.
				names.SkipOutboundPorts: strconv.Itoa(names.AdminPort),
			},
		},
		Spec: corev1.PodSpec{
			ServiceAccountName: agentName, RestartPolicy: corev1.RestartPolicyNever,
			Volumes: []corev1.Volume{scenarioVolume(s, agentName, client.RunSpecFile)},
			Containers: []corev1.Container{{
				Name: agentName, Image: c.image, ImagePullPolicy: corev1.PullIfNotPresent,
				Args: []string{"agent"},
				Ports: []corev1.ContainerPort{
					{Name: "http", ContainerPort: names.AgentPort, Protocol: corev1.ProtocolTCP},
					{Name: "http-gate", ContainerPort: gatePort, Protocol: corev1.ProtocolTCP},
				},
				VolumeMounts:    []corev1.VolumeMount{scenarioMount()},
				ReadinessProbe:  probe(client.PathReady, names.AgentPort, probePeriod, 3),
				Resources:       cpuRequest("20m"),
				SecurityContext: restrictedSecurityContext(),
			}},
		},
	}
	return []runtime.Object{
		&corev1.ServiceAccount{ObjectMeta: meta},
		newService(names.AgentService, names.AgentPort, names.AgentPort),
		newService(names.GateService, 80, gatePort),
		pod,
	}
}

func newService(name string, port, target int) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: names.LabNamespace},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{labelComponent: componentAgent},
			Ports:    []corev1.ServicePort{{Name: "http", Port: int32(port), TargetPort: intstr.FromInt(target), Protocol: corev1.ProtocolTCP}},
		},
	}
}

// trafficJobName is the Job of a client workload.
func trafficJobName(client string) string { return "traffic-" + client }

// trafficObjects is a client workload: its account, and the Job that sends its part of the plan, each pod a share.
func (c *Cluster) trafficObjects(s *scenario.Scenario, workload scenario.Client) []runtime.Object {
	pods, none, indexed := int32(c.trafficPods), int32(0), batchv1.IndexedCompletion
	labels := map[string]string{"app": workload.Name, labelComponent: componentTraffic}
	annotations := map[string]string{}
	if workload.Unmeshed {
		annotations[names.InjectAnnotation] = "disabled"
	}
	account := cmp.Or(workload.ServiceAccount, workload.Name)
	return []runtime.Object{
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account, Namespace: names.DevelopNamespace}},
		&batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Name: trafficJobName(workload.Name), Namespace: names.DevelopNamespace, Labels: labels},
			Spec: batchv1.JobSpec{
				CompletionMode: &indexed, Completions: &pods, Parallelism: &pods, BackoffLimit: &none,
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations},
					Spec: corev1.PodSpec{
						ServiceAccountName: account, RestartPolicy: corev1.RestartPolicyNever,
						Volumes:    []corev1.Volume{scenarioVolume(s, names.ScenarioConfigMap, client.RunSpecFile)},
						Containers: []corev1.Container{c.trafficContainer(workload)},
					},
				},
			},
		},
	}
}

// trafficContainer is the container of one traffic pod; Kubernetes says in JOB_COMPLETION_INDEX which share it sends.
func (c *Cluster) trafficContainer(workload scenario.Client) corev1.Container {
	return corev1.Container{
		Name: componentTraffic, Image: c.image, ImagePullPolicy: corev1.PullIfNotPresent,
		Args:         []string{"traffic", "--client", workload.Name},
		VolumeMounts: []corev1.VolumeMount{scenarioMount()}, Resources: cpuRequest("50m"), SecurityContext: restrictedSecurityContext(),
	}
}
