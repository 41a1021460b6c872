package guardrail

import (
	"slices"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	gatewayv1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// kind is a kind of object that can be a guardrail.
type kind struct {
	name string
	// versions are the accepted API versions. Objects are converted to the first.
	versions  []string
	newObject func() runtime.Object
}

// kinds returns the kinds in the order in which objects are applied: an object comes after those it
// refers to.
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
		{"HTTPLocalRateLimitPolicy", policy, func() runtime.Object { return new(HTTPLocalRateLimitPolicy) }},
		{"HTTPRoute", []string{RouteVersion, "gateway.networking.k8s.io/v1"},
			func() runtime.Object { return new(gatewayv1.HTTPRoute) }},
		{"HTTPRoute", []string{ServerVersion, LinkerdGroup + "/v1beta2", LinkerdGroup + "/v1beta1",
			AuthorizationVersion},
			func() runtime.Object { return new(gatewayv1.HTTPRoute) }},
		{"ServiceProfile", []string{ProfileVersion}, func() runtime.Object { return new(ServiceProfile) }},
		{"HorizontalPodAutoscaler", []string{"autoscaling/v2"},
			func() runtime.Object { return new(autoscalingv2.HorizontalPodAutoscaler) }},
		{"MetricTemplate", flagger, func() runtime.Object { return new(flaggerv1.MetricTemplate) }},
		{"AlertProvider", flagger, func() runtime.Object { return new(flaggerv1.AlertProvider) }},
		{"Canary", flagger, func() runtime.Object { return new(flaggerv1.Canary) }},
	}
}

// refusal says why a kind is not accepted.
type refusal struct {
	// field is apiVersion or kind, whichever is wrong.
	field         string
	message, hint string
}

// findKind returns the kind that a document names, or a refusal.
func findKind(apiVersion, name string) (kind, *refusal) {
	all := kinds()
	i := slices.IndexFunc(all, func(k kind) bool { return k.name == name && group(k.versions[0]) == group(apiVersion) })
	if i < 0 {
		return kind{}, refuseKind(apiVersion, name)
	}
	if !slices.Contains(all[i].versions, apiVersion) {
		return kind{}, &refusal{"apiVersion", name + " has no version " + Clip(apiVersion),
			"write apiVersion: " + all[i].versions[0]}
	}
	return all[i], nil
}

// group returns the API group of an apiVersion, "" for the core group.
func group(apiVersion string) string {
	g, _, found := strings.Cut(apiVersion, "/")
	if !found {
		return ""
	}
	return g
}

// refuseKind says why a kind cannot be a guardrail.
func refuseKind(apiVersion, name string) *refusal {
	refuse := func(reason, hint string) *refusal {
		return &refusal{"kind", Clip(name) + " is not allowed: " + reason, hint}
	}
	switch name {
	case "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Pod", "Job", "CronJob":
		return refuse("the lab provides the workloads",
			"remove it; a Canary refers to the lab's Deployment in targetRef")
	case "Service", "Endpoints", "EndpointSlice":
		return refuse("the lab and Flagger create the Services",
			"remove it; write the port under spec.service of the Canary")
	case "List":
		return refuse("a document must be one object", "write each item as a document of its own, separated by ---")
	case "ServerAuthorization":
		return refuse("Linkerd has replaced it", "write an AuthorizationPolicy and a MeshTLSAuthentication")
	case "HTTPLocalConcurrencyLimitPolicy", "EgressNetwork", "GRPCRoute", "TCPRoute", "TLSRoute":
		return refuse("the lab does not support it", "remove it")
	case "TrafficSplit":
		return refuse("Linkerd has deprecated it in favour of HTTPRoute", "remove it; Flagger creates the HTTPRoute")
	case "ScaledObject":
		return refuse("the lab has no KEDA", "write a HorizontalPodAutoscaler (autoscaling/v2)")
	case "Rollout", "AnalysisTemplate", "AnalysisRun", "Experiment":
		return refuse("it belongs to Argo Rollouts, but the lab runs Flagger", "write a Canary and MetricTemplates")
	case "CustomResourceDefinition", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding":
		return refuse("guardrails cannot change the cluster's APIs or permissions", "remove it")
	}
	return refuseGroup(group(apiVersion), name)
}

// refuseGroup says why a kind cannot be a guardrail, by its API group.
func refuseGroup(g, name string) *refusal {
	shown := Clip(name)
	switch {
	case strings.HasSuffix(g, ".istio.io"):
		return &refusal{"kind", shown + " is not allowed: it belongs to Istio, but the lab runs Linkerd",
			"use a Canary, an HTTPRoute or Linkerd's policies"}
	case strings.HasPrefix(g, "monitoring.coreos.com"):
		return &refusal{"kind", shown + " is not allowed: the lab provides Prometheus",
			"write the query in a MetricTemplate"}
	}
	names := make([]string, 0, 16)
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	names = slices.Compact(names)
	return &refusal{"kind", shown + " cannot be a guardrail", "use " + strings.Join(names, ", ")}
}
