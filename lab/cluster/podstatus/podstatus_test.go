package podstatus

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestReady(t *testing.T) {
	p := &corev1.Pod{}
	if Ready(p) || Serving(p) {
		t.Error("a pod without conditions is ready")
	}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	if !Ready(p) || !Serving(p) {
		t.Error("a ready pod is not ready")
	}
	p.DeletionTimestamp = &metav1.Time{}
	if !Ready(p) || Serving(p) {
		t.Error("a terminating pod serves")
	}
}

func TestWaiting(t *testing.T) {
	waiting := func(name, reason string) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: reason},
		}}
	}
	p := &corev1.Pod{Status: corev1.PodStatus{
		InitContainerStatuses: []corev1.ContainerStatus{waiting("proxy", "ErrImagePull")},
		ContainerStatuses:     []corev1.ContainerStatus{waiting("main", "PodInitializing")},
	}}
	if c, reason := Waiting(p); c != "proxy" || reason != "ErrImagePull" {
		t.Errorf("%s waits: %s", c, reason)
	}
	p.Status.InitContainerStatuses = nil
	if c, reason := Waiting(p); c != "" || reason != "" {
		t.Errorf("%s waits: %s", c, reason)
	}
}

func TestImageTag(t *testing.T) {
	for image, want := range map[string]string{
		"ghcr.io/fluxcd/flagger:1.43.0": "1.43.0", "localhost:5000/a": "", "a:v1@sha256:0123": "v1", "a": "",
	} {
		if got := ImageTag(image); got != want {
			t.Errorf("tag of %s is %q, want %q", image, got, want)
		}
	}
}
