package sim

import (
	"time"

	gatewayv1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	"github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/cluster/sim/vclock"
	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
	"coalmine/lab/mesh/k8s"
)

// This file converts Kubernetes objects for the data plane. Package k8s does most of it; this adds
// what the fakes leave out.

func planeServices(list []corev1.Service) []dataplane.Service {
	var services []dataplane.Service
	for _, s := range list {
		if len(s.Spec.Ports) == 0 {
			continue
		}
		p := s.Spec.Ports[0]
		services = append(services, dataplane.Service{
			Name: s.Name, Namespace: s.Namespace, Selector: s.Spec.Selector, Port: int(p.Port),
			TargetPort: targetPort(p), Policy: servicePolicy(&s),
		})
	}
	return services
}

// servicePolicy returns what a Service's annotations say to its clients' proxies. Linkerd leaves out
// what it cannot parse, too.
func servicePolicy(s *corev1.Service) mesh.ServicePolicy {
	policy, _ := k8s.ServicePolicy(s, int(s.Spec.Ports[0].Port)) // lint names what is wrong
	return policy
}

// targetPort returns the number of a Service's target port; 0 is the pods' port named http.
func targetPort(p corev1.ServicePort) int {
	switch number, name := k8s.TargetPort(p); name {
	case "":
		return number
	case portName:
		return 0
	}
	return -1 // no pod has a port of this name
}

// planeRoutes converts Flagger's routes and those of users, in this order. The fakes set no creation
// times, so those of Flagger's are passed by name, as times since the run's start. Kubernetes keeps
// whole seconds.
func planeRoutes(flagger []v1beta1.HTTPRoute, users []*gatewayv1.HTTPRoute,
	created map[string]time.Duration) []mesh.Route {
	var routes []mesh.Route
	for i := range flagger {
		upgraded := k8s.Upgrade(&flagger[i])
		upgraded.CreationTimestamp.Time = vclock.Epoch.Add(created[upgraded.Name].Truncate(time.Second))
		routes = append(routes, k8s.Route(upgraded))
	}
	for _, r := range users {
		routes = append(routes, k8s.Route(r))
	}
	return routes
}

// planePolicies converts the Linkerd policies in force and the routes that belong to Servers. The age
// of policies is the order in which they were applied.
func planePolicies(list []guardrail.Object, routes []*gatewayv1.HTTPRoute) (mesh.Policies, error) {
	values := make([]runtime.Object, 0, len(list)+len(routes))
	for _, o := range list {
		values = append(values, o.Value)
	}
	for _, r := range routes {
		values = append(values, r)
	}
	p, err := k8s.Policies(values)
	for i := range p.Servers {
		p.Servers[i].Created = vclock.Epoch.Add(time.Duration(i))
	}
	for i := range p.RateLimits {
		p.RateLimits[i].Created = vclock.Epoch.Add(time.Duration(i))
	}
	return p, err
}

// planeProfiles converts the ServiceProfiles. Those that Linkerd cannot read have no effect there,
// either.
func planeProfiles(list []guardrail.Object) []mesh.Profile {
	var profiles []mesh.Profile
	for _, o := range list {
		if s, ok := o.Value.(*guardrail.ServiceProfile); ok {
			if p, err := k8s.Profile(s); err == nil {
				profiles = append(profiles, p)
			}
		}
	}
	return profiles
}
