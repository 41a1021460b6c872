package guardrail

import (
	"fmt"
	"slices"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"coalmine/lab/event"
)

const (
	kindAutoscaler = "HorizontalPodAutoscaler"
	// kindScaledObject is KEDA's.
	kindScaledObject = "ScaledObject"
)

// AutoscalerMetric is a metric of an autoscaler that the lab has.
type AutoscalerMetric struct {
	// Requests is set for requests per second and pod. Otherwise the metric is the CPU, for which the
	// share of a pod's workers stands that are busy.
	Requests bool
	// Target is the average to keep: requests per second, or a share of 0 to 1 and more.
	Target float64
}

// defaultUtilization is the target of an autoscaler without metrics, as a share (kubernetes,
// pkg/apis/autoscaling/v2/defaults.go).
const defaultUtilization = 0.8

// AutoscalerMetrics returns the metrics of an autoscaler that the lab has, and names the others.
func AutoscalerMetrics(h *autoscalingv2.HorizontalPodAutoscaler) (played []AutoscalerMetric, others []string) {
	if len(h.Spec.Metrics) == 0 {
		return []AutoscalerMetric{{Target: defaultUtilization}}, nil
	}
	for _, m := range h.Spec.Metrics {
		switch {
		case m.Type == autoscalingv2.ResourceMetricSourceType && m.Resource != nil:
			played, others = addResource(played, others, string(m.Resource.Name), m.Resource.Target)
		case m.Type == autoscalingv2.ContainerResourceMetricSourceType && m.ContainerResource != nil:
			played, others = addResource(played, others, string(m.ContainerResource.Name), m.ContainerResource.Target)
		case m.Type == autoscalingv2.PodsMetricSourceType && m.Pods != nil:
			average := m.Pods.Target.AverageValue
			if average == nil || average.AsApproximateFloat64() <= 0 || !countsRequests(m.Pods.Metric.Name) {
				others = append(others, m.Pods.Metric.Name)
				continue
			}
			played = append(played, AutoscalerMetric{Requests: true, Target: average.AsApproximateFloat64()})
		case m.Type == autoscalingv2.ExternalMetricSourceType && m.External != nil:
			others = append(others, m.External.Metric.Name)
		case m.Type == autoscalingv2.ObjectMetricSourceType && m.Object != nil:
			others = append(others, m.Object.Metric.Name)
		default:
			others = append(others, string(m.Type))
		}
	}
	return played, others
}

func addResource(played []AutoscalerMetric, others []string, name string,
	target autoscalingv2.MetricTarget) ([]AutoscalerMetric, []string) {
	if name != string(corev1.ResourceCPU) || target.AverageUtilization == nil || *target.AverageUtilization < 1 {
		return played, append(others, name)
	}
	return append(played, AutoscalerMetric{Target: float64(*target.AverageUtilization) / 100}), others
}

// countsRequests reports whether a metric of pods is their requests per second, by its name.
func countsRequests(name string) bool {
	name = strings.ToLower(name)
	rate := strings.Contains(name, "per_second") || strings.Contains(name, "rate") || strings.HasSuffix(name, "rps")
	return strings.Contains(name, "rps") || strings.Contains(name, "request") && rate
}

// checkAutoscaler checks what the API server would check, notes what the lab does otherwise, and limits
// the replicas: Flagger itself scales the canary to minReplicas.
func (c *checker) checkAutoscaler(d *document, h *autoscalingv2.HorizontalPodAutoscaler) {
	low, high := *h.Spec.MinReplicas, h.Spec.MaxReplicas
	switch {
	case low < 1:
		c.fail(d, "spec.minReplicas", fmt.Sprintf("%d is less than 1", low), "keep at least one replica")
	case high < low:
		c.fail(d, "spec.maxReplicas", fmt.Sprintf("%d is less than minReplicas, %d", high, low), "increase it")
	case high > MaxReplicas:
		c.note(d, "spec.maxReplicas", fmt.Sprintf("the lab runs at most %d pods of a Deployment", MaxReplicas), "")
	}
	*h.Spec.MinReplicas, h.Spec.MaxReplicas = min(low, MaxReplicas), min(high, MaxReplicas)
	if !c.checkLength(d, "spec.metrics", len(h.Spec.Metrics)) {
		return
	}
	if reason := autoscalerLeftOut(h, c.env.Targets); reason != "" {
		c.note(d, "spec", reason, "")
	}
}

