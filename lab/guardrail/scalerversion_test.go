package guardrail

import (
	"slices"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

const olderScaler = `apiVersion: autoscaling/VERSION
kind: HorizontalPodAutoscaler
metadata: {name: backend}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: backend}
  minReplicas: 2
  maxReplicas: 6
  METRICS
`

// TestOlderScalers expects autoscalers of all versions to be played as the API server converts them.
func TestOlderScalers(t *testing.T) {
	for version, metrics := range map[string]string{
		"v1":      "targetCPUUtilizationPercentage: 85",
		"v2beta1": "metrics: [{type: Resource, resource: {name: cpu, targetAverageUtilization: 85}}]",
		"v2beta2": "metrics: [{type: Resource, resource: {name: cpu, " +
			"target: {type: Utilization, averageUtilization: 85}}}]",
	} {
		set, err := parseText(strings.NewReplacer("VERSION", version, "METRICS", metrics).Replace(olderScaler))
		if err != nil || len(set.Objects) != 1 {
			t.Errorf("%s: %v", version, err)
			continue
		}
		played, others := AutoscalerMetrics(set.Objects[0].Value.(*autoscalingv2.HorizontalPodAutoscaler))
		if len(played) != 1 || played[0].Target != 0.85 || len(others) > 0 {
			t.Errorf("%s: got %v, %v", version, played, others)
		}
		noted := slices.ContainsFunc(set.Notes, func(f Finding) bool {
			return strings.Contains(f.Message, "Kubernetes serves autoscaling/"+version+" no longer")
		})
		if noted == (version == "v1") {
			t.Errorf("%s: notes %v", version, set.Notes)
		}
	}
}

// TestOlderScalerMetrics expects the names and targets of metrics that are not the CPU's.
func TestOlderScalerMetrics(t *testing.T) {
	const metrics = `metrics:
  - {type: Pods, pods: {metricName: rps, targetAverageValue: 30}}
  - {type: External, external: {metricName: queue, metricSelector: {matchLabels: {q: a}}, targetValue: 5}}
  - {type: Object, object: {target: {kind: Service, name: a}, metricName: hits, targetValue: 7}}`
	set, err := parseText(strings.NewReplacer("VERSION", "v2beta1", "METRICS", metrics).Replace(olderScaler))
	if err != nil {
		t.Fatal(err)
	}
	h := set.Objects[0].Value.(*autoscalingv2.HorizontalPodAutoscaler)
	played, others := AutoscalerMetrics(h)
	if len(played) != 1 || !played[0].Requests || played[0].Target != 30 || strings.Join(others, " ") != "queue hits" {
		t.Errorf("got %v, %v", played, others)
	}
	if m := h.Spec.Metrics; m[1].External.Metric.Selector == nil || m[1].External.Target.Value.Value() != 5 ||
		m[2].Object.DescribedObject.Name != "a" || m[2].Object.Target.Value.Value() != 7 {
		t.Errorf("got %+v", m)
	}
}
