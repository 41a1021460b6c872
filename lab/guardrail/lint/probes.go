package lint

import (
	"net/netip"
	"slices"
	"strings"

	gatewayv1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
	"coalmine/lab/mesh/k8s"
)

// probePaths are the usual paths of probes, beside those that the scenario's pods have.
func probePaths() []string {
	return []string{"/readyz", "/healthz", "/livez", "/health", "/ready", "/live", "/ping"}
}

// checkProbeRoute reports a Server whose routes admit the kubelet to none of the usual probe paths.
// The kubelet is outside the mesh: a policy that requires an identity turns it away too.
func checkProbeRoute(p *pass) {
	server, ok := p.object.Value.(*guardrail.Server)
	if !ok || server.Spec.PodSelector == nil {
		return
	}
	policies, routes := p.policies(server)
	if len(routes) == 0 {
		return
	}
	w := mesh.Workload{Namespace: server.Namespace, Labels: server.Spec.PodSelector.MatchLabels,
		PortNames: map[string]int{server.Spec.Port.StrVal: 1}}
	port := int(server.Spec.Port.IntVal)
	if port == 0 {
		port = 1
	}
	policies.Servers[0].Selector = mesh.Selector{}
	kubelet := mesh.Client{Addr: netip.AddrFrom4([4]byte{10, 0, 0, 1})}
	admitted := slices.ContainsFunc(probePaths(), func(path string) bool {
		return policies.Probe(w, port, kubelet, "GET", path).Allowed
	})
	if !admitted {
		p.warn("metadata.name",
			"has the HTTPRoute "+guardrail.Clip(routes[0])+" and none that admits the kubelet's probes: "+
				"if pods are probed on this port, they become unready within three probes, and clients get 504 and 503",
			"add an HTTPRoute for the probe's path, and an AuthorizationPolicy for it with a NetworkAuthentication")
	}
}

// policies returns the policies about one Server, and the names of its routes.
func (p *pass) policies(server *guardrail.Server) (*mesh.Policies, []string) {
	values := []runtime.Object{server}
	var routes []string
	for _, o := range p.set.Objects {
		switch v := o.Value.(type) {
		case *guardrail.AuthorizationPolicy, *guardrail.MeshTLSAuthentication, *guardrail.NetworkAuthentication:
			values = append(values, v)
		case *gatewayv1.HTTPRoute:
			if slices.ContainsFunc(v.Spec.ParentRefs, func(ref gatewayv1.ParentReference) bool {
				return parentKind(v, ref) == "Server" && strings.EqualFold(string(ref.Name), server.Name)
			}) {
				values, routes = append(values, v), append(routes, v.Name)
			}
		}
	}
	policies, _ := k8s.Policies(values) // what cannot be converted is an error of its own
	return &policies, routes
}
