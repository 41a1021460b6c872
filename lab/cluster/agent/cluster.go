package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	gatewayv1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	"github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	flagger "github.com/fluxcd/flagger/pkg/client/clientset/versioned"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/podstatus"
	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
	"coalmine/lab/mesh/k8s"
	"coalmine/lab/scenario"
)

// Clients are clients of the API server.
type Clients struct {
	Kube    kubernetes.Interface
	Flagger flagger.Interface
	Dynamic dynamic.Interface
}

// askRate is how many requests per second the agent may send to the API server: for the gates, and
// every second for the pods' shares of the traffic.
const askRate = 50

// InCluster returns clients that use the pod's own service account. It must be allowed to list
// pods, Services, HTTPRoutes and Linkerd's policies in the namespace of the demo services, and to
// create and delete HTTPRoutes there.
func InCluster() (Clients, error) {
	c, err := rest.InClusterConfig()
	if err != nil {
		return Clients{}, fmt.Errorf("the agent runs in a pod: %w", err)
	}
	c.QPS, c.Burst = askRate, 2*askRate
	kube, err1 := kubernetes.NewForConfig(c)
	routes, err2 := flagger.NewForConfig(c)
	policies, err3 := dynamic.NewForConfig(c)
	return Clients{Kube: kube, Flagger: routes, Dynamic: policies}, errors.Join(err1, err2, err3)
}

// cluster reads what gates ask about. Gates ask seldom, so nothing is cached.
type cluster struct {
	Clients
	scenario *scenario.Scenario
}

// deploymentOf returns the Deployment that a pod belongs to, "" for other pods: its ReplicaSet is
// named after the Deployment and the hash of the pod template.
func deploymentOf(p *corev1.Pod) string {
	ref, hash := metav1.GetControllerOf(p), p.Labels["pod-template-hash"]
	if ref == nil || ref.Kind != "ReplicaSet" {
		return ""
	}
	name, ok := strings.CutSuffix(ref.Name, "-"+hash)
	if !ok || hash == "" {
		return ""
	}
	return name
}

// meshed reports whether a pod has a proxy.
func meshed(p *corev1.Pod) bool {
	is := func(c corev1.Container) bool { return c.Name == names.ProxyContainer }
	return slices.ContainsFunc(p.Spec.InitContainers, is) || slices.ContainsFunc(p.Spec.Containers, is)
}

// primaryOf returns the name of the Deployment that Flagger makes for the primary of a service.
func primaryOf(service string) string { return service + "-primary" }

// pods returns the ready pods of a service: the canary's, which belong to the service's own
// Deployment, and the primary's.
func (c *cluster) pods(ctx context.Context, service string) (canaries, primaries []corev1.Pod, err error) {
	list, err := c.Kube.CoreV1().Pods(scenario.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("list pods: %w", err)
	}
	for _, p := range list.Items {
		if !podstatus.Serving(&p) {
			continue
		}
		switch deploymentOf(&p) {
		case service:
			canaries = append(canaries, p)
		case primaryOf(service):
			primaries = append(primaries, p)
		}
	}
	return canaries, primaries, nil
}

// workloadOf returns what policies are matched with.
func workloadOf(p *corev1.Pod) mesh.Workload {
	w := mesh.Workload{
		Namespace: p.Namespace, Labels: p.Labels, DefaultPolicy: p.Annotations[mesh.DefaultPolicyAnnotation],
		PortNames: map[string]int{},
	}
	for _, x := range p.Spec.Containers {
		for _, port := range x.Ports {
			if port.Name != "" {
				w.PortNames[port.Name] = int(port.ContainerPort)
			}
		}
	}
	return w
}

// policyKinds returns Linkerd's policy resources and their types.
func policyKinds() map[schema.GroupVersionResource]func() runtime.Object {
	resource := func(version, name string) schema.GroupVersionResource {
		v, _ := schema.ParseGroupVersion(version) // a constant
		return v.WithResource(name)
	}
	return map[schema.GroupVersionResource]func() runtime.Object{
		resource(guardrail.ServerVersion, "servers"): func() runtime.Object {
			return &guardrail.Server{}
		},
		resource(guardrail.AuthorizationVersion, "authorizationpolicies"): func() runtime.Object {
			return &guardrail.AuthorizationPolicy{}
		},
		resource(guardrail.AuthorizationVersion, "meshtlsauthentications"): func() runtime.Object {
			return &guardrail.MeshTLSAuthentication{}
		},
		resource(guardrail.AuthorizationVersion, "networkauthentications"): func() runtime.Object {
			return &guardrail.NetworkAuthentication{}
		},
		resource(guardrail.ServerVersion, "httproutes"): func() runtime.Object {
			return &gatewayv1.HTTPRoute{}
		},
	}
}