// autoscalerLeftOut says what of an autoscaler the lab does not play, or "".
func autoscalerLeftOut(h *autoscalingv2.HorizontalPodAutoscaler, targets []string) string {
	target := h.Spec.ScaleTargetRef
	if target.Kind != "Deployment" || !slices.Contains(targets, target.Name) {
		return "the lab has no " + Clip(target.Kind) + " " + Clip(target.Name) + " to scale"
	}
	played, others := AutoscalerMetrics(h)
	switch {
	case len(others) == 0:
		return ""
	case len(played) == 0:
		return "the lab has no metric " + Clip(strings.Join(others, ", ")) +
			": the replicas only stay between minReplicas and maxReplicas"
	}
	return "the lab has no metric " + Clip(strings.Join(others, ", ")) + ": the autoscaler follows its other metrics"
}

// checkAutoscalerRef notes autoscalers that are not played. Flagger looks at kind and name only, so
// that any version will do (flagger, pkg/canary/hpa_reconciler.go).
func (c *checker) checkAutoscalerRef(d *document, ref *flaggerv1.AutoscalerReference) {
	if ref == nil {
		return
	}
	const path = "spec.autoscalerRef"
	if ref.Kind != kindAutoscaler && ref.Kind != kindScaledObject {
		c.fail(d, path+".kind", "must be HorizontalPodAutoscaler or ScaledObject, not "+Clip(ref.Kind),
			"write kind: HorizontalPodAutoscaler")
		return
	}
	if reason := refLeftOut(ref, c.byKey[objectKey{kindAutoscaler, ref.Name}] != nil); reason != "" {
		c.note(d, path, reason, "")
	}
	r := ref.PrimaryScalerReplicas
	if r == nil {
		return
	}
	for _, n := range []*int32{r.MinReplicas, r.MaxReplicas} {
		if n != nil && *n < 1 {
			c.fail(d, path+".primaryScalerReplicas", fmt.Sprintf("%d is less than 1", *n), "write 1 or more")
		} else if n != nil {
			*n = min(*n, MaxReplicas)
		}
	}
}

// refLeftOut says why the autoscaler of a Canary is not played, or "". found is set if it is among
// the manifests.
func refLeftOut(ref *flaggerv1.AutoscalerReference, found bool) string {
	const stay = ", so the replicas stay as they are"
	switch {
	case ref.Kind == kindScaledObject:
		return "the lab has no KEDA" + stay
	case !found:
		return "HorizontalPodAutoscaler " + Clip(ref.Name) + " is not among the manifests" + stay
	}
	return ""
}

// autoscalersLeftOut returns what the lab does not play of an autoscaler, or of a Canary's.
func (s *Set) autoscalersLeftOut(o Object) []event.LeftOut {
	left := event.LeftOut{What: event.LeftOutAutoscaler, Source: o.Source.String()}
	switch v := o.Value.(type) {
	case *autoscalingv2.HorizontalPodAutoscaler:
		left.Name, left.Reason = v.Name, autoscalerLeftOut(v, s.Environment.Targets)
	case *flaggerv1.Canary:
		ref := v.Spec.AutoscalerRef
		if ref == nil {
			return nil
		}
		left.Name, left.Canary, left.Reason = ref.Name, v.Name, refLeftOut(ref, s.hasAutoscaler(ref.Name))
		left.Source = o.document.position("spec.autoscalerRef").String()
	}
	if left.Reason == "" {
		return nil
	}
	return []event.LeftOut{left}
}

func (s *Set) hasAutoscaler(name string) bool {
	_, ok := s.Find(kindAutoscaler, name)
	return ok
}
