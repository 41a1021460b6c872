package kind

import (
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"coalmine/lab/cluster/names"
	"coalmine/lab/scenario"
)

// role is what a pod is to a run.
type role string

const (
	roleNone       role = ""
	roleAgent      role = "the desk"
	roleTraffic    role = "a traffic pod"
	roleService    role = "a pod of a service"
	rolePrometheus role = "Prometheus"
	roleFlagger    role = "Flagger"
	roleControl    role = "the mesh's control plane"
)

func roleOf(p *corev1.Pod) role {
	switch p.Namespace {
	case names.LabNamespace:
		if p.Labels[labelComponent] == componentAgent {
			return roleAgent
		}
	case names.DevelopNamespace:
		switch {
		case p.Labels[labelComponent] == componentTraffic:
			return roleTraffic
		case p.Labels["app"] != "":
			return roleService
		}
	case names.VizNamespace:
		if p.Labels["component"] == "prometheus" {
			return rolePrometheus
		}
	case names.FlaggerNamespace:
		if p.Labels["app.kubernetes.io/name"] == "flagger" {
			return roleFlagger
		}
	case names.MeshNamespace:
		return roleControl
	}
	return roleNone
}

// affectsVerdict tells roles on which the verdict depends: without Prometheus and Flagger, guardrails see and do nothing. Once the rollout is
// decided, and in runs without guardrails, what becomes of them changes nothing.
func (r role) affectsVerdict() bool { return r == rolePrometheus || r == roleFlagger }

// stateful tells roles of pods that keep in their memory what the run needs: they must not go away, nor be started anew.
func (r role) stateful() bool { return r == roleAgent || r == roleTraffic || r.affectsVerdict() }

// controlPlaneTimeout is how long the control plane may be away: its proxies go on by what they know, but routes and new pods wait for it.
const controlPlaneTimeout = 30 * time.Second

// health watches over what the run stands on. The first fault stays: it may be called from several goroutines.
type health struct {
	scenario *scenario.Scenario
	// decided tells whether what judges the rollout has done its work.
	decided func() bool

	mu    sync.Mutex
	known map[types.UID]*corev1.Pod
	// watching is set once the world stands: what pods went through before is no matter.
	watching bool
	// notReady has pods of the control plane that are not ready, and since when; nodes has those that were ready.
	notReady   map[types.UID]time.Time
	nodes      map[string]bool
	firstFault error
}

func newHealth(s *scenario.Scenario, decided func() bool) *health {
	return &health{scenario: s, decided: decided, known: map[types.UID]*corev1.Pod{}, notReady: map[types.UID]time.Time{}, nodes: map[string]bool{}}
}

// start takes the pods as they are for well.
func (h *health) start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watching = true
}

// stop lets nothing more count.
func (h *health) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watching = false
}

// pod looks at a pod that came or changed.
func (h *health) pod(p *corev1.Pod, at time.Time) {
	r := roleOf(p)
	if r == roleNone {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.known[p.UID]
	h.known[p.UID] = p
	if r == roleControl {
		h.trackReady(p, at)
	}
	if before == nil {
		before = &corev1.Pod{}
	}
	h.fail(r, h.faultOf(r, before, p))
}

func (h *health) podGone(p *corev1.Pod, _ time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.known, p.UID)
	delete(h.notReady, p.UID)
	if r := roleOf(p); r.stateful() && p.Status.Phase != corev1.PodSucceeded {
		h.fail(r, fmt.Sprintf("pod %s was deleted", p.Name))
	}
}

func (h *health) trackReady(p *corev1.Pod, at time.Time) {
	if ready(p) || p.Status.Phase == corev1.PodSucceeded {
		delete(h.notReady, p.UID)
	} else if _, ok := h.notReady[p.UID]; !ok {
		h.notReady[p.UID] = at
	}
}

// node looks at a node: one that was ready and is no more takes its pods with it.
func (h *health) node(n *corev1.Node, _ time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := false
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			now = c.Status == corev1.ConditionTrue
		}
	}
	if h.nodes[n.Name] && !now {
		h.fail(roleNone, fmt.Sprintf("node %s is not ready any more", n.Name))
	}
	h.nodes[n.Name] = now
}

func (h *health) nodeGone(n *corev1.Node, _ time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fail(roleNone, fmt.Sprintf("node %s is gone", n.Name))
}

// fail keeps the first fault that counts.
func (h *health) fail(r role, what string) {
	if what == "" || !h.watching || h.firstFault != nil || r.affectsVerdict() && h.decided() {
		return
	}
	if r == roleNone {
		h.firstFault = fmt.Errorf("%s", what)
		return
	}
	h.firstFault = fmt.Errorf("%s failed: %s", r, what)
}

