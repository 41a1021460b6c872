// Package flagger runs the real, unmodified Flagger controller in the process, in virtual time, against clientsets that the
// caller gives, and ends it without leaving a goroutine behind.
//
// Flagger was not made to be embedded: its constructor writes process-wide state and starts an event broadcaster that nothing
// stops. What has to be done about that is in this package, each place with its reason; nothing outside needs to know. The
// package knows nothing of scenarios, traffic or metrics.
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
	// Version of the module in go.mod.
	Version = "1.43.0"
	// controlLoopInterval is how often the controller looks for new and removed canaries (flagger, cmd/flagger/main.go: control-loop-interval).
	controlLoopInterval = 10 * time.Second
	// resyncPeriod of the informers (flagger, cmd/flagger/main.go).
	resyncPeriod = 30 * time.Second
	// startDelay after the bubble's begin: waiting for the informers may take one poll of 100 ms more or less.
	startDelay = time.Second
	workers    = 2
)

// Observer is told what Flagger says. Its methods are called from Flagger's goroutines, for one canary from one at a time.
type Observer interface {
	// Event is a Kubernetes event that Flagger records on a canary (name.namespace): type Normal or Warning, and the message.
	Event(canary, eventType, message string)
	// Alert is a message for people, sent where the canary names no alert provider of its own.
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

// Start starts Flagger and returns when it runs. It must be called in a bubble, within the bubble's first second; it returns
// exactly one second after the bubble's begin.
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
	routers := router.NewFactory(nil, clients.Kube, clients.Flagger, nil, "nginx.ingress.kubernetes.io", "", log, clients.Flagger, true)
	c, registry := construct(func() *controller.Controller {
		return controller.NewController(interceptingClient{clients.Kube}, nil, clients.Flagger, inf, controlLoopInterval, log, alerter{obs},
			canaries, routers, observer, guardrail.MeshProvider, Version, "", "", true, nil)
	})
	f.registry = registry
	replaceEventRecorder(c, recorder{obs})
	logging.Store(false)
	f.done.Go(func() { f.runErr = c.Run(workers, f.stop) })
	return f, nil
}

// selectorLabels are Flagger's default (cmd/flagger/main.go: selector-labels).
func selectorLabels() []string { return []string{"app", "name", "app.kubernetes.io/name"} }

// informers starts the informers and waits until they have read everything.
func (f *Controller) informers() controller.Informers {
	factory := informers.NewSharedInformerFactory(f.clients.Flagger, resyncPeriod)
	v1beta1 := factory.Flagger().V1beta1()
	inf := controller.Informers{CanaryInformer: v1beta1.Canaries(), MetricInformer: v1beta1.MetricTemplates(), AlertInformer: v1beta1.AlertProviders()}
	for _, i := range []cache.SharedIndexInformer{inf.CanaryInformer.Informer(), inf.MetricInformer.Informer(), inf.AlertInformer.Informer()} {
		f.done.Go(func() { i.Run(f.stop) })
		cache.WaitForCacheSync(f.stop, i.HasSynced)
	}
	return inf
}

// Registry holds Flagger's own metrics, flagger_canary_* among them.
func (f *Controller) Registry() prometheus.Gatherer { return f.registry }

// Stop ends Flagger and waits until all its goroutines have ended. The canaries must have been deleted before: only then does
// Flagger stop their jobs, within two of its windows, which Stop lets pass.
func (f *Controller) Stop(context.Context) error {
	time.Sleep(2*controlLoopInterval + time.Second)
	vclock.WaitIdle()
	close(f.stop)
	f.done.Wait()
	return f.runErr
}

// constructMu serialises the constructor, which registers its metrics on prometheus.DefaultRegisterer and adds its types to
// client-go's global scheme.
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

// replaceEventRecorder ends the event broadcaster that the constructor started and lets the controller record on ours. Ours is
// called in Flagger's own goroutine and drops nothing, while client-go's drops events of an object after a burst of 25
// (client-go, tools/record/events_cache.go).
func replaceEventRecorder(c *controller.Controller, ours record.EventRecorder) {
	field := reflect.ValueOf(c).Elem().FieldByName("eventRecorder")
	field = reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem() // unexported: reflect alone may not set it
	broadcaster := field.Interface().(record.EventRecorder)
	field.Set(reflect.ValueOf(ours))
	stopBroadcaster(broadcaster)
}

// alerter hands Flagger's global alerts to the observer.
type alerter struct{ obs Observer }

func (a alerter) Post(workload, namespace, message string, _ []notifier.Field, severity string) error {
	a.obs.Alert(workload+"."+namespace, severity, message)
	return nil
}