// policies returns the policies in force. Kinds that the cluster does not have are skipped.
func (c *cluster) policies(ctx context.Context) (mesh.Policies, error) {
	var all []runtime.Object
	for resource, empty := range policyKinds() {
		list, err := c.Dynamic.Resource(resource).Namespace(scenario.Namespace).List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return mesh.Policies{}, fmt.Errorf("list %s: %w", resource.Resource, err)
		}
		for i := range list.Items {
			o := empty()
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, o); err != nil {
				return mesh.Policies{}, fmt.Errorf("%s %s: %w", list.Items[i].GetKind(), list.Items[i].GetName(), err)
			}
			all = append(all, o)
		}
	}
	routes, err := c.Flagger.GatewayapiV1beta1().HTTPRoutes(scenario.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return mesh.Policies{}, fmt.Errorf("list HTTPRoutes: %w", err)
	}
	for i := range routes.Items { // those of Servers count
		all = append(all, k8s.Upgrade(&routes.Items[i]))
	}
	return k8s.Policies(all)
}

// routes returns the HTTPRoutes in force.
func (c *cluster) routes(ctx context.Context) ([]mesh.Route, error) {
	list, err := c.Flagger.GatewayapiV1beta1().HTTPRoutes(scenario.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list HTTPRoutes: %w", err)
	}
	var routes []mesh.Route
	for i := range list.Items {
		routes = append(routes, k8s.Route(k8s.Upgrade(&list.Items[i])))
	}
	return routes, nil
}

// drillRoute is the name of the temporary route of a rollback drill.
func drillRoute(service string) string { return service + names.DrillSuffix }

// addDrillRoute sends requests with a header to the canary.
func (c *cluster) addDrillRoute(ctx context.Context, service, header, value string) error {
	port := v1beta1.PortNumber(c.scenario.Service(service).Port)
	group, kind := v1beta1.Group(""), v1beta1.Kind("Service")
	exact := v1beta1.HeaderMatchExact
	route := &v1beta1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{
			Name: drillRoute(service), Namespace: scenario.Namespace,
			Labels: map[string]string{names.LabelManagedBy: names.FieldManager},
		},
		Spec: v1beta1.HTTPRouteSpec{
			CommonRouteSpec: v1beta1.CommonRouteSpec{ParentRefs: []v1beta1.ParentReference{{
				Group: &group, Kind: &kind, Name: v1beta1.ObjectName(service), Port: &port,
			}}},
			Rules: []v1beta1.HTTPRouteRule{{
				Matches: []v1beta1.HTTPRouteMatch{{Headers: []v1beta1.HTTPHeaderMatch{{
					Type: &exact, Name: v1beta1.HTTPHeaderName(header), Value: value,
				}}}},
				BackendRefs: []v1beta1.HTTPBackendRef{{BackendRef: v1beta1.BackendRef{
					BackendObjectReference: v1beta1.BackendObjectReference{
						Name: v1beta1.ObjectName(service + "-canary"), Port: &port,
					},
				}}},
			}},
		},
	}
	routes := c.Flagger.GatewayapiV1beta1().HTTPRoutes(scenario.Namespace)
	_, err := routes.Create(ctx, route, metav1.CreateOptions{FieldManager: names.FieldManager})
	if apierrors.IsAlreadyExists(err) { // left behind by an interrupted drill
		return nil
	}
	if err != nil {
		return fmt.Errorf("create the route of the rollback drill: %w", err)
	}
	return nil
}

// removeDrillRoute deletes the drill's route if it exists.
func (c *cluster) removeDrillRoute(ctx context.Context, service string) error {
	err := c.Flagger.GatewayapiV1beta1().HTTPRoutes(scenario.Namespace).Delete(ctx, drillRoute(service),
		metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// checkRouted returns an error unless an HTTPRoute other than the drill's is attached to a service.
// Otherwise the drill's would be the only one, and requests that do not match it would get a 404.
func (c *cluster) checkRouted(ctx context.Context, service string) error {
	list, err := c.routes(ctx)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(r mesh.Route) bool { return r.Name == drillRoute(service) })
	table, err := mesh.Compile(list)
	if err != nil {
		return err
	}
	if !table.HasRoutes(scenario.Namespace, service, c.scenario.Service(service).Port) {
		return drillError("no HTTPRoute leads to " + service + ": is its canary initialized?")
	}
	return nil
}
