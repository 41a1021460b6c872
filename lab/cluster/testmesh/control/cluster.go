package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"coalmine/lab/cluster/names"
	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
	"coalmine/lab/mesh/k8s"
)

// cluster is what informers know of the cluster. It makes snapshots for the proxies of it.
type cluster struct {
	namespaces  corelisters.NamespaceLister
	services    corelisters.ServiceLister
	pods        corelisters.PodLister
	replicaSets appslisters.ReplicaSetLister
	configMaps  corelisters.ConfigMapLister // of the trust roots only
	routes      cache.GenericLister
	policies    []policyLister

	factories []factory
	watched   []watchedKind
}

type policyLister struct {
	resourceKind
	list cache.GenericLister
}

// factory starts and stops informers.
type factory interface {
	Start(stop <-chan struct{})
	Shutdown()
}

// watchedKind is a kind of objects that must be listed before the first snapshot.
type watchedKind struct {
	name   string
	synced cache.InformerSynced
}

// newCluster prepares informers. They call changed after each change, and pass the trust Secret to
// secret.
func newCluster(core kubernetes.Interface, custom dynamic.Interface, secret cache.ResourceEventHandler,
	changed func()) (*cluster, error) {
	only := func(name, namespace string) informers.SharedInformerFactory {
		return informers.NewSharedInformerFactoryWithOptions(core, 0, informers.WithNamespace(namespace),
			informers.WithTweakListOptions(func(o *metav1.ListOptions) {
				o.FieldSelector = fields.OneTermEqualSelector("metadata.name", name).String()
			}))
	}
	all := informers.NewSharedInformerFactoryWithOptions(core, 0, informers.WithTransform(trim))
	trust := only(names.TrustSecret, names.MeshNamespace)
	roots := only(wire.TrustRootsConfigMap, metav1.NamespaceAll)
	customs := dynamicinformer.NewDynamicSharedInformerFactory(custom, 0)

	c := &cluster{
		namespaces:  all.Core().V1().Namespaces().Lister(),
		services:    all.Core().V1().Services().Lister(),
		pods:        all.Core().V1().Pods().Lister(),
		replicaSets: all.Apps().V1().ReplicaSets().Lister(),
		configMaps:  roots.Core().V1().ConfigMaps().Lister(),
		routes:      customs.ForResource(routeResource()).Lister(),
		factories:   []factory{all, trust, roots, customs},
	}
	ring := cache.ResourceEventHandlerFuncs{AddFunc: func(any) {
		changed()
	}, UpdateFunc: func(_, _ any) { changed() }, DeleteFunc: func(any) { changed() }}
	err := errors.Join(
		c.watch("namespaces", all.Core().V1().Namespaces().Informer(), ring),
		c.watch("services", all.Core().V1().Services().Informer(), ring),
		c.watch("pods", all.Core().V1().Pods().Informer(), ring),
		c.watch("replicasets", all.Apps().V1().ReplicaSets().Informer(), ring),
		c.watch("configmap "+wire.TrustRootsConfigMap, roots.Core().V1().ConfigMaps().Informer(), ring),
		c.watch("secret "+names.TrustSecret, trust.Core().V1().Secrets().Informer(), secret),
		c.watch(routeResource().GroupResource().String(), customs.ForResource(routeResource()).Informer(), ring),
	)
	for _, p := range policies() {
		informer := customs.ForResource(p.resource)
		c.policies = append(c.policies, policyLister{p, informer.Lister()})
		err = errors.Join(err, c.watch(p.resource.GroupResource().String(), informer.Informer(), ring))
	}
	return c, err
}

func (c *cluster) watch(name string, informer cache.SharedIndexInformer, handler cache.ResourceEventHandler) error {
	registration, err := informer.AddEventHandler(handler)
	if err != nil {
		return fmt.Errorf("watch %s: %w", name, err)
	}
	c.watched = append(c.watched, watchedKind{name, registration.HasSynced})
	return nil
}

// trim drops fields that are never read, which are most of a ReplicaSet.
func trim(o any) (any, error) {
	if m, ok := o.(metav1.Object); ok {
		m.SetManagedFields(nil)
	}
	return o, nil
}

func (c *cluster) start(ctx context.Context) {
	for _, f := range c.factories {
		f.Start(ctx.Done())
	}
}

// stop waits until the informers have ended.
func (c *cluster) stop() {
	for _, f := range c.factories {
		f.Shutdown()
	}
}

// missing names the kinds that have not been listed yet.
func (c *cluster) missing() []string {
	var names []string
	for _, w := range c.watched {
		if !w.synced() {
			names = append(names, w.name)
		}
	}
	return names
}

