package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// defaultProgressDeadline is the API's default of spec.progressDeadlineSeconds.
const defaultProgressDeadline = 600 * time.Second

func replicas(d *appsv1.Deployment) int {
	if d.Spec.Replicas == nil {
		return 1
	}
	return int(*d.Spec.Replicas)
}

func scaled(v intstr.IntOrString, of int, up bool) int {
	n, err := intstr.GetScaledValueFromIntOrPercent(&v, of, up)
	if err != nil {
		return 0
	}
	return n
}

func newest(w *workload) []*Pod {
	return filter(w, func(p *Pod) bool { return p.revision == w.revision })
}
func outdated(w *workload) []*Pod {
	return filter(w, func(p *Pod) bool { return p.revision != w.revision })
}
func available(w *workload) int { return len(filter(w, func(p *Pod) bool { return p.Ready })) }

func filter(w *workload, keep func(*Pod) bool) []*Pod {
	var ps []*Pod
	for _, p := range w.pods {
		if keep(p) {
			ps = append(ps, p)
		}
	}
	return ps
}

// nextToRemove returns an unready pod, or else the youngest, in the order of a ReplicaSet.
func nextToRemove(ps []*Pod) *Pod {
	return slices.MinFunc(ps, func(a, b *Pod) int {
		if a.Ready != b.Ready {
			if b.Ready {
				return -1
			}
			return 1
		}
		return cmp.Or(-cmp.Compare(a.Created, b.Created), -cmp.Compare(a.Name, b.Name))
	})
}

// Counts are the numbers of pods of a Deployment.
type Counts struct{ Desired, Total, Updated, Ready int }

// Count returns the numbers of pods of a Deployment as of the last [Controller.Reconcile].
func (c *Controller) Count(d *appsv1.Deployment) Counts {
	w := c.workloads[d.Name]
	if w == nil {
		return Counts{Desired: replicas(d)}
	}
	return Counts{Desired: replicas(d), Total: len(w.pods), Updated: len(newest(w)), Ready: available(w)}
}

// writeStatus writes the status if it changed. The fake clientset does not maintain generations, so
// the observed generation is the current one.
func (c *Controller) writeStatus(ctx context.Context, d *appsv1.Deployment, w *workload, now time.Duration) error {
	n := c.Count(d)
	status := appsv1.DeploymentStatus{
		ObservedGeneration:  d.Generation,
		Replicas:            int32(n.Total),
		UpdatedReplicas:     int32(n.Updated),
		ReadyReplicas:       int32(n.Ready),
		AvailableReplicas:   int32(n.Ready),
		UnavailableReplicas: int32(max(0, max(n.Total, n.Desired)-n.Ready)),
	}
	complete := n.Updated == n.Desired && n.Total == n.Desired && n.Ready == n.Desired
	status.Conditions = []appsv1.DeploymentCondition{progressing(d, w, now, complete), availability(n)}
	b, err := json.Marshal(status)
	if err != nil {
		return fmt.Errorf("deployment %s: %w", d.Name, err)
	}
	if w.status == string(b) {
		return nil
	}
	w.status = string(b)
	for i := range status.Conditions {
		status.Conditions[i].LastUpdateTime = w.lastUpdateTime(status.Conditions[i])
	}
	update := d.DeepCopy()
	update.Status = status
	if _, err := c.client.AppsV1().Deployments(c.namespace).UpdateStatus(ctx, update,
		metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("deployment %s: %w", d.Name, err)
	}
	return nil
}

// lastUpdateTime returns when a condition last changed. Flagger's progress deadline starts there.
func (w *workload) lastUpdateTime(c appsv1.DeploymentCondition) metav1.Time {
	if w.conditions == nil {
		w.conditions = map[appsv1.DeploymentConditionType]appsv1.DeploymentCondition{}
	}
	before, ok := w.conditions[c.Type]
	if !ok || before.Status != c.Status || before.Reason != c.Reason {
		before = c
		before.LastUpdateTime = metav1.Now()
		w.conditions[c.Type] = before
	}
	return before.LastUpdateTime
}

func progressing(d *appsv1.Deployment, w *workload, now time.Duration, complete bool) appsv1.DeploymentCondition {
	cond := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue,
		Reason: "ReplicaSetUpdated"}
	deadline := defaultProgressDeadline
	if s := d.Spec.ProgressDeadlineSeconds; s != nil {
		deadline = time.Duration(*s) * time.Second
	}
	switch {
	case complete:
		cond.Reason = "NewReplicaSetAvailable"
	case now-w.lastProgress > deadline:
		cond.Status, cond.Reason = corev1.ConditionFalse, "ProgressDeadlineExceeded"
	}
	return cond
}

func availability(n Counts) appsv1.DeploymentCondition {
	cond := appsv1.DeploymentCondition{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue,
		Reason: "MinimumReplicasAvailable"}
	if n.Ready < n.Desired-n.Desired/4 {
		cond.Status, cond.Reason = corev1.ConditionFalse, "MinimumReplicasUnavailable"
	}
	return cond
}
