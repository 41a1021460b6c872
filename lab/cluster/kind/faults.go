package kind

import (
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/podstatus"
)

// role is the role of a pod in a run.
type role string

const (
	roleNone       role = ""
	roleAgent      role = "the agent"
	roleTraffic    role = "a traffic pod"
	roleLoadTester role = "Flagger's load tester"
	roleService    role = "a pod of a service"
	rolePrometheus role = "Prometheus"
	roleFlagger    role = "Flagger"
	roleControl    role = "the mesh's control plane"
)

func roleOf(p *corev1.Pod) role {
	switch p.Namespace {
	case names.LabNamespace:
		switch p.Labels[labelComponent] {
		case componentAgent:
			return roleAgent
		case componentLoadTester:
			return roleLoadTester
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

// affectsVerdict reports whether the verdict depends on pods of this role: without Prometheus and
// Flagger, guardrails see and do nothing, and without the load tester webhooks fail. Once the
// rollout is decided, and in unguarded runs, they do not matter.
func (r role) affectsVerdict() bool {
	return r == rolePrometheus || r == roleFlagger || r == roleLoadTester
}

// stateful reports whether pods of this role hold state of the run in memory: they must not be
// deleted or restarted.
func (r role) stateful() bool { return r == roleAgent || r == roleTraffic || r.affectsVerdict() }

// controlPlaneTimeout is how long the control plane may be away: its proxies continue with their
// last state, but new routes and pods wait for it.
const controlPlaneTimeout = 30 * time.Second

// health watches the pods and nodes that a run depends on, and keeps the first fault. It is safe
// for concurrent use.
type health struct {
	spec cluster.RunSpec
	// decided reports whether the rollout is over.
	decided func() bool

	mu    sync.Mutex
	known map[types.UID]*corev1.Pod
	// watching is set once the run starts: earlier events of pods do not count.
	watching bool
	// notReady maps pods of the control plane to since when they have not been ready; nodes has the
	// nodes that were ready.
	notReady   map[types.UID]time.Time
	nodes      map[string]bool
	firstFault error
}

func newHealth(f cluster.RunSpec, decided func() bool) *health {
	return &health{spec: f, decided: decided, known: map[types.UID]*corev1.Pod{},
		notReady: map[types.UID]time.Time{}, nodes: map[string]bool{}}
}

// start starts to count faults.
func (h *health) start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watching = true
}

// stop stops to count faults.
func (h *health) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watching = false
}

// pod handles a pod that was added or changed.
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
	if podstatus.Ready(p) || p.Status.Phase == corev1.PodSucceeded {
		delete(h.notReady, p.UID)
	} else if _, ok := h.notReady[p.UID]; !ok {
		h.notReady[p.UID] = at
	}
}

// node handles a node: one that stops being ready takes its pods with it.
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
		h.fail(roleNone, fmt.Sprintf("node %s is no longer ready", n.Name))
	}
	h.nodes[n.Name] = now
}

func (h *health) nodeGone(n *corev1.Node, _ time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fail(roleNone, fmt.Sprintf("node %s is gone", n.Name))
}

// report handles a fault that no pod shows.
func (h *health) report(r role, what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fail(r, what)
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

// fault returns the first fault up to a time, or nil.
func (h *health) fault(now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for uid, since := range h.notReady {
		if now.Sub(since) > controlPlaneTimeout {
			h.fail(roleControl, fmt.Sprintf("pod %s has not been ready for over %v", h.known[uid].Name,
				controlPlaneTimeout))
		}
	}
	return h.firstFault
}

// faultOf returns what is wrong with a pod that was not wrong before, or "". What a scenario does
// to its own services is not a fault.
func (h *health) faultOf(r role, before, p *corev1.Pod) string {
	if disrupted := podstatus.Condition(p, corev1.DisruptionTarget); disrupted != nil &&
		disrupted.Status == corev1.ConditionTrue {
		return fmt.Sprintf("pod %s is being evicted: %s", p.Name, disrupted.Message)
	}
	if p.Status.Phase == corev1.PodFailed {
		return fmt.Sprintf("pod %s failed: %s", p.Name, whyFailed(p))
	}
	if p.DeletionTimestamp != nil {
		if r.stateful() && before.DeletionTimestamp == nil && p.Status.Phase != corev1.PodSucceeded {
			return fmt.Sprintf("pod %s is being deleted", p.Name)
		}
		return "" // services and the control plane may be replaced
	}
	if what := h.restarted(r, before, p); what != "" {
		return what
	}
	if r.affectsVerdict() && podstatus.Ready(before) && !podstatus.Ready(p) {
		return fmt.Sprintf("pod %s is no longer ready", p.Name)
	}
	return ""
}

// restarted finds a container that was restarted, or ended unexpectedly.
func (h *health) restarted(r role, before, p *corev1.Pod) string {
	counts := map[string]int32{}
	for _, s := range statuses(before) {
		counts[s.Name] = s.RestartCount
	}
	for _, s := range statuses(p) {
		if s.RestartCount <= counts[s.Name] || r == roleControl || h.modelledOOM(r, p, s) {
			continue
		}
		why := "it was restarted"
		if t := s.LastTerminationState.Terminated; t != nil {
			why = exitReason(t)
		}
		return fmt.Sprintf("container %s of pod %s: %s", s.Name, p.Name, why)
	}
	return ""
}

// exitKilled is the exit code of a service that exceeds its modelled memory.
const exitKilled = 137

// modelledOOM reports whether a container ended because the scenario lets its version run out of
// memory. If the kernel killed it, that is something else: the pods have no limits, so the machine
// ran out of memory.
func (h *health) modelledOOM(r role, p *corev1.Pod, s corev1.ContainerStatus) bool {
	if r != roleService || len(p.Spec.Containers) == 0 || s.Name != p.Spec.Containers[0].Name {
		return false
	}
	t := s.LastTerminationState.Terminated
	svc := h.spec.Scenario.Service(s.Name)
	if t == nil || svc == nil || t.ExitCode != exitKilled || t.Reason == "OOMKilled" {
		return false
	}
	return svc.Versions[versionOf(h.spec, &p.Spec)].Behaviour.Memory.Limit > 0
}

// statuses returns the statuses of the containers that run as long as the pod: its containers and
// its sidecars.
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
	text := fmt.Sprintf("it ended with exit code %d", t.ExitCode)
	if t.Reason != "" {
		text += " (" + t.Reason + ")"
	}
	if t.Message != "" {
		text += ": " + t.Message
	}
	return text
}

// whyFailed returns why a pod failed.
func whyFailed(p *corev1.Pod) string {
	for _, s := range statuses(p) {
		if t := s.State.Terminated; t != nil && t.ExitCode != 0 {
			return fmt.Sprintf("container %s: %s", s.Name, exitReason(t))
		}
	}
	if p.Status.Reason != "" {
		return p.Status.Reason + ": " + p.Status.Message
	}
	return "Kubernetes gives no reason"
}
