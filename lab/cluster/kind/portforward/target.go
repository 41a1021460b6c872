package portforward

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"coalmine/lab/cluster/podstatus"
)

// target is a port of a Service.
type target struct {
	client             kubernetes.Interface
	namespace, service string
	port               int
}

func (t target) String() string {
	return fmt.Sprintf("port-forward to %s.%s:%d", t.service, t.namespace, t.port)
}

// pod is a pod behind the Service and its port.
type pod struct {
	namespace, name string
	port            int
}

// pod returns the first ready pod by name.
func (t target) pod(ctx context.Context) (pod, error) {
	s, err := t.client.CoreV1().Services(t.namespace).Get(ctx, t.service, metav1.GetOptions{})
	if err != nil {
		return pod{}, err
	}
	i := slices.IndexFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return int(p.Port) == t.port })
	if i < 0 {
		return pod{}, fmt.Errorf("the Service has no port %d", t.port)
	}
	if len(s.Spec.Selector) == 0 {
		return pod{}, fmt.Errorf("the Service selects no pods")
	}
	all, err := t.client.CoreV1().Pods(t.namespace).List(ctx,
		metav1.ListOptions{LabelSelector: labels.SelectorFromSet(s.Spec.Selector).String()})
	if err != nil {
		return pod{}, err
	}
	slices.SortFunc(all.Items, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	for _, p := range all.Items {
		if number, ok := portOf(p, s.Spec.Ports[i].TargetPort, t.port); ok && podstatus.Serving(&p) {
			return pod{t.namespace, p.Name, number}, nil
		}
	}
	return pod{}, fmt.Errorf("none of the Service's %d pods is ready", len(all.Items))
}

// portOf returns the pod's port for a Service's target port. If there is none, it is the Service's
// own.
func portOf(p corev1.Pod, to intstr.IntOrString, own int) (int, bool) {
	if to.Type == intstr.Int {
		if to.IntVal == 0 {
			return own, true
		}
		return int(to.IntVal), true
	}
	for _, c := range slices.Concat(p.Spec.Containers, p.Spec.InitContainers) {
		for _, port := range c.Ports {
			if port.Name == to.StrVal {
				return int(port.ContainerPort), true
			}
		}
	}
	return 0, false
}
