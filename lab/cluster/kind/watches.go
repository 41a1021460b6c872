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

// syncTimeout is how long the first lists of all watches may take.
const syncTimeout = time.Minute

// watches follow objects of the API server. They list and watch anew where they break off, for as long as it takes: how long the
// server may be out of reach is the lease's business.
type watches struct {
	stop context.CancelFunc
	done []chan struct{}
}

// watchObjects lets an observer and the lab's health see every change. What is there already is seen before it returns. Changed is
// called after each.
func (c clients) watchObjects(ctx context.Context, o *observer, h *health, changed func()) (*watches, error) {
	kube := informers.NewSharedInformerFactoryWithOptions(c.kube, 0, informers.WithNamespace(names.DevelopNamespace))
	flagger := flaggerinformers.NewSharedInformerFactoryWithOptions(c.flagger, 0, flaggerinformers.WithNamespace(names.DevelopNamespace))
	all := informers.NewSharedInformerFactory(c.kube, 0)
	// The watches outlive the context, for the end of a run is still observed.
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
		return nil, fmt.Errorf("the watches of the API server have not begun within %v", syncTimeout)
	}
	return w, nil
}

func (w *watches) close() {
	w.stop()
	for _, done := range w.done {
		<-done
	}
}

// eventHandler calls see for every object that comes or changes, and gone for those that went, with the time at which it was heard of.
func eventHandler[T any](changed func(), see, gone func(T, time.Time)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { callTyped(see, o); changed() },
		UpdateFunc: func(_, o any) { callTyped(see, o); changed() },
		DeleteFunc: func(o any) {
			if late, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = late.Obj // it went while the watch was broken
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
