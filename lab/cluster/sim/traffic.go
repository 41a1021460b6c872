package sim

import (
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/cluster/sim/kube"
	"coalmine/lab/cluster/sim/prom"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
	"coalmine/lab/scenario"
)

// injectAnnotation disables proxy injection for a pod; the namespace enables it.
const injectAnnotation = "linkerd.io/inject"

// traffic is the data plane and its pods. Driver, runner and gates use it.
type traffic struct {
	plane  *dataplane.Plane
	models models
	pods   []*pod
	// podsAdded counts all pods ever added, to number their addresses.
	podsAdded int
	// recordedUntil is the end of the last recorded window.
	recordedUntil time.Duration
	// meshUntil is the end of the last time whose effects of the mesh were recorded.
	meshUntil      time.Duration
	totalsRecorded bool
}

// pod is an existing pod of a demo service.
type pod struct {
	dataplane.Pod
	ready bool
}

// identity returns the pod's mesh identity, or "" without a proxy.
func (p *pod) identity() string {
	if !p.Meshed {
		return ""
	}
	return mesh.Identity(p.ServiceAccount, p.Namespace)
}

// addPod adds a pod of a demo service.
func (t *traffic) addPod(p kube.Pod, annotations map[string]string) {
	service, version := t.models.versionOf(p.Template)
	t.podsAdded++
	added := dataplane.Pod{
		Name: p.Name, Namespace: scenario.Namespace, Deployment: p.Deployment,
		Labels: p.Template.Labels, Annotations: annotations,
		ServiceAccount: p.Template.Spec.ServiceAccountName,
		Service:        service, Version: version, VersionLabel: p.Template.Labels[workloads.LabelVersion],
		Workload: p.Deployment,
		Addr:     netip.AddrFrom4([4]byte{10, 42, byte(t.podsAdded >> 8), byte(t.podsAdded)}),
		Ports:    map[string]int{},
		Model:    t.models.Of(service, version),
		Meshed:   p.Template.Annotations[injectAnnotation] != "disabled",
	}
	for _, c := range p.Template.Spec.Containers {
		for _, port := range c.Ports {
			added.Port = int(port.ContainerPort)
			added.Ports[port.Name] = added.Port
		}
		added.ProbePath = readinessPath(c.ReadinessProbe, added.Ports, added.Port)
	}
	t.pods = append(t.pods, &pod{Pod: added})
	t.plane.AddPod(added)
}

// readinessPath returns the path of a readiness probe by HTTP on a port, or "".
func readinessPath(probe *corev1.Probe, named map[string]int, port int) string {
	if probe == nil || probe.HTTPGet == nil {
		return ""
	}
	at := probe.HTTPGet.Port.IntValue()
	if probe.HTTPGet.Port.Type == intstr.String {
		at = named[probe.HTTPGet.Port.StrVal]
	}
	if at != port {
		return ""
	}
	return probe.HTTPGet.Path
}

// setReady sets whether a pod receives requests.
func (t *traffic) setReady(name string, ready bool, now time.Duration) {
	t.noteReady(name, ready)
	if ready {
		t.plane.SetReady(name, now)
	} else {
		t.plane.SetUnready(name)
	}
}

// noteReady remembers whether a pod receives requests.
func (t *traffic) noteReady(name string, ready bool) {
	for _, p := range t.pods {
		if p.Name == name {
			p.ready = ready
		}
	}
}

func (t *traffic) removePod(name string) {
	t.pods = slices.DeleteFunc(t.pods, func(p *pod) bool { return p.Name == name })
	t.plane.RemovePod(name)
}

// collect adds the series of all proxies and services to a scrape.
func (t *traffic) collect(s *prom.Scrape) {
	t.plane.Collect(func(m mesh.Metric) {
		id := m.ID()
		if !s.Knows(id) {
			series := make([]prom.Series, m.Len())
			for i := range series {
				series[i] = meshSeries{m.Series(i)}
			}
			s.Define(id, series)
		}
		m.Values(s.Values(id))
	})
}

// meshSeries is a series of a proxy or of a service. It implements [prom.Series].
type meshSeries struct{ mesh.Series }

// Labels implements [prom.Series].
func (s meshSeries) Labels() []prom.Label {
	labels := s.Series.Labels()
	converted := make([]prom.Label, len(labels))
	for i, l := range labels {
		converted[i] = prom.Label{Name: l.Name, Value: l.Value}
	}
	return converted
}

// policies are the Linkerd policies in force.
type policies struct {
	objects []guardrail.Object
	// namespaceDefault is the namespace's default policy, or "".
	namespaceDefault string
	// guardrails are the Servers and default policies that the guardrails set.
	guardrails []mesh.Ref
}

// podAnnotations returns a template's annotations, with the namespace's default policy.
func (w *world) podAnnotations(t *corev1.PodTemplateSpec) map[string]string {
	p, unlock := w.policies.lock()
	defer unlock()
	annotations := map[string]string{}
	if p.namespaceDefault != "" {
		annotations[mesh.DefaultPolicyAnnotation] = p.namespaceDefault
	}
	for k, v := range t.Annotations {
		annotations[k] = v
	}
	return annotations
}
