package control

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/podstatus"
	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
	"coalmine/lab/mesh/k8s"
)

// This file converts core objects to the types of package wire.

// describeService returns false for a Service without a cluster IP: a headless one or an external
// name.
func describeService(s *corev1.Service) (wire.Service, bool) {
	ip, err := netip.ParseAddr(s.Spec.ClusterIP)
	if err != nil {
		return wire.Service{}, false
	}
	service := wire.Service{Name: s.Name, Namespace: s.Namespace, ClusterIP: ip, Selector: s.Spec.Selector}
	for _, p := range s.Spec.Ports {
		if p.Protocol != "" && p.Protocol != corev1.ProtocolTCP {
			continue
		}
		number, name := k8s.TargetPort(p)
		policy, _ := k8s.ServicePolicy(s, int(p.Port)) // what Linkerd cannot parse, it ignores
		service.Ports = append(service.Ports, wire.Port{Port: int(p.Port), Target: number, TargetName: name,
			Policy: policy})
	}
	return service, true
}

// describePod returns false for a pod without an IP of its own: one that has none yet, or one that
// has ended, whose IP may be reused. A terminating pod is included, but not ready, as its proxy
// still needs its policies.
func describePod(p *corev1.Pod, deployment string) (wire.Pod, bool) {
	ip, err := netip.ParseAddr(p.Status.PodIP)
	if err != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return wire.Pod{}, false
	}
	return wire.Pod{
		Name: p.Name, Namespace: p.Namespace, IP: ip, ServiceAccount: p.Spec.ServiceAccountName, Deployment: deployment,
		Labels: p.Labels, Ports: portNames(p), DefaultPolicy: defaultPolicy(p), ProbePaths: probePaths(p),
		SkipInbound: p.Annotations[names.SkipInboundPorts], Ready: podstatus.Serving(p), Meshed: meshed(p),
	}, true
}

// meshed reports whether a pod has a proxy.
func meshed(p *corev1.Pod) bool {
	is := func(c corev1.Container) bool { return c.Name == names.ProxyContainer }
	return slices.ContainsFunc(p.Spec.InitContainers, is) || slices.ContainsFunc(p.Spec.Containers, is)
}

// defaultPolicy returns the annotation of a pod. A value that is not one of Linkerd's counts as
// none, as it does there (linkerd2, policy-controller/k8s/index/src/inbound/workload.rs).
func defaultPolicy(p *corev1.Pod) string {
	switch word := p.Annotations[mesh.DefaultPolicyAnnotation]; word {
	case mesh.AllUnauthenticated, mesh.AllAuthenticated, mesh.ClusterUnauthenticated, mesh.ClusterAuthenticated,
		mesh.Deny, mesh.Audit:
		return word
	}
	return ""
}

// runningContainers returns the containers that run while the pod does, except the proxy.
func runningContainers(p *corev1.Pod) []corev1.Container {
	var list []corev1.Container
	for _, c := range p.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			list = append(list, c)
		}
	}
	return slices.DeleteFunc(append(list, p.Spec.Containers...), func(c corev1.Container) bool {
		return c.Name == names.ProxyContainer
	})
}

func portNames(p *corev1.Pod) map[string]int {
	names := map[string]int{}
	for _, c := range runningContainers(p) {
		for _, port := range c.Ports {
			if port.Name != "" {
				names[port.Name] = int(port.ContainerPort)
			}
		}
	}
	return names
}

// probePaths returns the paths of the HTTP probes, by port.
func probePaths(p *corev1.Pod) map[int][]string {
	paths := map[int][]string{}
	for _, c := range runningContainers(p) {
		for _, probe := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
			if probe == nil || probe.HTTPGet == nil {
				continue
			}
			port, path := probePort(c, probe.HTTPGet.Port), probe.HTTPGet.Path
			if path == "" {
				path = "/" // the API's default
			}
			if port != 0 && !slices.Contains(paths[port], path) {
				paths[port] = append(paths[port], path)
			}
		}
	}
	return paths
}

// probePort returns the number of a probe's port, 0 for a name that the container does not have.
func probePort(c corev1.Container, port intstr.IntOrString) int {
	if port.Type == intstr.Int {
		return port.IntValue()
	}
	for _, p := range c.Ports {
		if p.Name == port.StrVal {
			return int(p.ContainerPort)
		}
	}
	return 0
}

// owner returns the kind and name of the workload that a pod belongs to, "" for none. Parent
// returns the owner of a ReplicaSet.
func owner(p *corev1.Pod, parent func(replicaSet string) *metav1.OwnerReference) (kind, name string) {
	ref := metav1.GetControllerOf(p)
	if ref == nil {
		return "", ""
	}
	if ref.Kind == "ReplicaSet" {
		if deployment := parent(ref.Name); deployment != nil {
			return deployment.Kind, deployment.Name
		}
	}
	return ref.Kind, ref.Name
}
