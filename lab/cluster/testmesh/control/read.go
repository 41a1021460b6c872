package control

import (
	"encoding/json"
	"errors"
	"fmt"

	v1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	"github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"

	"coalmine/lab/guardrail"
)

// resourceKind is a kind of custom resource that the proxies obey.
type resourceKind struct {
	resource schema.GroupVersionResource
	// make returns an empty object of the kind, nil for HTTPRoutes.
	make func() runtime.Object
}

// routeResource is the version of HTTPRoutes that Flagger writes with the mesh provider
// gatewayapi:v1beta1. The API server converts those of v1 to it.
func routeResource() schema.GroupVersionResource {
	return v1beta1.SchemeGroupVersion.WithResource("httproutes")
}

// policies returns the kinds of Linkerd's policies.
func policies() []resourceKind {
	policy := func(version, resource string) schema.GroupVersionResource {
		v, _ := schema.ParseGroupVersion(version) // a constant
		return v.WithResource(resource)
	}
	return []resourceKind{
		{policy(guardrail.ServerVersion, "servers"), func() runtime.Object { return new(guardrail.Server) }},
		{policy(guardrail.AuthorizationVersion, "authorizationpolicies"), func() runtime.Object {
			return new(guardrail.AuthorizationPolicy)
		}},
		{policy(guardrail.AuthorizationVersion, "meshtlsauthentications"), func() runtime.Object {
			return new(guardrail.MeshTLSAuthentication)
		}},
		{policy(guardrail.AuthorizationVersion, "networkauthentications"), func() runtime.Object {
			return new(guardrail.NetworkAuthentication)
		}},
		{policy(guardrail.AuthorizationVersion, "httplocalratelimitpolicies"), func() runtime.Object {
			return new(guardrail.HTTPLocalRateLimitPolicy)
		}},
		{policy(guardrail.ServerVersion, "httproutes"), func() runtime.Object { return new(v1.HTTPRoute) }},
	}
}

// readPolicy decodes a policy strictly: an unknown field could be the one that denies access.
func readPolicy(c resourceKind, u *unstructured.Unstructured) (runtime.Object, error) {
	data, err := json.Marshal(u.Object)
	if err != nil {
		return nil, unreadable(u, err)
	}
	value := c.make()
	if _, ok := value.(*v1.HTTPRoute); ok { // as those of the Gateway API
		return readRoute(u)
	}
	strict, err := kjson.UnmarshalStrict(data, value)
	if err := errors.Join(append(strict, err)...); err != nil {
		return nil, unreadable(u, err)
	}
	if s, ok := value.(*guardrail.Server); ok {
		if s.Spec.ExternalWorkloadSelector != nil {
			return nil, unreadable(u, errors.New("it selects workloads outside the cluster"))
		}
		if _, err := metav1.LabelSelectorAsSelector(s.Spec.PodSelector); err != nil {
			return nil, unreadable(u, err)
		}
	}
	return value, nil
}

// readRoute decodes an HTTPRoute. Fields of later versions of the Gateway API are ignored, as
// Linkerd's policy controller ignores what it does not know.
func readRoute(u *unstructured.Unstructured) (*v1.HTTPRoute, error) {
	route := &v1.HTTPRoute{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, route); err != nil {
		return nil, unreadable(u, err)
	}
	return route, nil
}

func unreadable(u *unstructured.Unstructured, err error) error {
	return fmt.Errorf("%s %s/%s is ignored: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
}
