package agent

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"coalmine/lab/scenario"
)

// A pod has crashed if it was ready and is not any more. One that starts or is deleted has not.
func TestCrashed(t *testing.T) {
	controller := true
	pod := func(ready corev1.ConditionStatus) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Name: "canary", Namespace: scenario.Namespace, UID: "1",
				Labels: map[string]string{"pod-template-hash": "abc"},
				OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "backend-abc",
					Controller: &controller}},
			},
			Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}},
		}
	}
	deleted := pod(corev1.ConditionFalse)
	deleted.DeletionTimestamp = &metav1.Time{}
	s := &scenario.Scenario{Release: scenario.Release{Service: "backend"}}
	a := &Agent{scenario: s, cluster: &cluster{scenario: s}}
	for i, c := range []struct {
		pod  *corev1.Pod
		want bool
	}{
		{pod(corev1.ConditionFalse), false}, {pod(corev1.ConditionTrue), false}, {pod(corev1.ConditionFalse), true},
		{pod(corev1.ConditionTrue), false}, {deleted, false},
	} {
		a.cluster.Kube = fake.NewSimpleClientset(c.pod)
		if got, err := a.crashed(t.Context()); err != nil || got != c.want {
			t.Errorf("state %d: crashed is %v, %v", i, got, err)
		}
	}
}
