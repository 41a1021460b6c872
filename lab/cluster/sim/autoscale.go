package sim

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/cluster/sim/hpa"
	"coalmine/lab/guardrail"
	"coalmine/lab/scenario"
)

// autoscalers are the HorizontalPodAutoscaler controller and its metrics. They belong to the driver.
type autoscalers struct {
	states map[string]*hpa.Autoscaler
	// pods has what was seen of each pod since the last decision.
	pods map[string]podUsage
}

// podUsage is what a pod did since the last decision.
type podUsage struct {
	// busy is the sum of samples of the share of the pod's workers that were busy; seen counts them.
	busy float64
	seen int
	// before and now are its requests at the last decision and since.
	before, now int
}

// autoscale samples the pods at the end of each window, and decides every [hpa.SyncPeriod].
func (d *driver) autoscale(t *traffic, now time.Duration) error {
	if !d.autoscaled.Load() {
		return nil
	}
	usage := t.plane.Usage()
	d.scalers.sample(usage)
	if now/hpa.SyncPeriod == (now-window)/hpa.SyncPeriod {
		return nil
	}
	api := d.kube.AutoscalingV2().HorizontalPodAutoscalers(scenario.Namespace)
	list, err := api.List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("autoscalers: %w", err)
	}
	slices.SortFunc(list.Items, func(a, b autoscalingv2.HorizontalPodAutoscaler) int {
		return cmp.Compare(a.Name, b.Name)
	})
	for i := range list.Items {
		if err := d.scale(&list.Items[i], usage, now); err != nil {
			return fmt.Errorf("autoscaler %s: %w", list.Items[i].Name, err)
		}
	}
	d.scalers.restart(usage)
	return nil
}

func (s *autoscalers) sample(usage []dataplane.Usage) {
	for _, u := range usage {
		p, known := s.pods[u.Pod]
		if !known {
			p.before = u.Requests
		}
		if u.Ready {
			p.seen++
			if u.Capacity > 0 {
				p.busy += float64(u.InWork) / float64(u.Capacity)
			}
		}
		p.now = u.Requests
		s.pods[u.Pod] = p
	}
}

// restart begins a new period.
func (s *autoscalers) restart(usage []dataplane.Usage) {
	clear(s.pods)
	for _, u := range usage {
		s.pods[u.Pod] = podUsage{before: u.Requests, now: u.Requests}
	}
}

// scale sets the replicas that an autoscaler wants.
func (d *driver) scale(h *autoscalingv2.HorizontalPodAutoscaler, usage []dataplane.Usage, now time.Duration) error {
	api, ctx := d.kube.AppsV1().Deployments(scenario.Namespace), context.Background()
	target, err := api.Get(ctx, h.Spec.ScaleTargetRef.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil // Flagger creates the primary's autoscaler after its Deployment, and others name none
	case err != nil:
		return err
	}
	state := d.scalers.states[h.Name]
	if state == nil {
		state = &hpa.Autoscaler{}
		d.scalers.states[h.Name] = state
	}
	have := replicasOf(target)
	want := int32(state.Desired(now, &h.Spec, int(have), d.scalers.metrics(h, target.Name, usage)))
	if want == have {
		return nil
	}
	target = target.DeepCopy()
	target.Spec.Replicas = &want
	_, err = api.Update(ctx, target, metav1.UpdateOptions{})
	return err
}

func replicasOf(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1
	}
	return *d.Spec.Replicas
}

// metrics returns what an autoscaler's metrics show about the pods of a Deployment.
func (s *autoscalers) metrics(h *autoscalingv2.HorizontalPodAutoscaler, deployment string,
	usage []dataplane.Usage) []hpa.Metric {
	played, _ := guardrail.AutoscalerMetrics(h)
	var list []hpa.Metric
	for _, m := range played {
		var shown hpa.Metric
		for _, u := range usage {
			p := s.pods[u.Pod]
			switch {
			case u.Deployment != deployment:
			case !u.Ready || p.seen == 0:
				shown.Unready++
			case m.Requests:
				rate := float64(p.now-p.before) / hpa.SyncPeriod.Seconds()
				shown.Values = append(shown.Values, rate/m.Target)
			case u.Capacity > 0:
				shown.Values = append(shown.Values, p.busy/float64(p.seen)/m.Target)
			}
		}
		list = append(list, shown)
	}
	return list
}
