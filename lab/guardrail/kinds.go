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
		{"HorizontalPodAutoscaler", []string{scalerVersion},
			func() runtime.Object { return new(autoscalingv2.HorizontalPodAutoscaler) }},
		{"MetricTemplate", flagger, func() runtime.Object { return new(flaggerv1.MetricTemplate) }},
		{"AlertProvider", flagger, func() runtime.Object { return new(flaggerv1.AlertProvider) }},
		{"Canary", flagger, func() runtime.Object { return new(flaggerv1.Canary) }},
	}
}

// findKind returns the kind of an object. It returns a finding without a position for an API that
// the groups of guardrails do not have, and neither for the kinds of everyone else.
func findKind(apiVersion, name string) (*kind, *Finding) {
	all := kinds()
	i := slices.IndexFunc(all, func(k kind) bool { return k.name == name && group(k.versions[0]) == group(apiVersion) })
	if i < 0 {
		return nil, unknownKind(apiVersion, name)
	}
	if !slices.Contains(all[i].versions, apiVersion) {
		return nil, &Finding{Field: "apiVersion", Message: name + " has no version " + Clip(apiVersion),
			Hint: "write apiVersion: " + all[i].versions[0]}
	}
	return &all[i], nil
}

// group returns the API group of an apiVersion, "" for the core group.
func group(apiVersion string) string {
	g, _, found := strings.Cut(apiVersion, "/")
	if !found {
		return ""
	}
	return g
}

// unknownKind returns a finding about a kind that a group of guardrails does not have, or nil.
func unknownKind(apiVersion, name string) *Finding {
	var names []string
	switch group(apiVersion) {
	case flaggerv1.SchemeGroupVersion.Group:
		names = []string{"AlertProvider", "Canary", "MetricTemplate"}
	case LinkerdGroup:
		names = []string{"AuthorizationPolicy", "EgressNetwork", "HTTPLocalConcurrencyLimitPolicy",
			"HTTPLocalRateLimitPolicy", "HTTPRoute", "MeshTLSAuthentication", "NetworkAuthentication", "Server",
			"ServerAuthorization"}
	}
	if len(names) == 0 || slices.Contains(names, name) {
		return nil
	}
	return &Finding{Field: "kind", Message: group(apiVersion) + " has no kind " + Clip(name),
		Hint: "the kinds are " + strings.Join(names, ", ")}
}
