// Package k8s says Kubernetes objects in the mesh's words: Services, HTTPRoutes and Linkerd's policies as package mesh takes
// them. The sim and the real cluster both translate by it, so that a manifest means the same in both. It talks to no cluster.
package k8s

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// TargetPort is where a Service's port leads to on its pods: a number, or the name of a container port and 0.
func TargetPort(p corev1.ServicePort) (number int, name string) {
	switch {
	case p.TargetPort.Type == intstr.String:
		return 0, p.TargetPort.StrVal
	case p.TargetPort.IntVal == 0:
		return int(p.Port), "" // the API's default
	}
	return int(p.TargetPort.IntVal), ""
}

// deref is what a pointer points to, or the field's default.
func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
