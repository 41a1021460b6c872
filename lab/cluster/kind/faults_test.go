package kind

import (
	"cmp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"coalmine/lab/cluster/names"
)

// podOf returns a ready pod of a role.
func podOf(r role) *corev1.Pod {
	always := corev1.ContainerRestartPolicyAlways
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", UID: types.UID(r), Namespace: names.DevelopNamespace,
			Labels: map[string]string{"app": "backend"}},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "init"}, {Name: "sidecar", RestartPolicy: &always}},
			Containers:     []corev1.Container{{Name: "backend", Env: envOf("leaky")}},
		},
		Status: corev1.PodStatus{
			Phase:                 corev1.PodRunning,
			Conditions:            []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "init"}, {Name: "sidecar"}},
			ContainerStatuses:     []corev1.ContainerStatus{{Name: "backend"}},
		},
	}
	switch r {
	case roleAgent:
		p.Namespace, p.Labels = names.LabNamespace, map[string]string{labelComponent: componentAgent}
	case roleTraffic:
		p.Labels[labelComponent] = componentTraffic
	case rolePrometheus:
		p.Namespace, p.Labels = names.VizNamespace, map[string]string{"component": "prometheus"}
	case roleFlagger:
		p.Namespace, p.Labels = names.FlaggerNamespace, map[string]string{"app.kubernetes.io/name": "flagger"}
	case roleControl:
		p.Namespace = names.MeshNamespace
	case roleNone:
		p.Namespace = "kube-system"
	}
	return p
}

// restart restarts a container that ended with the given code and reason.
func restart(container string, code int32, reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
			for i := range list {
				if list[i].Name == container {
					list[i].RestartCount++
					list[i].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: code,
						Reason: reason}
				}
			}
		}
	}
}

func unready(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }

func deleting(p *corev1.Pod) {
	at := metav1.NewTime(time.Unix(0, 0))
	p.DeletionTimestamp = &at
}

func succeeded(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }

func failed(p *corev1.Pod) {
	p.Status.Phase = corev1.PodFailed
	p.Status.ContainerStatuses[0].State.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error",
		Message: "no such file"}
}

func evicted(p *corev1.Pod) {
	p.Status.Conditions = append(p.Status.Conditions,
		corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
			Message: "by the eviction API"})
}

// healthOf watches a run that releases a version: "leaky" can run out of memory, "tight" cannot.
func healthOf(version string, decided bool) *health {
	return newHealth(runOf(version), func() bool { return decided })
}

