package kind

import (
	"context"
	"fmt"
	"time"

	flaggerinformers "github.com/fluxcd/flagger/pkg/client/informers/externalversions"
	"github.com/go-logr/logr"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"coalmine/lab/cluster/names"
)

// syncTimeout bounds the initial lists of all watches.
const syncTimeout = time.Minute

// watches follow objects of the API server. They restart when they break, for as long as it takes:
// the lease decides how long the server may be unreachable.
type watches struct {
	stop context.CancelFunc
	done []chan struct{}
}

// watchObjects lets an observer and the health check see every change. It returns after they have
// seen what exists. Changed is called after each change.
func (c clients) watchObjects(ctx context.Context, o *observer, h *health, changed func()) (*watches, error) {
	kube := informers.NewSharedInformerFactoryWithOptions(c.kube, 0, informers.WithNamespace(names.DevelopNamespace))
	flagger := flaggerinformers.NewSharedInformerFactoryWithOptions(c.flagger, 0,
		flaggerinformers.WithNamespace(names.DevelopNamespace))
	all := informers.NewSharedInformerFactory(c.kube, 0)
	// The watches outlive the context, because the end of a run is observed too.
	ctx, stop := context.WithCancel(klog.NewContext(context.WithoutCancel(ctx), logr.Discard()))
	w := &watches{stop: stop}
	var synced []cache.InformerSynced
	for _, x := range []struct {
		informer cache.SharedIndexInformer
		handler  cache.ResourceEventHandler
	}{
		{flagger.Flagger().V1beta1().Canaries().Informer(), eventHandler(changed, o.canary, o.canaryGone)},
		{flagger.Gatewayapi().V1beta1().HTTPRoutes().Informer(), eventHandler(changed, o.route, o.routeGone)},
		{kube.Apps().V1().Deployments().Informer(), eventHandler(changed, o.deployment, o.deploymentGone)},
		{all.Core().V1().Pods().Informer(), eventHandler(changed, h.pod, h.podGone)},
		{all.Core().V1().Nodes().Informer(), eventHandler(changed, h.node, h.nodeGone)},
	} {
		registered, err := x.informer.AddEventHandler(x.handler)
		if err != nil {
			stop()
			return nil, err
		}
		synced = append(synced, registered.HasSynced)
		done := make(chan struct{})
		w.done = append(w.done, done)
		go func() {
			defer close(done)
			x.informer.RunWithContext(ctx)
		}()
	}
	limit, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	if !cache.WaitForCacheSync(limit.Done(), synced...) {
		w.close()
		return nil, fmt.Errorf("the watches of the API server did not start within %v", syncTimeout)
	}
	return w, nil
}

func (w *watches) close() {
	w.stop()
	for _, done := range w.done {
		<-done
	}
}

// eventHandler calls see for every object that is added or changed, and gone for deleted ones, with
// the time of the event.
func eventHandler[T any](changed func(), see, gone func(T, time.Time)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { callTyped(see, o); changed() },
		UpdateFunc: func(_, o any) { callTyped(see, o); changed() },
		DeleteFunc: func(o any) {
			if late, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = late.Obj // it was deleted while the watch was broken
			}
			callTyped(gone, o)
			changed()
		},
	}
}

func callTyped[T any](f func(T, time.Time), o any) {
	if v, ok := o.(T); ok {
		f(v, time.Now())
	}
}
