package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/cluster/sim/kube"
	"coalmine/lab/cluster/sim/prom"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/mesh"
	"coalmine/lab/scenario"
)

// injectAnnotation decides whether a pod gets a proxy; the namespace has it enabled.
const injectAnnotation = "linkerd.io/inject"

// addPod tells the data plane of a new pod of a demo service.
func (w *world) addPod(p kube.Pod) {
	service, version, _ := imageOf(p.Template)
	w.podCount++
	pod := dataplane.Pod{
		Name: p.Name, Namespace: scenario.Namespace, Deployment: p.Deployment,
		Labels: p.Template.Labels, Annotations: w.podAnnotations(p.Template),
		ServiceAccount: p.Template.Spec.ServiceAccountName,
		Service:        service, Version: version, Workload: p.Deployment,
		Addr:   netip.AddrFrom4([4]byte{10, 42, byte(w.podCount >> 8), byte(w.podCount)}),
		Ports:  map[string]int{},
		Model:  w.models.Of(service, version),
		Meshed: p.Template.Annotations[injectAnnotation] != "disabled",
	}
	for _, c := range p.Template.Spec.Containers {
		for _, port := range c.Ports {
			pod.Port = int(port.ContainerPort)
			pod.Ports[port.Name] = pod.Port
		}
	}
	w.podStates = append(w.podStates, &podState{Pod: pod})
	w.plane.AddPod(pod)
}

// podState is a pod of a demo service that is there, for gates.
type podState struct {
	dataplane.Pod
	ready bool
}

// identity is the pod's in the mesh, "" without a proxy.
func (p *podState) identity() string {
	if !p.Meshed {
		return ""
	}
	return mesh.Identity(p.ServiceAccount, p.Namespace)
}

// setReady says whether a pod takes requests.
func (w *world) setReady(name string, ready bool, now time.Duration) {
	for _, p := range w.podStates {
		if p.Name == name {
			p.ready = ready
		}
	}
	if ready {
		w.plane.SetReady(name, now)
	} else {
		w.plane.SetUnready(name)
	}
}

func (w *world) removePod(name string) {
	w.podStates = slices.DeleteFunc(w.podStates, func(p *podState) bool { return p.Name == name })
	w.plane.RemovePod(name)
}

// podAnnotations are the template's, over the namespace's default policy.
func (w *world) podAnnotations(t *corev1.PodTemplateSpec) map[string]string {
	annotations := map[string]string{}
	if w.defaultPolicy != "" {
		annotations[mesh.DefaultPolicyAnnotation] = w.defaultPolicy
	}
	for k, v := range t.Annotations {
		annotations[k] = v
	}
	return annotations
}

// collect adds the series of all proxies and services to a scrape.
func (w *world) collect(s *prom.Scrape) {
	w.plane.Collect(func(id int, labels []mesh.Label, value float64) {
		s.Add(id, value, func() []prom.Label {
			ls := make([]prom.Label, len(labels))
			for i, l := range labels {
				ls[i] = prom.Label{Name: l.Name, Value: l.Value}
			}
			return ls
		})
	})
}

// recordRoutes notes how clients route now, for each route that changed.
func (w *world) recordRoutes(routes []mesh.Route) {
	w.statusMu.Lock()
	cookies := w.cookies
	w.statusMu.Unlock()
	for _, r := range routes {
		fact := workloads.RouteFact(r, cookies)
		if words := fmt.Sprint(fact); w.lastRoutes[r.Name] != words {
			w.lastRoutes[r.Name] = words
			w.record(sourceDriver, fact)
		}
	}
}
