package kind

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"coalmine/lab/cluster/names"
)

// leases makes leases of several runs on one cluster with a fake clock.
type leases struct {
	kube *fake.Clientset
	now  time.Time
}

func (l *leases) of(holder string) *lease {
	return &lease{
		client: l.kube.CoordinationV1().Leases(names.LabNamespace), holder: holder, duration: leaseDuration,
		now:  func() time.Time { return l.now },
		stop: func() {}, done: func() chan struct{} { c := make(chan struct{}); close(c); return c }(),
	}
}

func TestLeaseExcludesOthers(t *testing.T) {
	ctx, l := context.Background(), &leases{kube: fake.NewClientset(), now: time.Unix(10_000, 0)}
	first, second := l.of("first"), l.of("second")
	var busy *BusyError
	if err := first.acquire(ctx, "lab"); err != nil {
		t.Fatal(err)
	}
	l.now = l.now.Add(leaseDuration - time.Second)
	if err := second.acquire(ctx, "lab"); !errors.As(err, &busy) || busy.Holder != "first" ||
		!busy.Until.Equal(l.now.Add(time.Second)) {
		t.Errorf("a second run: %v", err)
	}
	first.renew(ctx)
	l.now = l.now.Add(leaseDuration - time.Second)
	if err := second.acquire(ctx, "lab"); !errors.As(err, &busy) {
		t.Errorf("after a renewal: %v", err)
	}
	second.release(ctx) // does not delete another's lease
	first.release(ctx)
	if err := second.acquire(ctx, "lab"); err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
}

// A run that died blocks the cluster for a while; one that was only suspended finds that it has
// lost it.
func TestLeaseExpires(t *testing.T) {
	ctx, l := context.Background(), &leases{kube: fake.NewClientset(), now: time.Unix(10_000, 0)}
	first, second := l.of("first"), l.of("second")
	if err := first.acquire(ctx, "lab"); err != nil {
		t.Fatal(err)
	}
	l.now = l.now.Add(leaseDuration)
	if err := second.acquire(ctx, "lab"); err != nil {
		t.Errorf("an expired lease: %v", err)
	}
	first.renew(ctx)
	if err := first.fault(); err == nil || !strings.Contains(err.Error(), "another run took over") {
		t.Errorf("the first: %v", err)
	}
	if err := second.fault(); err != nil {
		t.Errorf("the second: %v", err)
	}
}

func TestLeaseReportsOutages(t *testing.T) {
	ctx, l := context.Background(), &leases{kube: fake.NewClientset(), now: time.Unix(10_000, 0)}
	first := l.of("first")
	if err := first.acquire(ctx, "lab"); err != nil {
		t.Fatal(err)
	}
	away := true
	l.kube.PrependReactor("*", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
		return away, nil, apierrors.NewServiceUnavailable("starting")
	})
	renew := func(later time.Duration) error {
		l.now = l.now.Add(later)
		first.renew(ctx)
		return first.fault()
	}
	if err := renew(unreachableAfter); err != nil {
		t.Errorf("away for a minute: %v", err)
	}
	if n := first.longestOutage(); n != 0 {
		t.Errorf("outage of %v before it ended", n)
	}
	away = false
	if err := renew(time.Second); err != nil || first.longestOutage() != unreachableAfter+time.Second {
		t.Errorf("back again after %v: %v", first.longestOutage(), err)
	}
	away = true
	if err := renew(unreachableAfter + time.Second); err == nil || !strings.Contains(err.Error(),
		"unreachable for 1m1s: starting") {
		t.Errorf("away for longer: %v", err)
	}
}
