// Package flagger runs the real, unmodified Flagger controller in the process, in virtual time,
// against the caller's clientsets, and stops it without leaving a goroutine behind.
//
// Flagger was not designed to be embedded: its constructor writes process-wide state and starts an
// event broadcaster that nothing stops. This package contains all the workarounds, each with its
// reason.
package flagger

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/fluxcd/flagger/pkg/canary"
	clientset "github.com/fluxcd/flagger/pkg/client/clientset/versioned"
	informers "github.com/fluxcd/flagger/pkg/client/informers/externalversions"
	"github.com/fluxcd/flagger/pkg/controller"
	"github.com/fluxcd/flagger/pkg/metrics/observers"
	"github.com/fluxcd/flagger/pkg/notifier"
	"github.com/fluxcd/flagger/pkg/router"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"

	"coalmine/lab/cluster/sim/vclock"
	"coalmine/lab/guardrail"
)

const (
	// Version is that of the module in go.mod.
	Version = "1.43.0"
	// controlLoopInterval is how often the controller looks for new and removed canaries (flagger,
	// cmd/flagger/main.go, control-loop-interval).
	controlLoopInterval = 10 * time.Second
	// resyncPeriod is that of the informers (flagger, cmd/flagger/main.go).
	resyncPeriod = 30 * time.Second
	// startDelay is when Flagger starts in a bubble. Before it, the informers may need one poll of
	// 100 ms more or less.
	startDelay = time.Second
	workers    = 2
)

// Observer receives Flagger's messages. Its methods are called from Flagger's goroutines; calls for
// one canary are sequential.
type Observer interface {
	// Event is called for a Kubernetes event on a canary, whose name is NAME.NAMESPACE. The type is
	// Normal or Warning.
	Event(canary, eventType, message string)
	// Alert is called for an alert of a canary without an alert provider of its own.
	Alert(canary, severity, message string)
}

// Clients are the API servers that Flagger works against.
type Clients struct {
	Kube    kubernetes.Interface
	Flagger clientset.Interface
}

// Controller is a running Flagger.
type Controller struct {
	registry *prometheus.Registry
	clients  Clients
	stop     chan struct{}
	done     sync.WaitGroup
	runErr   error
}

// Start starts Flagger. It must be called in a bubble, within its first second, and returns exactly
// one second after the bubble's start.
func Start(clients Clients, metricsServer string, obs Observer) (*Controller, error) {
	prepareProcess()
	f := &Controller{clients: clients, stop: make(chan struct{})}
	inf := f.informers()
	time.Sleep(time.Until(vclock.Epoch.Add(startDelay)))
	vclock.WaitIdle()

	observer, err := observers.NewFactory(metricsServer)
	if err != nil {
		close(f.stop)
		return nil, fmt.Errorf("flagger: metrics server: %w", err)
	}
	var logging atomic.Bool
	logging.Store(true)
	log := zap.New(logCore{&logging}).Sugar()
	tracker := &canary.ConfigTracker{Logger: log, KubeClient: clients.Kube, FlaggerClient: clients.Flagger}
	canaries := canary.NewFactory(clients.Kube, clients.Flagger, nil, tracker, selectorLabels(), []string{""}, log)
	routers := router.NewFactory(nil, clients.Kube, clients.Flagger, nil, "nginx.ingress.kubernetes.io", "", log,
		clients.Flagger, true)
	c, registry := construct(func() *controller.Controller {
		return controller.NewController(interceptingClient{clients.Kube}, nil, clients.Flagger, inf,
			controlLoopInterval, log, alerter{obs},
			canaries, routers, observer, guardrail.MeshProvider, Version, "", "", true, nil)
	})
	f.registry = registry
	replaceEventRecorder(c, recorder{obs})
	logging.Store(false)
	f.done.Go(func() { f.runErr = c.Run(workers, f.stop) })
	return f, nil
}

// selectorLabels are the default of Flagger's flag selector-labels (cmd/flagger/main.go).
func selectorLabels() []string { return []string{"app", "name", "app.kubernetes.io/name"} }

// informers starts the informers and waits until they are synced.
func (f *Controller) informers() controller.Informers {
	factory := informers.NewSharedInformerFactory(f.clients.Flagger, resyncPeriod)
	v1beta1 := factory.Flagger().V1beta1()
	inf := controller.Informers{CanaryInformer: v1beta1.Canaries(), MetricInformer: v1beta1.MetricTemplates(),
		AlertInformer: v1beta1.AlertProviders()}
	for _, i := range []cache.SharedIndexInformer{inf.CanaryInformer.Informer(), inf.MetricInformer.Informer(),
		inf.AlertInformer.Informer()} {
		f.done.Go(func() { i.Run(f.stop) })
		cache.WaitForCacheSync(f.stop, i.HasSynced)
	}
	return inf
}

// Registry returns Flagger's own metrics, such as flagger_canary_*.
func (f *Controller) Registry() prometheus.Gatherer { return f.registry }

// Stop stops Flagger and waits until all its goroutines have ended. The canaries must have been
// deleted before: Flagger stops their jobs only then, within two control loop intervals, which Stop
// waits for.
func (f *Controller) Stop(context.Context) error {
	time.Sleep(2*controlLoopInterval + time.Second)
	vclock.WaitIdle()
	close(f.stop)
	f.done.Wait()
	return f.runErr
}

// constructMu serializes calls of the constructor, which registers its metrics on
// prometheus.DefaultRegisterer and adds its types to client-go's global scheme.
var constructMu sync.Mutex

func construct(mk func() *controller.Controller) (*controller.Controller, *prometheus.Registry) {
	constructMu.Lock()
	defer constructMu.Unlock()
	registry := prometheus.NewRegistry()
	before := prometheus.DefaultRegisterer
	prometheus.DefaultRegisterer = registry
	defer func() { prometheus.DefaultRegisterer = before }()
	return mk(), registry
}

// replaceEventRecorder stops the event broadcaster that the constructor started and replaces the
// controller's recorder. The new recorder is called in Flagger's own goroutine and drops nothing,
// while client-go's drops events of an object after a burst of 25 (client-go,
// tools/record/events_cache.go).
func replaceEventRecorder(c *controller.Controller, ours record.EventRecorder) {
	field := reflect.ValueOf(c).Elem().FieldByName("eventRecorder")
	// unexported, so reflect alone may not set it
	field = reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem()
	broadcaster := field.Interface().(record.EventRecorder)
	field.Set(reflect.ValueOf(ours))
	stopBroadcaster(broadcaster)
}

// alerter passes Flagger's global alerts to the observer.
type alerter struct{ obs Observer }

func (a alerter) Post(workload, namespace, message string, _ []notifier.Field, severity string) error {
	a.obs.Alert(workload+"."+namespace, severity, message)
	return nil
}
