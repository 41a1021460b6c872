// Package k8s converts Kubernetes objects to mesh types: Services, HTTPRoutes and Linkerd's
// policies. Both the sim and the real cluster use it, so that a manifest means the same in both. It
// has no client.
package k8s

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// TargetPort returns the target port of a Service's port: a number, or 0 and the name of a
// container port.
func TargetPort(p corev1.ServicePort) (number int, name string) {
	switch {
	case p.TargetPort.Type == intstr.String:
		return 0, p.TargetPort.StrVal
	case p.TargetPort.IntVal == 0:
		return int(p.Port), "" // the API's default
	}
	return int(p.TargetPort.IntVal), ""
}
