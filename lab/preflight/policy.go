package preflight

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coalmine/lab/cluster/names"
)

// policyGroup is the API group of Linkerd's policy resources.
const policyGroup = "policy.linkerd.io"

// policyResources maps resources to their versions; the first version that the cluster serves is
// used.
var policyResources = map[string][]string{
	"servers":                {"v1beta3", "v1beta2", "v1beta1"},
	"authorizationpolicies":  {"v1alpha1"},
	"meshtlsauthentications": {"v1alpha1"},
	"networkauthentications": {"v1alpha1"},
}

func policyCRDs(ctx context.Context, l *Lab) Finding {
	var missing []string
	for resource := range policyResources {
		_, err := l.objects.Resource(crds).Get(ctx, resource+"."+policyGroup, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			missing = append(missing, resource)
		case err != nil:
			return fail("%v", err)
		}
	}
	if len(missing) > 0 {
		return fail("missing: %s", strings.Join(missing, ", "))
	}
	return pass("%d kinds", len(policyResources))
}

// list returns the objects of a policy resource in the namespace of the demo services.
func (l *Lab) list(ctx context.Context, resource string) ([]unstructured.Unstructured, error) {
	var err error
	for _, v := range policyResources[resource] {
		var list *unstructured.UnstructuredList
		gvr := schema.GroupVersionResource{Group: policyGroup, Version: v, Resource: resource}
		if list, err = l.objects.Resource(gvr).Namespace(names.DevelopNamespace).List(ctx,
			metav1.ListOptions{}); err == nil {
			return list.Items, nil
		}
	}
	return nil, err
}

// referable maps the kinds that an AuthorizationPolicy may require to their resources.
var referable = map[string]string{"MeshTLSAuthentication": "meshtlsauthentications",
	"NetworkAuthentication": "networkauthentications"}

// policiesEnforced finds AuthorizationPolicies that Linkerd ignores: if one reference of a policy
// does not exist, the whole policy has no effect (linkerd2,
// policy-controller/k8s/index/src/inbound/index.rs).
func policiesEnforced(ctx context.Context, l *Lab) Finding {
	policies, err := l.list(ctx, "authorizationpolicies")
	if err != nil {
		return fail("%v", err)
	}
	exists, err := l.authentications(ctx)
	if err != nil {
		return fail("%v", err)
	}
	var broken []string
	for _, p := range policies {
		refs, _, _ := unstructured.NestedSlice(p.Object, "spec", "requiredAuthenticationRefs")
		for _, r := range refs {
			kind, name, namespace := reference(r, p.GetNamespace())
			if _, ok := referable[kind]; ok && namespace == names.DevelopNamespace && !exists[kind+"/"+name] {
				broken = append(broken, fmt.Sprintf("%s requires %s %s, which does not exist", p.GetName(), kind, name))
			}
		}
	}
	if len(broken) > 0 {
		return fail("%s", joinShort(broken))
	}
	return pass("%d", len(policies))
}

func (l *Lab) authentications(ctx context.Context) (map[string]bool, error) {
	exists := map[string]bool{}
	for kind, resource := range referable {
		items, err := l.list(ctx, resource)
		if err != nil {
			return nil, err
		}
		for _, o := range items {
			exists[kind+"/"+o.GetName()] = true
		}
	}
	return exists, nil
}

func reference(r any, own string) (kind, name, namespace string) {
	m, ok := r.(map[string]any)
	if !ok {
		return "", "", ""
	}
	kind, _ = m["kind"].(string)
	name, _ = m["name"].(string)
	if namespace, _ = m["namespace"].(string); namespace == "" {
		namespace = own
	}
	return kind, name, namespace
}

// serversPrimary finds Servers that protect the canary but not the primary, or the other way round.
func serversPrimary(ctx context.Context, l *Lab) Finding {
	servers, err := l.list(ctx, "servers")
	if err != nil {
		return fail("%v", err)
	}
	targets, err := l.canaryTargets(ctx)
	if err != nil {
		return fail("%v", err)
	}
	covered := map[string]bool{}
	for _, s := range servers {
		app, _, _ := unstructured.NestedString(s.Object, "spec", "podSelector", "matchLabels", "app")
		covered[app] = true
	}
	var half []string
	for _, t := range targets {
		switch canary, primary := covered[t], covered[t+"-primary"]; {
		case canary && !primary:
			half = append(half, fmt.Sprintf("%s: the canary only", t))
		case primary && !canary:
			half = append(half, fmt.Sprintf("%s: the primary only", t))
		}
	}
	if len(half) > 0 {
		return warn("%s", joinShort(half))
	}
	return pass("%d Servers", len(servers))
}

var canaryResource = schema.GroupVersionResource{Group: "flagger.app", Version: "v1beta1", Resource: "canaries"}

func (l *Lab) canaryTargets(ctx context.Context) ([]string, error) {
	list, err := l.objects.Resource(canaryResource).Namespace(names.DevelopNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var targets []string
	for _, c := range list.Items {
		name, _, _ := unstructured.NestedString(c.Object, "spec", "targetRef", "name")
		targets = append(targets, name)
	}
	return targets, nil
}
