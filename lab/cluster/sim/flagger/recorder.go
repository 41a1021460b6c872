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

// prepareProcess disables two features of client-go, once per process:
//   - its error handlers have a rate limiter made outside any bubble, which compares its real
//     clock with the bubble's and sleeps for virtual years (apimachinery,
//     pkg/util/runtime/runtime.go);
//   - klog writes to the terminal.
var prepareProcess = sync.OnceFunc(func() {
	utilruntime.ErrorHandlers = []utilruntime.ErrorHandler{func(context.Context, error, string, ...any) {}}
	klog.SetLogger(logr.Discard())
})

// recorder passes Flagger's Kubernetes events to the observer.
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

func (r recorder) AnnotatedEventf(object k8sruntime.Object, _ map[string]string, eventType, reason, format string,
	args ...any) {
	r.Event(object, eventType, reason, fmt.Sprintf(format, args...))
}

// stopSentinel is the reason of the event that stops the goroutines that handle it.
const stopSentinel = "coalmine-end"

// stopBroadcaster stops the two watchers of the broadcaster behind a recorder, and then the
// broadcaster. Shutting down only the broadcaster would leave both watchers spinning on a closed
// channel (client-go, tools/record/event.go). They stop because what they call exits their
// goroutine: the log core and the intercepting client below do so on the stop sentinel.
func stopBroadcaster(r record.EventRecorder) {
	// An object with a type need not be looked up in the global scheme, which another run may be
	// writing.
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

// logCore is the core of Flagger's logger. It writes nothing, since Flagger records what it logs
// about a canary also as an event. While open, it exits the goroutine that logs the broadcaster's
// line about the stop sentinel.
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

// interceptingClient is a clientset whose event sink exits the goroutine that writes the stop
// sentinel.
type interceptingClient struct{ kubernetes.Interface }

func (c interceptingClient) CoreV1() typedcorev1.CoreV1Interface {
	return interceptingCore{c.Interface.CoreV1()}
}

type interceptingCore struct{ typedcorev1.CoreV1Interface }

func (c interceptingCore) Events(namespace string) typedcorev1.EventInterface {
	return interceptingEvents{c.CoreV1Interface.Events(namespace)}
}

type interceptingEvents struct{ typedcorev1.EventInterface }

func (e interceptingEvents) CreateWithEventNamespaceWithContext(ctx context.Context,
	ev *corev1.Event) (*corev1.Event, error) {
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