// fault says what went wrong up to a time; nil as long as all is well.
func (h *health) fault(now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for uid, since := range h.notReady {
		if now.Sub(since) > controlPlaneTimeout {
			h.fail(roleControl, fmt.Sprintf("pod %s has not been ready for over %v", h.known[uid].Name, controlPlaneTimeout))
		}
	}
	return h.firstFault
}

// faultOf says what is wrong with a pod that was not wrong before, "" for nothing. What a scenario does to its own services is no
// fault of the lab.
func (h *health) faultOf(r role, before, p *corev1.Pod) string {
	if disrupted := condition(p, corev1.DisruptionTarget); disrupted != nil && disrupted.Status == corev1.ConditionTrue {
		return fmt.Sprintf("pod %s is being evicted: %s", p.Name, disrupted.Message)
	}
	if p.Status.Phase == corev1.PodFailed {
		return fmt.Sprintf("pod %s has failed: %s", p.Name, whyFailed(p))
	}
	if p.DeletionTimestamp != nil {
		if r.stateful() && before.DeletionTimestamp == nil && p.Status.Phase != corev1.PodSucceeded {
			return fmt.Sprintf("pod %s is being deleted", p.Name)
		}
		return "" // services and the control plane are replaced in their own time
	}
	if what := h.restarted(r, before, p); what != "" {
		return what
	}
	if r.affectsVerdict() && ready(before) && !ready(p) {
		return fmt.Sprintf("pod %s is not ready any more", p.Name)
	}
	return ""
}

// restarted finds a container that was started anew, or has ended where none should.
func (h *health) restarted(r role, before, p *corev1.Pod) string {
	counts := map[string]int32{}
	for _, s := range statuses(before) {
		counts[s.Name] = s.RestartCount
	}
	for _, s := range statuses(p) {
		if s.RestartCount <= counts[s.Name] || r == roleControl || h.modelledOOM(r, p, s) {
			continue
		}
		why := "it was started anew"
		if t := s.LastTerminationState.Terminated; t != nil {
			why = exitReason(t)
		}
		return fmt.Sprintf("container %s of pod %s: %s", s.Name, p.Name, why)
	}
	return ""
}

// exitKilled is how a service ends that has run out of its modelled memory.
const exitKilled = 137

// modelledOOM tells whether a container ended by what the scenario lets its version do: run out of memory. A container that the kernel
// killed is another matter: the pods have no limits, so it was the machine's memory that ran out.
func (h *health) modelledOOM(r role, p *corev1.Pod, s corev1.ContainerStatus) bool {
	if r != roleService || len(p.Spec.Containers) == 0 || s.Name != p.Spec.Containers[0].Name {
		return false
	}
	t := s.LastTerminationState.Terminated
	svc := h.scenario.Service(s.Name)
	if t == nil || svc == nil || t.ExitCode != exitKilled || t.Reason == "OOMKilled" {
		return false
	}
	return svc.Versions[versionOf(&corev1.PodTemplateSpec{ObjectMeta: p.ObjectMeta, Spec: p.Spec})].Behaviour.Memory.Limit > 0
}

// statuses are those of the containers of a pod that run as long as it does: sidecars are init containers that go on.
func statuses(p *corev1.Pod) []corev1.ContainerStatus {
	sidecar := map[string]bool{}
	for _, c := range p.Spec.InitContainers {
		sidecar[c.Name] = c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
	}
	all := append([]corev1.ContainerStatus{}, p.Status.ContainerStatuses...)
	for _, s := range p.Status.InitContainerStatuses {
		if sidecar[s.Name] {
			all = append(all, s)
		}
	}
	return all
}

func exitReason(t *corev1.ContainerStateTerminated) string {
	text := fmt.Sprintf("it ended with code %d", t.ExitCode)
	if t.Reason != "" {
		text += " (" + t.Reason + ")"
	}
	if t.Message != "" {
		text += ": " + t.Message
	}
	return text
}

// whyFailed finds the reason of a pod that failed.
func whyFailed(p *corev1.Pod) string {
	for _, s := range statuses(p) {
		if t := s.State.Terminated; t != nil && t.ExitCode != 0 {
			return fmt.Sprintf("container %s: %s", s.Name, exitReason(t))
		}
	}
	if p.Status.Reason != "" {
		return p.Status.Reason + ": " + p.Status.Message
	}
	return "nobody says why"
}

func ready(p *corev1.Pod) bool {
	c := condition(p, corev1.PodReady)
	return c != nil && c.Status == corev1.ConditionTrue
}

func condition(p *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == kind {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}