func TestFaultsOfPods(t *testing.T) {
	for name, c := range map[string]struct {
		version string // "" is leaky
		role    role
		become  func(*corev1.Pod)
		gone    bool
		decided bool
		want    string // "" for no fault
	}{
		"the agent restarts": {role: roleAgent, become: restart("backend", 2, "Error"),
			want: "the agent failed: container backend of pod p: it ended with exit code 2 (Error)"},
		"the agent fails": {role: roleAgent, become: failed, want: "pod p failed: container backend: it ended with " +
			"exit code 1 (Error): no such file"},
		"the agent goes": {role: roleAgent, gone: true, want: "the agent failed: pod p was deleted"},
		"the agent's proxy restarts": {role: roleAgent, become: restart("sidecar", 1, "Error"),
			want: "container sidecar of pod p"},
		"a traffic pod fails": {role: roleTraffic, become: failed, want: "a traffic pod failed: pod p failed"},
		"a traffic pod is evicted": {role: roleTraffic, become: evicted, want: "pod p is being evicted: by the " +
			"eviction API"},
		"a traffic pod is deleted":     {role: roleTraffic, become: deleting, want: "pod p is being deleted"},
		"a traffic pod has ended":      {role: roleTraffic, become: succeeded},
		"a service runs out of memory": {role: roleService, become: restart("backend", exitKilled, "Error")},
		"a service without a memory limit exits so": {role: roleService,
			version: "tight", become: restart("backend", exitKilled, "Error"), want: "it ended with exit code 137"},
		"the machine runs out of memory": {role: roleService, become: restart("backend", exitKilled, "OOMKilled"),
			want: "(OOMKilled)"},
		"a service crashes": {role: roleService, become: restart("backend", 2, "Error"),
			want: "a pod of a service failed: container backend of pod p: it ended with exit code 2"},
		"a service is stopped by its probe": {role: roleService, become: restart("backend", 0, "Completed"),
			want: "it ended with exit code 0 (Completed)"},
		"a service's proxy exits so": {role: roleService, become: restart("sidecar", exitKilled, "Error"),
			want: "container sidecar of pod p"},
		"a service's init container is retried": {role: roleService, become: restart("init", 1, "Error")},
		"a service is slow":                     {role: roleService, become: unready},
		"a service is replaced":                 {role: roleService, become: deleting},
		"a replaced service is gone":            {role: roleService, gone: true},
		"a service is evicted":                  {role: roleService, become: evicted, want: "evicted"},
		"Prometheus restarts": {role: rolePrometheus, become: restart("backend", 137, "Error"),
			want: "Prometheus failed: container backend"},
		"Prometheus does not answer": {role: rolePrometheus, become: unready, want: "Prometheus failed: pod p is no " +
			"longer ready"},
		"Prometheus is killed": {role: rolePrometheus, become: deleting, want: "Prometheus failed: pod p is being " +
			"deleted"},
		"Prometheus goes at once": {role: rolePrometheus, gone: true,
			want: "Prometheus failed: pod p was deleted"},
		"Prometheus goes after the decision": {role: rolePrometheus, gone: true, decided: true},
		"Flagger restarts": {role: roleFlagger, become: restart("backend", 1, "Error"),
			want: "Flagger failed"},
		"Flagger restarts after the decision": {role: roleFlagger, become: restart("backend", 1, "Error"),
			decided: true},
		"the agent goes after the decision": {role: roleAgent, gone: true, decided: true, want: "the agent failed"},
		"the control plane restarts":        {role: roleControl, become: restart("backend", 1, "Error")},
		"an unrelated pod fails":            {role: roleNone, become: failed},
	} {
		t.Run(name, func(t *testing.T) {
			h, p := healthOf(cmp.Or(c.version, "leaky"), c.decided), podOf(c.role)
			at := time.Unix(100, 0)
			p.Status.ContainerStatuses[0].RestartCount = 3 // before the run
			h.pod(p.DeepCopy(), at)
			h.start()
			h.pod(p.DeepCopy(), at)
			if err := h.fault(at); err != nil {
				t.Fatalf("a ready pod: %v", err)
			}
			if c.become != nil {
				c.become(p)
				h.pod(p, at)
			}
			if c.gone {
				h.podGone(p, at)
			}
			err := h.fault(at)
			if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("fault %v, want %q", err, c.want)
			}
			h.stop()
			if again := h.fault(at.Add(time.Hour)); (again != nil) != (err != nil) {
				t.Errorf("after the end: %v", again)
			}
		})
	}
}

// A pod that is created during the run has no earlier state.
func TestFaultsOfNewPods(t *testing.T) {
	h, p := healthOf("leaky", false), podOf(roleService)
	h.start()
	restart("backend", 1, "Error")(p)
	h.pod(p, time.Unix(0, 0))
	if h.fault(time.Unix(0, 0)) == nil {
		t.Error("a new pod that crashed is not a fault")
	}
}

func TestFaultsOfTheControlPlane(t *testing.T) {
	h, p := healthOf("leaky", false), podOf(roleControl)
	begin := time.Unix(100, 0)
	h.start()
	unready(p)
	h.pod(p.DeepCopy(), begin)
	h.pod(p.DeepCopy(), begin.Add(20*time.Second))
	if err := h.fault(begin.Add(controlPlaneTimeout)); err != nil {
		t.Error(err)
	}
	h.pod(podOf(roleControl), begin.Add(controlPlaneTimeout))
	if err := h.fault(begin.Add(time.Hour)); err != nil {
		t.Errorf("it came back in time: %v", err)
	}
	h.pod(p, begin.Add(time.Hour))
	err := h.fault(begin.Add(time.Hour + controlPlaneTimeout + time.Second))
	if err == nil || !strings.Contains(err.Error(),
		"the mesh's control plane failed: pod p has not been ready for over 30s") {
		t.Error(err)
	}
}

func TestFaultsOfNodes(t *testing.T) {
	node := func(name string, ready corev1.ConditionStatus) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}},
		}}
	}
	at := time.Unix(0, 0)
	h := healthOf("leaky", true)
	h.start()
	h.node(node("a", corev1.ConditionTrue), at)
	h.node(node("b", corev1.ConditionFalse), at) // it never was ready
	h.node(node("a", corev1.ConditionTrue), at)
	if err := h.fault(at); err != nil {
		t.Error(err)
	}
	h.node(node("a", corev1.ConditionUnknown), at)
	if err := h.fault(at); err == nil || err.Error() != "node a is no longer ready" {
		t.Error(err)
	}
}
