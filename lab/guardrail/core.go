package guardrail

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// checkTarget checks a reference to one of the lab's Deployments.
func (c *checker) checkTarget(d *document, field, apiVersion, kind, name string) bool {
	available := "available: " + strings.Join(c.env.Targets, ", ")
	switch {
	case kind != "Deployment":
		c.fail(d, field+".kind", "must be Deployment, not "+Clip(kind), "write kind: Deployment")
	case apiVersion != "apps/v1":
		c.fail(d, field+".apiVersion", "must be apps/v1, not "+Clip(apiVersion), "write apiVersion: apps/v1")
	case name == "":
		c.fail(d, field+".name", "is missing", available)
	case !slices.Contains(c.env.Targets, name):
		c.fail(d, field+".name", "the lab has no Deployment "+Clip(name), available)
	default:
		return true
	}
	return false
}

func (c *checker) checkSecret(d *document, s *corev1.Secret) {
	for name := range s.Data {
		if problems := validation.IsConfigMapKey(name); len(problems) > 0 {
			c.fail(d, "data", "key "+Clip(name)+" is invalid: "+problems[0], "rename it")
		}
	}
}
