package flagger

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-logr/logr"
	"go.uber.org/zap/zapcore"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"

	"coalmine/lab/cluster/sim/vclock"
)

// prepareProcess silences what client-go would do behind our back, once for the process:
//   - its error handlers hold a rate limiter made outside of any bubble, which compares its real clock with the bubble's and
//     sleeps for virtual years (apimachinery, pkg/util/runtime/runtime.go);
//   - klog writes to the terminal.
var prepareProcess = sync.OnceFunc(func() {
	utilruntime.ErrorHandlers = []utilruntime.ErrorHandler{func(context.Context, error, string, ...any) {}}
	klog.SetLogger(logr.Discard())
})

// recorder hands Flagger's Kubernetes events to the observer.
type recorder struct{ obs Observer }

func (r recorder) Event(object k8sruntime.Object, eventType, _, message string) {
	name := "?"
	if m, err := meta.Accessor(object); err == nil {
		name = m.GetName() + "." + m.GetNamespace()
	}
	r.obs.Event(name, eventType, message)
}

func (r recorder) Eventf(object k8sruntime.Object, eventType, reason, format string, args ...any) {
	r.Event(object, eventType, reason, fmt.Sprintf(format, args...))
}

func (r recorder) AnnotatedEventf(object k8sruntime.Object, _ map[string]string, eventType, reason, format string, args ...any) {
	r.Event(object, eventType, reason, fmt.Sprintf(format, args...))
}

// stopSentinel is the reason of the event that ends the goroutines that handle it.
const stopSentinel = "coalmine-end"

// stopBroadcaster ends the two watchers of the broadcaster behind a recorder and then the broadcaster. Shutting down the
// broadcaster alone would leave both watchers spinning on a closed channel (client-go, tools/record/event.go); they end when
// what they call ends their goroutine, which the log core and the mortal client below do on the poison event.
func stopBroadcaster(r record.EventRecorder) {
	// With its type set the object need not be looked up in the global scheme, which another run may be writing.
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: stopSentinel, Namespace: "default"},
	}
	r.Event(pod, corev1.EventTypeNormal, stopSentinel, stopSentinel)
	vclock.WaitIdle()
	if b, ok := r.(interface{ Shutdown() }); ok {
		b.Shutdown()
	}
}

// logCore is Flagger's logger. It writes nothing, since what Flagger logs about a canary it also records as an event; while it
// is open it ends the goroutine that brings it the broadcaster's line about the poison event.
type logCore struct{ open *atomic.Bool }

func (c logCore) Enabled(zapcore.Level) bool               { return c.open.Load() }
func (c logCore) With([]zapcore.Field) zapcore.Core        { return c }
func (logCore) Sync() error                                { return nil }
func (logCore) Write(zapcore.Entry, []zapcore.Field) error { runtime.Goexit(); return nil }

func (c logCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if e.LoggerName == "event-broadcaster" && strings.Contains(e.Message, "reason: '"+stopSentinel+"'") {
		return ce.AddCore(e, c)
	}
	return ce
}

// interceptingClient is a clientset whose event sink ends the goroutine that brings it the poison event.
type interceptingClient struct{ kubernetes.Interface }

func (c interceptingClient) CoreV1() typedcorev1.CoreV1Interface {
	return interceptingCore{c.Interface.CoreV1()}
}

type interceptingCore struct{ typedcorev1.CoreV1Interface }

func (c interceptingCore) Events(namespace string) typedcorev1.EventInterface {
	return interceptingEvents{c.CoreV1Interface.Events(namespace)}
}

type interceptingEvents struct{ typedcorev1.EventInterface }

func (e interceptingEvents) CreateWithEventNamespaceWithContext(ctx context.Context, ev *corev1.Event) (*corev1.Event, error) {
	if ev.Reason == stopSentinel {
		runtime.Goexit()
	}
	return e.EventInterface.CreateWithEventNamespaceWithContext(ctx, ev)
}

func (e interceptingEvents) CreateWithEventNamespace(ev *corev1.Event) (*corev1.Event, error) {
	if ev.Reason == stopSentinel {
		runtime.Goexit()
	}
	return e.EventInterface.CreateWithEventNamespace(ev)
}
