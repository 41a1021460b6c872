// Package apply applies objects to a cluster and waits until they are ready: server-side apply with
// coalmine's field manager, in a safe order, with retries while the API server is not available. It
// knows Kubernetes' own kinds, but not what coalmine installs.
package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/klog/v2"

	"coalmine/lab/cluster/backoff"
	"coalmine/lab/cluster/names"
)

// Client applies objects to a cluster. It is safe for concurrent use.
type Client struct {
	dynamic dynamic.Interface
	mapper  meta.ResettableRESTMapper
	// core reads logs.
	core kubernetes.Interface
	now  func() time.Time
	wait func(context.Context, time.Duration) error
}

// New returns a client of a cluster. It does not connect yet.
func New(cfg *rest.Config) (*Client, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS, cfg.Burst = 100, 200          // one user on a private server
	cfg.WarningHandler = rest.NoWarnings{} // they concern third-party charts, and would go to the terminal
	dyn, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("create a client of the cluster: %w", err)
	}
	disc, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("create a client of the cluster: %w", err)
	}
	core, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("create a client of the cluster: %w", err)
	}
	return newClient(dyn, restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(disc)), core), nil
}

func newClient(dyn dynamic.Interface, mapper meta.ResettableRESTMapper, core kubernetes.Interface) *Client {
	return &Client{dynamic: dyn, mapper: mapper, core: core, now: time.Now, wait: backoff.Sleep}
}

// silenceLogs keeps client-go from printing errors to the terminal that it also returns.
func silenceLogs(ctx context.Context) context.Context { return klog.NewContext(ctx, logr.Discard()) }

// Apply creates or updates objects: namespaces, then CRDs, which it waits for, then the others in
// the order given, with webhooks last. It is safe to repeat. If another manager has set a field to
// another value, it returns a [Conflict]. Apply labels the objects as coalmine's; it does not
// modify its arguments.
func (c *Client) Apply(ctx context.Context, objects []*unstructured.Unstructured) error {
	ctx = silenceLogs(ctx)
	for _, rank := range groupByRank(objects) {
		var crds []Ref
		for _, o := range rank {
			if err := c.retry(ctx, func() error { return c.applyOne(ctx, o) }); err != nil {
				return fmt.Errorf("apply %s: %w", RefOf(o), err)
			}
			if RefOf(o).is(crdKind) {
				crds = append(crds, RefOf(o))
			}
		}
		if err := c.Ready(ctx, crds...); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) applyOne(ctx context.Context, o *unstructured.Unstructured) error {
	body, err := prepare(o).MarshalJSON()
	if err != nil {
		return err
	}
	resource, err := c.resource(RefOf(o), o.GroupVersionKind().Version)
	if err != nil {
		return err
	}
	apply := func(force bool) error {
		_, err := resource.Patch(ctx, o.GetName(), types.ApplyPatchType, body,
			metav1.PatchOptions{FieldManager: names.FieldManager, Force: &force})
		return err
	}
	err = apply(false)
	if conflict := conflictOf(err); conflict != nil {
		if conflict.onlyOurs() {
			return apply(true)
		}
		return conflict
	}
	return err
}

// prepare returns an object as it is sent: labelled, and without fields that only a server sets.
func prepare(o *unstructured.Unstructured) *unstructured.Unstructured {
	o = o.DeepCopy()
	labels := o.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[names.LabelManagedBy] = names.FieldManager
	o.SetLabels(labels)
	unstructured.RemoveNestedField(o.Object, "status")
	for _, field := range []string{"creationTimestamp", "managedFields", "resourceVersion", "uid", "generation"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	return o
}

// resource returns the client for a kind. A version of "" is the preferred one.
func (c *Client) resource(r Ref, version string) (dynamic.ResourceInterface, error) {
	var versions []string
	if version != "" {
		versions = []string{version}
	}
	mapping, err := c.mapper.RESTMapping(schema.GroupKind{Group: r.Group, Kind: r.Kind}, versions...)
	if err != nil {
		if meta.IsNoMatchError(err) {
			c.mapper.Reset() // its CRD may have been added since
		}
		return nil, err
	}
	resource := c.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return resource, nil
	}
	if r.Namespace == "" {
		return nil, fmt.Errorf("%s needs a namespace", r)
	}
	return resource.Namespace(r.Namespace), nil
}

// Get returns an object; the error is Kubernetes' NotFound if the object or its kind does not
// exist.
func (c *Client) Get(ctx context.Context, r Ref) (*unstructured.Unstructured, error) {
	ctx = silenceLogs(ctx)
	var got *unstructured.Unstructured
	err := c.retry(ctx, func() error {
		resource, err := c.resource(r, "")
		if meta.IsNoMatchError(err) {
			return apierrors.NewNotFound(schema.GroupResource{Group: r.Group, Resource: r.Kind}, r.Name)
		}
		if err != nil {
			return err
		}
		got, err = resource.Get(ctx, r.Name, metav1.GetOptions{})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", r, err)
	}
	return got, nil
}

// Delete deletes objects in reverse order and waits until they and their dependents are gone. It
// ignores objects that do not exist.
func (c *Client) Delete(ctx context.Context, objects []*unstructured.Unstructured) error {
	ctx = silenceLogs(ctx)
	ranks := groupByRank(objects)
	for i := len(ranks) - 1; i >= 0; i-- {
		for j := len(ranks[i]) - 1; j >= 0; j-- {
			r := RefOf(ranks[i][j])
			if err := c.delete(ctx, r); err != nil {
				return fmt.Errorf("delete %s: %w", r, err)
			}
		}
	}
	return nil
}

func (c *Client) delete(ctx context.Context, r Ref) error {
	foreground := metav1.DeletePropagationForeground
	var resource dynamic.ResourceInterface
	err := c.retry(ctx, func() (err error) {
		resource, err = c.resource(r, "")
		if meta.IsNoMatchError(err) {
			return errGone
		}
		if err == nil {
			err = resource.Delete(ctx, r.Name, metav1.DeleteOptions{PropagationPolicy: &foreground})
		}
		return err
	})
	if errors.Is(err, errGone) || apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.watch(ctx, resource, metav1.ListOptions{FieldSelector: byName(r.Name)},
		func(all []unstructured.Unstructured) (bool, error) {
			return findByName(all, r.Name) == nil, nil
		})
}

// errGone reports that a kind, and so all of its objects, does not exist.
var errGone = errors.New("gone")
