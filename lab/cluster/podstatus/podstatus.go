// Package podstatus reads the status of Kubernetes pods.
package podstatus

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Condition returns the pod's condition of a type, or nil.
func Condition(p *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == kind {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

// Ready reports whether the pod's condition Ready is true.
func Ready(p *corev1.Pod) bool {
	c := Condition(p, corev1.PodReady)
	return c != nil && c.Status == corev1.ConditionTrue
}

// Serving reports whether Services send requests to the pod: it is ready and not being deleted.
func Serving(p *corev1.Pod) bool { return p.DeletionTimestamp == nil && Ready(p) }

// Waiting returns the first container that waits to start, other than for its turn, and the reason
// in Kubernetes' terms: ImagePullBackOff, CrashLoopBackOff. Both are "" if none waits.
func Waiting(p *corev1.Pod) (container, reason string) {
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if w := s.State.Waiting; w != nil && w.Reason != "" && w.Reason != "PodInitializing" {
			return s.Name, w.Reason
		}
	}
	return "", ""
}

// ImageTag returns the tag of an image reference, or "" if it has none.
func ImageTag(image string) string {
	image, _, _ = strings.Cut(image, "@")
	name := image[strings.LastIndexByte(image, '/')+1:]
	_, tag, _ := strings.Cut(name, ":")
	return tag
}