// meshed returns the namespaces of the mesh: those with injection enabled, and those of any pod
// with a proxy.
func (c *cluster) meshed() (map[string]bool, error) {
	all, err := c.namespaces.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, n := range all {
		if n.Annotations[names.InjectAnnotation] == "enabled" {
			found[n.Name] = true
		}
	}
	pods, err := c.pods.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	for _, p := range pods {
		if meshed(p) {
			found[p.Namespace] = true
		}
	}
	return found, nil
}

// snapshot returns what the proxies need to know now, in a fixed order. The errors name objects
// that cannot be read, which are left out.
func (c *cluster) snapshot() (s wire.Snapshot, ignored []error, err error) {
	in, err := c.meshed()
	if err != nil {
		return s, nil, err
	}
	services, err := c.services.List(labels.Everything())
	if err != nil {
		return s, nil, err
	}
	for _, o := range inNamespaces(in, services) {
		if service, ok := describeService(o); ok {
			s.Services = append(s.Services, service)
		}
	}
	pods, err := c.pods.List(labels.Everything())
	if err != nil {
		return s, nil, err
	}
	for _, o := range inNamespaces(in, pods) {
		if pod, ok := describePod(o, c.deployment(o)); ok {
			s.Pods = append(s.Pods, pod)
		}
	}
	routes, routeErrs, err := c.listRoutes(in)
	if err != nil {
		return s, nil, err
	}
	policies, policyErrs, err := c.listPolicies(in)
	s.Routes, s.Policies = routes, policies
	return s, append(routeErrs, policyErrs...), err
}

// inNamespaces returns the objects of some namespaces, sorted by namespace and name.
func inNamespaces[T metav1.Object](namespaces map[string]bool, list []T) []T {
	var found []T
	for _, o := range list {
		if namespaces[o.GetNamespace()] {
			found = append(found, o)
		}
	}
	slices.SortFunc(found, func(a, b T) int {
		return cmp.Or(strings.Compare(a.GetNamespace(), b.GetNamespace()), strings.Compare(a.GetName(), b.GetName()))
	})
	return found
}

// deployment returns the name of the Deployment that a pod belongs to, "" for none.
func (c *cluster) deployment(p *corev1.Pod) string {
	kind, name := owner(p, func(set string) *metav1.OwnerReference {
		rs, err := c.replicaSets.ReplicaSets(p.Namespace).Get(set)
		if err != nil {
			return nil // not known yet: its arrival will be a change
		}
		return metav1.GetControllerOf(rs)
	})
	if kind != "Deployment" {
		return ""
	}
	return name
}

// unstructureds returns the objects of a kind in some namespaces.
func unstructureds(namespaces map[string]bool, lister cache.GenericLister) ([]*unstructured.Unstructured, error) {
	list, err := lister.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	var found []*unstructured.Unstructured
	for _, o := range list {
		if u, ok := o.(*unstructured.Unstructured); ok {
			found = append(found, u)
		}
	}
	return inNamespaces(namespaces, found), nil
}

// listRoutes returns the HTTPRoutes of Services: of the Gateway API and of Linkerd.
func (c *cluster) listRoutes(in map[string]bool) ([]mesh.Route, []error, error) {
	list, err := unstructureds(in, c.routes)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range c.policies {
		if p.resource.Resource != routeResource().Resource {
			continue
		}
		own, err := unstructureds(in, p.list)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, own...)
	}
	var routes []mesh.Route
	var ignored []error
	for _, u := range list {
		r, err := readRoute(u)
		if err != nil {
			ignored = append(ignored, err)
			continue
		}
		route := k8s.Route(r)
		if len(route.Parents) == 0 { // it belongs to a Server
			continue
		}
		if _, err := mesh.Compile([]mesh.Route{route}); err != nil {
			ignored = append(ignored, unreadable(u, err))
			continue
		}
		routes = append(routes, route)
	}
	return routes, ignored, nil
}

func (c *cluster) listPolicies(in map[string]bool) (mesh.Policies, []error, error) {
	var values []runtime.Object
	var ignored []error
	for _, p := range c.policies {
		list, err := unstructureds(in, p.list)
		if err != nil {
			return mesh.Policies{}, nil, err
		}
		for _, u := range list {
			value, err := readPolicy(p.resourceKind, u)
			if err != nil {
				ignored = append(ignored, err)
				continue
			}
			values = append(values, value)
		}
	}
	routes, err := unstructureds(in, c.routes)
	if err != nil {
		return mesh.Policies{}, nil, err
	}
	for _, u := range routes { // those of Servers; listRoutes names what cannot be read
		if r, err := readRoute(u); err == nil {
			values = append(values, r)
		}
	}
	policies, err := k8s.Policies(values)
	if err != nil {
		ignored = append(ignored, err)
	}
	return policies, ignored, nil
}
