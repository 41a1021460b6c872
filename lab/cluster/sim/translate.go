package sim

import (
	"time"

	"github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/cluster/sim/vclock"
	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
	"coalmine/lab/mesh/k8s"
)

// This file hands Kubernetes objects to the data plane. What they mean is package objects' to say; added here is what the fakes
// leave out.

func planeServices(list []corev1.Service) []dataplane.Service {
	var services []dataplane.Service
	for _, s := range list {
		if len(s.Spec.Ports) == 0 {
			continue
		}
		p := s.Spec.Ports[0]
		services = append(services, dataplane.Service{
			Name: s.Name, Namespace: s.Namespace, Selector: s.Spec.Selector, Port: int(p.Port), TargetPort: targetPort(p),
		})
	}
	return services
}

// targetPort is the number of the pods' port. The demo services name theirs http.
func targetPort(p corev1.ServicePort) int {
	switch number, name := k8s.TargetPort(p); name {
	case "":
		return number
	case portName:
		return 0
	}
	return -1 // a name that no pod has
}

// planeRoutes translates routes. The fakes do not say when an object came to be, so what has no time counts as old as the run.
func planeRoutes(list []v1beta1.HTTPRoute) []mesh.Route {
	routes := k8s.Routes(list)
	for i := range routes {
		if routes[i].Created.IsZero() {
			routes[i].Created = vclock.Epoch
		}
	}
	return routes
}

// planePolicies translates the Linkerd policies in force. They are ordered by age as they were applied.
func planePolicies(list []guardrail.Object) (mesh.Policies, error) {
	values := make([]runtime.Object, len(list))
	for i, o := range list {
		values[i] = o.Value
	}
	p, err := k8s.Policies(values)
	for i := range p.Servers {
		p.Servers[i].Created = vclock.Epoch.Add(time.Duration(i))
	}
	return p, err
}
