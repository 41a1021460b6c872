package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Waitable returns the objects that [Client.Ready] can wait for.
func Waitable(objects []*unstructured.Unstructured) []Ref {
	var refs []Ref
	for _, o := range objects {
		if r := RefOf(o); conditionOf(r) != nil {
			refs = append(refs, r)
		}
	}
	return refs
}

// Ready waits until all objects are ready: Deployments, DaemonSets and StatefulSets are rolled out,
// Jobs are complete, CRDs and API services are served, and webhooks have a ready endpoint. It ends
// early if one cannot become ready: an image is not available, a container keeps ending, or a Job
// has failed. The error is then, as at the context's end, a [NotReady] with the reason.
func (c *Client) Ready(ctx context.Context, refs ...Ref) error {
	inner, cancel := context.WithCancel(silenceLogs(ctx))
	defer cancel()
	errs := make([]error, len(refs))
	var wg sync.WaitGroup
	for i, r := range refs {
		wg.Go(func() {
			errs[i] = c.ready(inner, r)
			if isPermanent(errs[i]) {
				cancel() // do not wait for the others
			}
		})
	}
	wg.Wait()
	if ctx.Err() == nil {
		errs = slices.DeleteFunc(errs, func(err error) bool { return errors.Is(err, context.Canceled) })
	}
	return errors.Join(errs...)
}

// isPermanent reports whether an error is other than the end of a context.
func isPermanent(err error) bool {
	return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

func (c *Client) ready(ctx context.Context, r Ref) error {
	condition := conditionOf(r)
	if condition == nil {
		return fmt.Errorf("%s: cannot wait for this kind", r)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var pods sync.WaitGroup
	defer pods.Wait()
	defer cancel(nil)
	var state state
	var watched sync.Once
	err := c.watchOne(ctx, r, func(o *unstructured.Unstructured) (bool, error) {
		if o == nil {
			state = notReady("it does not exist")
			return false, nil
		}
		var err error
		if state, err = condition(o); err != nil || state.ready {
			return state.ready, err
		}
		if selector, ok := selectorOf(o); ok {
			watched.Do(func() {
				pods.Go(func() {
					if found := c.watchPods(ctx, r.Namespace, selector); len(found) > 0 {
						cancel(found)
					}
				})
			})
		}
		return false, nil
	})
	if err == nil && len(state.webhooks) > 0 {
		return c.waitForEndpoints(ctx, r, state.webhooks)
	}
	return c.explain(ctx, r, state, err)
}

func (c *Client) watchOne(ctx context.Context, r Ref, see func(*unstructured.Unstructured) (bool, error)) error {
	resource, err := c.resourceOnceServed(ctx, r)
	if err != nil {
		return err
	}
	return c.watch(ctx, resource, metav1.ListOptions{FieldSelector: byName(r.Name)},
		func(all []unstructured.Unstructured) (bool, error) {
			return see(findByName(all, r.Name))
		})
}

// watchPods looks for pods that cannot start. It returns nil if it cannot look; the caller then
// gets the error itself.
func (c *Client) watchPods(ctx context.Context, namespace, selector string) stuckPods {
	pods, err := c.resourceOnceServed(ctx, podsOf(namespace))
	if err != nil {
		return nil
	}
	var found stuckPods
	err = c.watch(ctx, pods, metav1.ListOptions{LabelSelector: selector},
		func(all []unstructured.Unstructured) (bool, error) {
			found = nil
			for _, o := range obstacles(all, c.now()) {
				if o.permanent {
					found = append(found, o)
				}
			}
			return len(found) > 0, nil
		})
	if err != nil {
		return nil
	}
	return found
}

// stuckPods are pods that will not start without help.
type stuckPods []Obstacle

func (s stuckPods) Error() string { return fmt.Sprintf("%d obstacles", len(s)) }

// waitForEndpoints waits until the Services of webhooks have a ready endpoint.
func (c *Client) waitForEndpoints(ctx context.Context, r Ref, services []service) error {
	for _, s := range services {
		slices, err := c.resourceOnceServed(ctx,
			Ref{Group: "discovery.k8s.io", Kind: "EndpointSlice", Namespace: s.namespace, Name: s.name})
		if err == nil {
			err = c.watch(ctx, slices, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + s.name},
				hasReadyEndpoint)
		}
		if err != nil {
			return c.explain(ctx, r, notReady("Service %s/%s has no ready endpoint", s.namespace, s.name), err)
		}
	}
	return nil
}

// explain returns why an object is not ready after a watch has ended, or nil if err is nil.
func (c *Client) explain(ctx context.Context, r Ref, s state, err error) error {
	if err == nil {
		return nil
	}
	e := &NotReady{Ref: r, State: s.text, cause: err}
	var found stuckPods
	switch {
	case errors.As(context.Cause(ctx), &found):
		e.Obstacles, e.cause = found, errStuck
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		e.Obstacles = c.obstaclesNow(ctx, r)
	}
	c.addLogs(ctx, r.Namespace, e.Obstacles)
	return e
}

// errStuck ends the wait for pods that cannot start.
var errStuck = errors.New("it will not become ready without help")

// obstaclesNow looks once more, after the end of the context.
func (c *Client) obstaclesNow(ctx context.Context, r Ref) []Obstacle {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainTimeout)
	defer cancel()
	_, all, err := c.podsOfWorkload(ctx, r)
	if err != nil {
		return nil
	}
	return obstacles(all, c.now())
}
