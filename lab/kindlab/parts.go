package kindlab

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

	"coalmine/lab"
	"coalmine/lab/desk/client"
	"coalmine/lab/guardrail"
	"coalmine/lab/kindlab/place"
	"coalmine/scenarios"
)

// labelPart of a pod says what it is in a flight, where it is no service.
const labelPart = "coalmine.dev/part"

// Parts of a flight.
const (
	partDesk    = "desk"
	partTraffic = "traffic"
)

// Names of what belongs to the desk.
const (
	deskName = "desk"
	// gatePort is where the desk's pod answers Flagger, to which port 80 of Service gate leads.
	gatePort = 8081
)

// flightOf is a flight as the desk is told it.
func (c *Cluster) flightOf(f lab.Flight) client.Flight {
	flight := client.Flight{
		Version: f.Version, Seed: f.Seed, ApproveAfter: f.ApproveAfter, Mesh: c.mesh, Shards: map[string]int{},
	}
	for _, w := range f.Scenario.Clients {
		flight.Shards[w.Name] = c.trafficPods
	}
	if f.Guardrails != nil {
		flight.Guardrails = map[string]string{}
		for name, text := range f.Guardrails.Files {
			flight.Guardrails[name] = string(text)
		}
	}
	return flight
}

// config is the ConfigMap that a flight's pods in a namespace read the flight and its scenario from.
func (c *Cluster) config(f lab.Flight, namespace, name string) (*corev1.ConfigMap, error) {
	m, err := scenarioMap(f.Scenario, namespace, name)
	if err != nil {
		return nil, err
	}
	flight, err := json.Marshal(c.flightOf(f))
	if err != nil {
		return nil, fmt.Errorf("write the flight: %w", err)
	}
	m.Data[client.FlightFile] = string(flight)
	return m, nil
}

// deskAccess is what the desk's account may do in the namespace of the services: look at what gates ask about, and try routes out.
func (c *Cluster) deskAccess() []runtime.Object {
	meta := metav1.ObjectMeta{Name: deskName, Namespace: place.Develop}
	subject := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: deskName, Namespace: place.Lab}
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
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: deskName}, Subjects: []rbacv1.Subject{subject},
		},
	}
	if c.mesh == place.Linkerd {
		objects = append(objects, prometheusAccess())
	}
	return objects
}

// prometheusAccess lets the desk ask the Prometheus of Linkerd's viz extension, as Flagger's chart does for Flagger (flagger,
// charts/flagger/templates/authorizationpolicy.yaml).
func prometheusAccess() runtime.Object {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": guardrail.AuthorizationVersion, "kind": "AuthorizationPolicy",
		"metadata": map[string]any{"name": "coalmine-desk", "namespace": place.Viz},
		"spec": map[string]any{
			"targetRef": map[string]any{"group": guardrail.LinkerdGroup, "kind": "Server", "name": "prometheus-admin"},
			"requiredAuthenticationRefs": []any{
				map[string]any{"kind": "ServiceAccount", "name": deskName, "namespace": place.Lab},
			},
		},
	}}
}

// desk is the desk's pod and what leads to it. A desk that ended is not started anew: it would have lost the flight's facts.
func (c *Cluster) desk(s *scenarios.Scenario) []runtime.Object {
	meta := metav1.ObjectMeta{Name: deskName, Namespace: place.Lab}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: deskName, Namespace: place.Lab,
			Labels: map[string]string{"app": deskName, labelPart: partDesk},
			Annotations: map[string]string{
				place.InjectAnnotation: "enabled",
				// It asks other pods' proxies for their metrics, which are none of the mesh's traffic.
				place.SkipOutboundPorts: strconv.Itoa(place.AdminPort),
			},
		},
		Spec: corev1.PodSpec{
			ServiceAccountName: deskName, RestartPolicy: corev1.RestartPolicyNever,
			Volumes: []corev1.Volume{scenarioVolume(s, deskName, client.FlightFile)},
			Containers: []corev1.Container{{
				Name: deskName, Image: c.image, ImagePullPolicy: corev1.PullIfNotPresent,
				Args: []string{"desk"},
				Ports: []corev1.ContainerPort{
					{Name: "http", ContainerPort: place.DeskPort, Protocol: corev1.ProtocolTCP},
					{Name: "http-gate", ContainerPort: gatePort, Protocol: corev1.ProtocolTCP},
				},
				VolumeMounts:    []corev1.VolumeMount{scenarioMount()},
				ReadinessProbe:  probe(client.PathReady, place.DeskPort, probePeriod, 3),
				Resources:       small("20m"),
				SecurityContext: confined(),
			}},
		},
	}
	return []runtime.Object{
		&corev1.ServiceAccount{ObjectMeta: meta},
		service(place.DeskService, place.DeskPort, place.DeskPort),
		service(place.GateService, 80, gatePort),
		pod,
	}
}

func service(name string, port, target int) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: place.Lab},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{labelPart: partDesk},
			Ports:    []corev1.ServicePort{{Name: "http", Port: int32(port), TargetPort: intstr.FromInt(target), Protocol: corev1.ProtocolTCP}},
		},
	}
}

// trafficName is the Job of a client workload.
func trafficName(client string) string { return "traffic-" + client }

// traffic is a client workload: its account, and the Job that sends its part of the plan, each pod a share.
func (c *Cluster) traffic(s *scenarios.Scenario, workload scenarios.Client) []runtime.Object {
	pods, none, indexed := int32(c.trafficPods), int32(0), batchv1.IndexedCompletion
	labels := map[string]string{"app": workload.Name, labelPart: partTraffic}
	annotations := map[string]string{}
	if workload.Unmeshed {
		annotations[place.InjectAnnotation] = "disabled"
	}
	account := cmp.Or(workload.ServiceAccount, workload.Name)
	return []runtime.Object{
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account, Namespace: place.Develop}},
		&batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Name: trafficName(workload.Name), Namespace: place.Develop, Labels: labels},
			Spec: batchv1.JobSpec{
				CompletionMode: &indexed, Completions: &pods, Parallelism: &pods, BackoffLimit: &none,
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations},
					Spec: corev1.PodSpec{
						ServiceAccountName: account, RestartPolicy: corev1.RestartPolicyNever,
						Volumes:    []corev1.Volume{scenarioVolume(s, place.ScenarioConfigMap, client.FlightFile)},
						Containers: []corev1.Container{c.shard(workload)},
					},
				},
			},
		},
	}
}

// shard is the container of one traffic pod; Kubernetes says in JOB_COMPLETION_INDEX which share it sends.
func (c *Cluster) shard(workload scenarios.Client) corev1.Container {
	return corev1.Container{
		Name: partTraffic, Image: c.image, ImagePullPolicy: corev1.PullIfNotPresent,
		Args:         []string{"traffic", "--client", workload.Name},
		VolumeMounts: []corev1.VolumeMount{scenarioMount()}, Resources: small("50m"), SecurityContext: confined(),
	}
}
