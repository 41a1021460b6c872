package guardrail

import (
	"fmt"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// checkAutoscaler checks what the API server would, and that the target is the lab's.
func (c *checker) checkAutoscaler(d *document, h *autoscalingv2.HorizontalPodAutoscaler) {
	c.checkTarget(d, "spec.scaleTargetRef", h.Spec.ScaleTargetRef.APIVersion, h.Spec.ScaleTargetRef.Kind, h.Spec.ScaleTargetRef.Name)
	low, high := *h.Spec.MinReplicas, h.Spec.MaxReplicas
	switch {
	case low < 1:
		c.fail(d, "spec.minReplicas", fmt.Sprintf("%d is less than 1", low), "keep at least one replica")
	case high < low:
		c.fail(d, "spec.maxReplicas", fmt.Sprintf("%d is less than minReplicas, %d", high, low), "raise it")
	case high > MaxReplicas:
		c.fail(d, "spec.maxReplicas", fmt.Sprintf("%d is more than the lab's limit of %d", high, MaxReplicas), "lower it")
	}
	if len(h.Spec.Metrics) > MaxItems {
		c.fail(d, "spec.metrics", fmt.Sprintf("more than %d entries", MaxItems), "keep those that matter")
	}
}

// checkTarget checks a reference to one of the lab's Deployments.
func (c *checker) checkTarget(d *document, field, apiVersion, kind, name string) bool {
	exist := "there is " + strings.Join(c.env.Targets, ", ")
	switch {
	case kind != "Deployment":
		c.fail(d, field+".kind", "must be Deployment, not "+clip(kind), "write kind: Deployment")
	case apiVersion != "apps/v1":
		c.fail(d, field+".apiVersion", "must be apps/v1, not "+clip(apiVersion), "write apiVersion: apps/v1")
	case name == "":
		c.fail(d, field+".name", "is missing", exist)
	case !slices.Contains(c.env.Targets, name):
		c.fail(d, field+".name", "the lab has no Deployment "+clip(name), exist)
	default:
		return true
	}
	return false
}

func (c *checker) checkSecret(d *document, s *corev1.Secret) {
	for name := range s.Data {
		if problems := validation.IsConfigMapKey(name); len(problems) > 0 {
			c.fail(d, "data", "key "+clip(name)+" is not valid: "+problems[0], "rename it")
		}
	}
}
