package control

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
)

// operation is an operation of a JSON patch (RFC 6902). Patches only add, so that fields of a pod
// that this client does not know are kept.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// Names of the volumes that the proxy mounts.
const (
	tokenVolume = "testmesh-token"
	rootsVolume = "testmesh-trust-roots"
)

// workloadNamespaceLabel is Linkerd's; its labels for the workload's name are this prefix and the
// kind (linkerd2, pkg/k8s/labels.go).
const (
	workloadNamespaceLabel = "linkerd.io/workload-ns"
	workloadPrefix         = "linkerd.io/proxy-"
)

// controlAddress is the URL of the control plane for proxies.
func controlAddress() string {
	return "https://" + wire.ControlService + "." + names.MeshNamespace + ".svc:" + strconv.Itoa(wire.ControlPort)
}

// injection returns the patch that injects a proxy: a container that redirects connections, then
// the proxy as a native sidecar. Both come before the pod's own init containers, so that these are
// meshed, too, and Jobs can complete.
func injection(pod *corev1.Pod, namespace *corev1.Namespace, kind, workload, image string) []operation {
	annotations := inherited(pod, namespace)
	setting := func(key string) string {
		if value, ok := pod.Annotations[key]; ok {
			return value
		}
		return annotations[key]
	}
	var patch []operation
	patch = append(patch, addToMap("/metadata/annotations", pod.Annotations, annotations)...)
	patch = append(patch, addToMap("/metadata/labels", pod.Labels, workloadLabels(namespace.Name, kind, workload))...)
	patch = append(patch, addToList("/spec/volumes", len(pod.Spec.Volumes), volumes()...)...)
	containers := []corev1.Container{
		initContainer(image, setting(names.SkipInboundPorts), setting(names.SkipOutboundPorts)),
		proxyContainer(image),
	}
	if len(pod.Spec.InitContainers) == 0 {
		return append(patch, operation{"add", "/spec/initContainers", containers})
	}
	return append(patch, operation{"add", "/spec/initContainers/0", containers[0]},
		operation{"add", "/spec/initContainers/1", containers[1]})
}

// inherited returns the annotations of the namespace that apply to its pods and that the pod does
// not set itself. They are written to the pod, as Linkerd does: a pod's settings are fixed when it
// is created.
func inherited(pod *corev1.Pod, namespace *corev1.Namespace) map[string]string {
	found := map[string]string{}
	for _, key := range []string{mesh.DefaultPolicyAnnotation, names.SkipInboundPorts, names.SkipOutboundPorts} {
		_, own := pod.Annotations[key]
		if value, ok := namespace.Annotations[key]; ok && !own {
			found[key] = value
		}
	}
	return found
}

// workloadLabels returns the labels by which Prometheus and viz distinguish proxies. A name that is
// too long for a label has none.
func workloadLabels(namespace, kind, workload string) map[string]string {
	labels := map[string]string{names.WorkloadLabel: names.MeshNamespace, workloadNamespaceLabel: namespace}
	if workload != "" && len(validation.IsValidLabelValue(workload)) == 0 {
		labels[workloadPrefix+strings.ToLower(kind)] = workload
	}
	return labels
}

// addToMap adds entries one by one, or the map itself if there is none.
func addToMap(path string, have, entries map[string]string) []operation {
	if len(entries) == 0 {
		return nil
	}
	if len(have) == 0 {
		return []operation{{"add", path, entries}}
	}
	var ops []operation
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		ops = append(ops, operation{"add", path + "/" + escapePointer(key), entries[key]})
	}
	return ops
}

// addToList appends items, or adds the list itself if there is none.
func addToList[T any](path string, have int, items ...T) []operation {
	if have == 0 {
		return []operation{{"add", path, items}}
	}
	var ops []operation
	for _, item := range items {
		ops = append(ops, operation{"add", path + "/-", item})
	}
	return ops
}

// escapePointer escapes a key as an element of a JSON pointer (RFC 6901).
func escapePointer(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

func volumes() []corev1.Volume {
	return []corev1.Volume{
		{Name: tokenVolume, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{
				ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
					Audience: wire.TokenAudience, ExpirationSeconds: new(int64(86400)), Path: file(wire.TokenFile),
				},
			}},
		}}},
		{Name: rootsVolume, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: wire.TrustRootsConfigMap},
			Items:                []corev1.KeyToPath{{Key: names.TrustRoots, Path: file(wire.TrustRootsFile)}},
		}}},
	}
}

// folder and file split a path at the last slash.
func folder(path string) string { return path[:strings.LastIndex(path, "/")] }
func file(path string) string   { return path[strings.LastIndex(path, "/")+1:] }

// initContainer redirects the pod's connections. It needs root and one capability, whatever the
// pod's own security context is.
func initContainer(image, skipInbound, skipOutbound string) corev1.Container {
	return corev1.Container{
		Name: wire.InitContainer, Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
		Args: []string{wire.CommandInit},
		Env: []corev1.EnvVar{
			{Name: wire.EnvSkipInbound, Value: skipInbound},
			{Name: wire.EnvSkipOutbound, Value: skipOutbound},
		},
		Resources: requests("10m", "16Mi"),
		SecurityContext: &corev1.SecurityContext{
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: []corev1.Capability{"NET_ADMIN"}},
			RunAsUser:    new(int64(0)), RunAsGroup: new(int64(0)), RunAsNonRoot: new(false),
			AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
		},
	}
}

// proxyContainer is a native sidecar. The startup probe holds back the pod's other containers until
// the proxy has a certificate and a snapshot. There is no liveness probe, as a proxy that is slow
// under load must not be killed.
func proxyContainer(image string) corev1.Container {
	return corev1.Container{
		Name: names.ProxyContainer, Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
		Args:          []string{wire.CommandProxy},
		RestartPolicy: new(corev1.ContainerRestartPolicyAlways),
		Env: []corev1.EnvVar{
			field(wire.EnvPodName, "metadata.name"),
			field(wire.EnvPodNamespace, "metadata.namespace"),
			field(wire.EnvPodIP, "status.podIP"),
			field(wire.EnvServiceAccount, "spec.serviceAccountName"),
			{Name: wire.EnvControl, Value: controlAddress()},
		},
		Ports: []corev1.ContainerPort{
			{Name: "linkerd-proxy", ContainerPort: wire.InboundPort, Protocol: corev1.ProtocolTCP},
			{Name: "linkerd-admin", ContainerPort: names.AdminPort, Protocol: corev1.ProtocolTCP},
		},
		Resources: requests("10m", "32Mi"),
		StartupProbe: &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/ready",
				Port: intstr.FromInt32(names.AdminPort)}},
			PeriodSeconds: 1, TimeoutSeconds: 1, FailureThreshold: 120,
		},
		SecurityContext: &corev1.SecurityContext{
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			RunAsUser:    new(int64(wire.ProxyUser)), RunAsGroup: new(int64(wire.ProxyUser)), RunAsNonRoot: new(true),
			AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		VolumeMounts: []corev1.VolumeMount{
			{Name: tokenVolume, MountPath: folder(wire.TokenFile), ReadOnly: true},
			{Name: rootsVolume, MountPath: folder(wire.TrustRootsFile), ReadOnly: true},
		},
	}
}

// field is a variable with a field of the pod.
func field(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name,
		ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}}
}

func requests(cpu, memory string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory),
	}}
}
