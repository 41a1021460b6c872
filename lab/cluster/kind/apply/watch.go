package apply

import (
	"context"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
)

// visitFunc is called with all objects, first and after each change. It ends the watch by returning
// true or an error.
type visitFunc func([]unstructured.Unstructured) (bool, error)

// watch calls visit with the objects until it is done. Broken watches are restarted for as long as
// retry allows.
func (c *Client) watch(ctx context.Context, resource dynamic.ResourceInterface, o metav1.ListOptions,
	visit visitFunc) error {
	for {
		var list *unstructured.UnstructuredList
		err := c.retry(ctx, func() (err error) {
			list, err = resource.List(ctx, o)
			return err
		})
		if err != nil {
			return err
		}
		if done, err := visit(list.Items); done || err != nil {
			return err
		}
		if done, err := c.follow(ctx, resource, o, list, visit); done || err != nil {
			return err
		}
	}
}

// follow watches from a list until the watch breaks, which is not an error.
func (c *Client) follow(ctx context.Context, resource dynamic.ResourceInterface, o metav1.ListOptions,
	from *unstructured.UnstructuredList, visit visitFunc) (bool, error) {
	o.ResourceVersion = from.GetResourceVersion()
	w, err := resource.Watch(ctx, o)
	if err != nil {
		return false, c.pause(ctx, err)
	}
	defer w.Stop()
	current := map[string]unstructured.Unstructured{}
	for _, item := range from.Items {
		current[item.GetName()] = item
	}
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case e, ok := <-w.ResultChan():
			if !ok {
				return false, c.pause(ctx, nil)
			}
			if e.Type == watch.Error {
				return false, c.pause(ctx, apierrors.FromObject(e.Object))
			}
			applyEvent(current, e)
			if done, err := visit(slices.Collect(maps.Values(current))); done || err != nil {
				return done, err
			}
		}
	}
}

func applyEvent(current map[string]unstructured.Unstructured, e watch.Event) {
	o, ok := e.Object.(*unstructured.Unstructured)
	switch {
	case !ok:
	case e.Type == watch.Deleted:
		delete(current, o.GetName())
	case e.Type == watch.Added, e.Type == watch.Modified:
		current[o.GetName()] = *o
	}
}

// pause waits a little after a watch broke, or returns the error if it broke for good. An expired
// watch is normal.
func (c *Client) pause(ctx context.Context, err error) error {
	if err != nil && retryFor(err) == 0 && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		return err
	}
	return c.wait(ctx, minBackoff)
}

// byName returns the field selector for one object.
func byName(name string) string { return fields.OneTermEqualSelector("metadata.name", name).String() }

// findByName returns the object of a name, or nil.
func findByName(all []unstructured.Unstructured, name string) *unstructured.Unstructured {
	i := slices.IndexFunc(all, func(o unstructured.Unstructured) bool { return o.GetName() == name })
	if i < 0 {
		return nil
	}
	return &all[i]
}
