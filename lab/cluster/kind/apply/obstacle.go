package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
)

const (
	// explainTimeout bounds the search for a reason after a timeout.
	explainTimeout = 5 * time.Second
	// pullGrace is how long a pod may fail to pull an image: failures of registries and networks
	// can be temporary.
	pullGrace = time.Minute
)

// Obstacle is a reason why a pod is not ready.
type Obstacle struct {
	// Pod, and its Node, or "" if it has none.
	Pod, Node string
	// Container and Image are "" if the obstacle does not concern a container.
	Container, Image string
	// Reason is Kubernetes' own: ImagePullBackOff, CrashLoopBackOff, Unschedulable. Message has
	// details.
	Reason, Message string
	// Log is the line with the error in the log of a container that ended.
	Log string
	// ended is true if the container has ended and waits for its next restart.
	ended bool
	// permanent obstacles do not go away by waiting.
	permanent bool
}

func (o Obstacle) String() string {
	text := "pod " + o.Pod
	if o.Node != "" {
		text += " on node " + o.Node
	}
	if o.pull() {
		return fmt.Sprintf("%s: image %s is not available (%s): %s", text, o.Image, o.Reason, o.Message)
	}
	if o.Container != "" {
		text += ", container " + o.Container
	}
	details := []string{o.Reason, o.Message}
	if o.ended {
		details = []string{o.Message, o.Log}
	}
	return text + ": " + strings.Join(slices.DeleteFunc(details, func(s string) bool { return s == "" }), ": ")
}

// pull reports whether the node does not have the image (kubernetes, pkg/kubelet/images/types.go).
func (o Obstacle) pull() bool {
	switch o.Reason {
	case "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "RegistryUnavailable":
		return true
	}
	return false
}

// obstacles returns the obstacles of a workload's pods, ordered by name.
func obstacles(pods []unstructured.Unstructured, now time.Time) []Obstacle {
	var all []Obstacle
	for _, o := range pods {
		var p corev1.Pod
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &p); err == nil &&
			p.DeletionTimestamp == nil {
			all = append(all, podObstacles(&p, now)...)
		}
	}
	slices.SortStableFunc(all, func(a, b Obstacle) int { return cmp.Compare(a.Pod, b.Pod) })
	return all
}

func podObstacles(p *corev1.Pod, now time.Time) []Obstacle {
	var all []Obstacle
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			all = append(all, Obstacle{Pod: p.Name, Reason: c.Reason, Message: c.Message})
		}
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if o, ok := containerObstacle(p, &s, now); ok {
			all = append(all, o)
		}
	}
	return all
}

func containerObstacle(p *corev1.Pod, s *corev1.ContainerStatus, now time.Time) (Obstacle, bool) {
	o := Obstacle{Pod: p.Name, Node: p.Spec.NodeName, Container: s.Name, Image: s.Image}
	switch {
	case s.State.Waiting != nil && s.State.Waiting.Reason != "ContainerCreating" &&
		s.State.Waiting.Reason != "PodInitializing":
		o.Reason, o.Message = s.State.Waiting.Reason, s.State.Waiting.Message
		if t := s.LastTerminationState.Terminated; t != nil {
			o.Message, o.Log, o.ended = exitReason(s, t), errorLine(t.Message), true
		}
		age := now.Sub(p.CreationTimestamp.Time)
		o.permanent = o.pull() && (age >= pullGrace || o.Reason == "ErrImageNeverPull" ||
			o.Reason == "InvalidImageName") || keepsEnding(s)
		return o, true
	case s.State.Terminated != nil && s.State.Terminated.ExitCode != 0:
		t := s.State.Terminated
		o.Reason, o.Message, o.Log = t.Reason, exitReason(s, t), errorLine(t.Message)
		o.ended, o.permanent = true, keepsEnding(s)
		return o, true
	case s.State.Running != nil && !s.Ready && s.RestartCount > 0:
		o.Reason, o.Message = "NotReady", fmt.Sprintf("restarted %d times", s.RestartCount)
		return o, true
	case s.State.Running != nil && !s.Ready:
		o.Reason, o.Message = "NotReady", "its probes fail"
		return o, true
	}
	return o, false
}

// exitReason says how often a container ended, and how the last time.
func exitReason(s *corev1.ContainerStatus, t *corev1.ContainerStateTerminated) string {
	text := fmt.Sprintf("ended with exit code %d", t.ExitCode)
	if s.RestartCount > 0 {
		text = fmt.Sprintf("ended %d times, the last time with exit code %d", s.RestartCount+1, t.ExitCode)
	}
	if t.Reason != "" && t.Reason != "Error" {
		text += " (" + t.Reason + ")"
	}
	return text
}

// NotReady reports that an object did not become ready, and why.
type NotReady struct {
	Ref Ref
	// State describes its progress: "0 of 1 replicas are available".
	State     string
	Obstacles []Obstacle
	cause     error
}

func (e *NotReady) Error() string {
	text := e.Ref.String() + " is not ready"
	if e.State != "" {
		text += ": " + e.State
	}
	for _, o := range e.Obstacles {
		text += "; " + o.String()
	}
	if len(e.Obstacles) > 0 && errors.Is(e.cause, errStuck) {
		return text
	}
	return text + ": " + e.cause.Error()
}

// Unwrap returns what ended the wait: the context's error, or the API server's.
func (e *NotReady) Unwrap() error { return e.cause }

// Hint says what to do, or returns "" if the error says it.
func (e *NotReady) Hint() string {
	for _, o := range e.Obstacles {
		switch {
		case o.pull():
			return fmt.Sprintf("node %s can neither pull image %s nor has it: create a bundle on a connected "+
				"machine (coalmine bundle create -o FILE) and use it (coalmine up --bundle FILE)", o.Node, o.Image)
		case o.Reason == "Unschedulable":
			return "the node has too little memory or CPU left: give Docker more, or stop other programs"
		case o.ended:
			return fmt.Sprintf("the log shows why: kubectl logs -n %s %s -c %s; coalmine up "+
				"tries again with new pods", e.Ref.Namespace, o.Pod,
				o.Container)
		}
	}
	return ""
}

func podsOf(namespace string) Ref { return Ref{Kind: "Pod", Namespace: namespace} }

// resourceOnceServed waits a little for a new kind.
func (c *Client) resourceOnceServed(ctx context.Context, r Ref) (resource dynamic.ResourceInterface, err error) {
	err = c.retry(ctx, func() error {
		resource, err = c.resource(r, "")
		return err
	})
	if meta.IsNoMatchError(err) {
		return nil, fmt.Errorf("the cluster has no kind %s", r.Kind)
	}
	return resource, err
}
