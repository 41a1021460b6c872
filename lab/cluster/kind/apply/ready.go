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

// Waitable names those of the objects that [Client.Ready] can wait for.
func Waitable(objects []*unstructured.Unstructured) []Ref {
	var refs []Ref
	for _, o := range objects {
		if r := RefOf(o); conditionOf(r) != nil {
			refs = append(refs, r)
		}
	}
	return refs
}

// Ready waits until all are ready: Deployments, DaemonSets and StatefulSets run as they should, Jobs are complete, CRDs and API services
// are served, webhooks have somebody who answers. It ends early when one cannot become so: an image that cannot be had, a failed Job.
// The error is then, as at the context's end, of type [NotReady] and says what stands in the way.
func (c *Client) Ready(ctx context.Context, refs ...Ref) error {
	inner, cancel := context.WithCancel(silenceLogs(ctx))
	defer cancel()
	errs := make([]error, len(refs))
	var wg sync.WaitGroup
	for i, r := range refs {
		wg.Go(func() {
			errs[i] = c.ready(inner, r)
			if isPermanent(errs[i]) {
				cancel() // the others need not be waited for
			}
		})
	}
	wg.Wait()
	if ctx.Err() == nil {
		errs = slices.DeleteFunc(errs, func(err error) bool { return errors.Is(err, context.Canceled) })
	}
	return errors.Join(errs...)
}

// isPermanent tells an error from one that merely says that time was up.
func isPermanent(err error) bool {
	return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

func (c *Client) ready(ctx context.Context, r Ref) error {
	condition := conditionOf(r)
	if condition == nil {
		return fmt.Errorf("%s: nobody can wait for that kind", r)
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
			state = notReady("is not there")
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
	return c.watch(ctx, resource, metav1.ListOptions{FieldSelector: byName(r.Name)}, func(all []unstructured.Unstructured) (bool, error) {
		return see(findByName(all, r.Name))
	})
}

// watchPods looks for pods that cannot start. It returns nothing when it cannot look: whoever waits finds out for himself.
func (c *Client) watchPods(ctx context.Context, namespace, selector string) stuckPods {
	pods, err := c.resourceOnceServed(ctx, podsOf(namespace))
	if err != nil {
		return nil
	}
	var found stuckPods
	err = c.watch(ctx, pods, metav1.ListOptions{LabelSelector: selector}, func(all []unstructured.Unstructured) (bool, error) {
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

// stuckPods are pods that will not start by themselves.
type stuckPods []Obstacle

func (s stuckPods) Error() string { return fmt.Sprintf("%d obstacles", len(s)) }

// waitForEndpoints waits until Services of webhooks have an endpoint that is ready.
func (c *Client) waitForEndpoints(ctx context.Context, r Ref, services []service) error {
	for _, s := range services {
		slices, err := c.resourceOnceServed(ctx, Ref{Group: "discovery.k8s.io", Kind: "EndpointSlice", Namespace: s.namespace, Name: s.name})
		if err == nil {
			err = c.watch(ctx, slices, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + s.name}, hasReadyEndpoint)
		}
		if err != nil {
			return c.explain(ctx, r, notReady("nobody answers for Service %s/%s", s.namespace, s.name), err)
		}
	}
	return nil
}

// explain says why something is not ready, after a watch that ended. No error is no explanation.
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
	return e
}

// errStuck ends the waiting for what will not come.
var errStuck = errors.New("it will not become ready by itself")

// obstaclesNow asks once more, after the end of the context.
func (c *Client) obstaclesNow(ctx context.Context, r Ref) []Obstacle {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), explainTimeout)
	defer cancel()
	resource, err := c.resource(r, "")
	if err != nil {
		return nil
	}
	o, err := resource.Get(ctx, r.Name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	selector, ok := selectorOf(o)
	if !ok {
		return nil
	}
	pods, err := c.resource(podsOf(r.Namespace), "")
	if err != nil {
		return nil
	}
	all, err := pods.List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil
	}
	return obstacles(all.Items, c.now())
}
