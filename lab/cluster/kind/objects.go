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
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/names"
	"coalmine/lab/scenario"
)

// labelComponent labels the pods of a run that are not services.
const labelComponent = "coalmine.dev/part"

// Components of a run.
const (
	componentAgent      = "agent"
	componentTraffic    = "traffic"
	componentLoadTester = "loadtester"
)

// Names of the agent's objects.
const (
	agentName = "agent"
	// gatePort is where the agent answers Flagger, behind port 80 of Service gate.
	gatePort = 8081
)

// runSpecOf returns the run spec in the agent's format.
func (c *Cluster) runSpecOf(f cluster.RunSpec) client.RunSpec {
	spec := client.RunSpec{
		Version: f.Version, Seed: f.Seed, ApproveAfter: f.ApproveAfter, TrafficPods: map[string]int{},
	}
	for _, w := range f.Scenario.Clients {
		spec.TrafficPods[w.Name] = c.trafficPods
	}
	if f.Guardrails != nil {
		spec.Guardrails = map[string]string{}
		for name, text := range f.Guardrails.Files {
			spec.Guardrails[name] = string(text)
		}
	}
	return spec
}

// configMap returns the ConfigMap with the run spec and its scenario, for the pods in a namespace.
func (c *Cluster) configMap(f cluster.RunSpec, namespace, name string) (*corev1.ConfigMap, error) {
	m, err := scenarioConfigMap(f.Scenario, namespace, name)
	if err != nil {
		return nil, err
	}
	spec, err := json.Marshal(c.runSpecOf(f))
	if err != nil {
		return nil, fmt.Errorf("encode the run spec: %w", err)
	}
	m.Data[client.RunSpecFile] = string(spec)
	return m, nil
}

// agentRBAC lets the agent read what gates ask about in the namespace of the services, and create
// routes for drills.
func agentRBAC() []runtime.Object {
	meta := metav1.ObjectMeta{Name: agentName, Namespace: names.DevelopNamespace}
	subject := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: agentName, Namespace: names.LabNamespace}
	read := []string{"get", "list", "watch"}
	return []runtime.Object{
		&rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods", "services", "namespaces"}, Verbs: read},
			{APIGroups: []string{"apps"}, Resources: []string{"deployments", "replicasets"}, Verbs: read},
			{APIGroups: []string{"flagger.app"}, Resources: []string{"canaries"}, Verbs: read},
			{APIGroups: []string{"policy.linkerd.io"}, Resources: []string{"*"}, Verbs: read},
			{APIGroups: []string{"gateway.networking.k8s.io"}, Resources: []string{"httproutes"}, Verbs: append(read,
				"create", "update", "patch", "delete")},
		}},
		&rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: agentName},
			Subjects: []rbacv1.Subject{subject},
		},
	}
}

// agentObjects returns the agent's pod and Services. An agent that ends is not restarted: it would
// have lost the facts of the run.
func (c *Cluster) agentObjects(s *scenario.Scenario) []runtime.Object {
	meta := metav1.ObjectMeta{Name: agentName, Namespace: names.LabNamespace}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: agentName, Namespace: names.LabNamespace,
			Labels: map[string]string{"app": agentName, labelComponent: componentAgent},
			Annotations: map[string]string{
				names.InjectAnnotation: "enabled",
				// It scrapes the proxies of other pods, which is not mesh traffic.
				names.SkipOutboundPorts: strconv.Itoa(names.AdminPort),
			},
		},
		Spec: corev1.PodSpec{
			ServiceAccountName: agentName, RestartPolicy: corev1.RestartPolicyNever,
			Volumes: []corev1.Volume{scenarioVolume(s, agentName, client.RunSpecFile)},
			Containers: []corev1.Container{{
				Name: agentName, Image: c.image, ImagePullPolicy: corev1.PullIfNotPresent,
				Args: []string{names.CommandAgent},
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
			Ports: []corev1.ServicePort{{Name: "http", Port: int32(port), TargetPort: intstr.FromInt(target),
				Protocol: corev1.ProtocolTCP}},
		},
	}
}

// trafficJobName returns the name of the Job of a client workload.
func trafficJobName(client string) string { return "traffic-" + client }

// trafficObjects returns the account of a client workload and the Job that sends its share of the
// plan, split between its pods.
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
			ObjectMeta: metav1.ObjectMeta{Name: trafficJobName(workload.Name), Namespace: names.DevelopNamespace,
				Labels: labels},
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

// trafficContainer returns the container of one traffic pod; Kubernetes sets JOB_COMPLETION_INDEX
// to its share.
func (c *Cluster) trafficContainer(workload scenario.Client) corev1.Container {
	return corev1.Container{
		Name: componentTraffic, Image: c.image, ImagePullPolicy: corev1.PullIfNotPresent,
		Args:         []string{names.CommandTraffic, "--" + names.FlagClient, workload.Name},
		VolumeMounts: []corev1.VolumeMount{scenarioMount()}, Resources: cpuRequest("50m"),
		SecurityContext: restrictedSecurityContext(),
	}
}
