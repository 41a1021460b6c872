package guardrail

import (
	"slices"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	gatewayv1beta1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// kind is a kind of object that a guardrail may consist of.
type kind struct {
	name string
	// versions are the API versions that are read; the first is the one to which objects are normalised.
	versions  []string
	newObject func() runtime.Object
}

// kinds lists them in the order in which objects are applied: what is referred to comes before what refers to it.
func kinds() []kind {
	policy := []string{AuthorizationVersion}
	flagger := []string{flaggerv1.SchemeGroupVersion.String()}
	return []kind{
		{"Namespace", []string{"v1"}, func() runtime.Object { return new(corev1.Namespace) }},
		{"ServiceAccount", []string{"v1"}, func() runtime.Object { return new(corev1.ServiceAccount) }},
		{"ConfigMap", []string{"v1"}, func() runtime.Object { return new(corev1.ConfigMap) }},
		{"Secret", []string{"v1"}, func() runtime.Object { return new(corev1.Secret) }},
		{"Server", []string{ServerVersion, LinkerdGroup + "/v1beta2", LinkerdGroup + "/v1beta1"},
			func() runtime.Object { return new(Server) }},
		{"MeshTLSAuthentication", policy, func() runtime.Object { return new(MeshTLSAuthentication) }},
		{"NetworkAuthentication", policy, func() runtime.Object { return new(NetworkAuthentication) }},
		{"AuthorizationPolicy", policy, func() runtime.Object { return new(AuthorizationPolicy) }},
		{"HTTPRoute", []string{gatewayv1beta1.SchemeGroupVersion.String(), "gateway.networking.k8s.io/v1"},
			func() runtime.Object { return new(gatewayv1beta1.HTTPRoute) }},
		{"HorizontalPodAutoscaler", []string{"autoscaling/v2"},
			func() runtime.Object { return new(autoscalingv2.HorizontalPodAutoscaler) }},
		{"MetricTemplate", flagger, func() runtime.Object { return new(flaggerv1.MetricTemplate) }},
		{"AlertProvider", flagger, func() runtime.Object { return new(flaggerv1.AlertProvider) }},
		{"Canary", flagger, func() runtime.Object { return new(flaggerv1.Canary) }},
	}
}

// findKind looks a kind up, or says why it is refused and what to do.
func findKind(apiVersion, name string) (k kind, what, todo string) {
	all := kinds()
	i := slices.IndexFunc(all, func(k kind) bool { return k.name == name && group(k.versions[0]) == group(apiVersion) })
	if i < 0 {
		what, todo = refuseKind(apiVersion, name)
		return kind{}, what, todo
	}
	if !slices.Contains(all[i].versions, apiVersion) {
		return kind{}, name + " has no version " + clip(apiVersion) + " here", "write apiVersion: " + all[i].versions[0]
	}
	return all[i], "", ""
}

func group(apiVersion string) string {
	g, _, found := strings.Cut(apiVersion, "/")
	if !found {
		return ""
	}
	return g
}

// refuseKind says why a kind is none of a guardrail's, and what to do.
func refuseKind(apiVersion, name string) (what, todo string) {
	shown := clip(name)
	switch name {
	case "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Pod", "Job", "CronJob":
		return shown + " is not accepted: the lab brings the workload", "leave it out; a Canary refers to the lab's Deployment by targetRef"
	case "Service", "Endpoints", "EndpointSlice":
		return shown + " is not accepted: the lab and Flagger make the Services", "leave it out; say the port under the Canary's spec.service"
	case "List":
		return "a List is not accepted", "write its items as documents of their own, separated by ---"
	case "ServerAuthorization":
		return "ServerAuthorization is not accepted: Linkerd has replaced it", "write an AuthorizationPolicy with a MeshTLSAuthentication"
	case "HTTPLocalRateLimitPolicy", "HTTPLocalConcurrencyLimitPolicy", "EgressNetwork", "GRPCRoute", "TCPRoute", "TLSRoute":
		return shown + " is not modelled yet", "leave it out"
	case "TrafficSplit", "ServiceProfile":
		return shown + " is not accepted: Linkerd has deprecated it for HTTPRoute", "leave it out; Flagger writes the HTTPRoute"
	case "ScaledObject":
		return "ScaledObject is not accepted: the lab has no KEDA", "write a HorizontalPodAutoscaler (autoscaling/v2)"
	case "Rollout", "AnalysisTemplate", "AnalysisRun", "Experiment":
		return shown + " is not accepted: it belongs to Argo Rollouts, the lab runs Flagger", "write a Canary and MetricTemplates"
	case "CustomResourceDefinition", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding":
		return shown + " is not accepted: a guardrail does not change what the cluster offers or allows", "leave it out"
	}
	return refuseGroup(group(apiVersion), shown)
}

func refuseGroup(g, name string) (what, todo string) {
	switch {
	case g == LinkerdGroup && name == "HTTPRoute":
		return "HTTPRoute of policy.linkerd.io is not accepted: Linkerd prefers the Gateway API's",
			"write apiVersion: " + gatewayv1beta1.SchemeGroupVersion.String()
	case strings.HasSuffix(g, ".istio.io"):
		return name + " is not accepted: it belongs to Istio, the lab's mesh is Linkerd", "use a Canary, an HTTPRoute or Linkerd's policies"
	case strings.HasPrefix(g, "monitoring.coreos.com"):
		return name + " is not accepted: the lab brings its Prometheus", "write the query into a MetricTemplate"
	}
	names := make([]string, 0, 16)
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return "kind " + name + " is not a guardrail's", "use " + strings.Join(names, ", ")
}
