package kind

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"coalmine/lab/cluster/names"
)

// leaseName is the Lease in LabNamespace that a session holds: concurrent runs would disturb each
// other.
const leaseName = "run"

const (
	// leaseDuration is how long a session that died locks others out. It exceeds the tolerated
	// outage of the API server.
	leaseDuration      = 90 * time.Second
	leaseRenewInterval = 5 * time.Second
	// unreachableAfter is how long the API server may be unreachable.
	unreachableAfter = 60 * time.Second
)

// BusyError reports that another run uses the cluster.
type BusyError struct {
	Cluster, Holder string
	Until           time.Time
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("kind cluster %s is playing another run (%s); wait until it ends: if it has died, the "+
		"cluster is free at %s",
		e.Cluster, e.Holder, e.Until.Local().Format(time.TimeOnly))
}

// lease is a session's lock on the cluster. Renewing it shows whether the API server responds.
type lease struct {
	client   coordination.LeaseInterface
	holder   string
	duration time.Duration
	now      func() time.Time

	mu sync.Mutex
	// lastRenewed is when the API server last responded; lost is set when another session has taken
	// over.
	lastRenewed time.Time
	// longestGap is the longest time without a response.
	longestGap time.Duration
	lost       error
	lastErr    error // of the last attempt

	stop context.CancelFunc
	done chan struct{}
}

// acquireLease locks the cluster for a session, or returns who holds it.
func (c *Cluster) acquireLease(ctx context.Context) (*lease, error) {
	host, _ := os.Hostname() // for display only
	l := &lease{
		client: c.clients.kube.CoordinationV1().Leases(names.LabNamespace), now: time.Now, duration: leaseDuration,
		holder: fmt.Sprintf("process %d on %s, %s", os.Getpid(), host, uuid.NewUUID()),
	}
	if err := l.acquire(ctx, c.name); err != nil {
		return nil, err
	}
	renewCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop, l.done = stop, make(chan struct{})
	go l.renewLoop(renewCtx)
	return l, nil
}

// acquire creates the Lease, or takes over one that has expired.
func (l *lease) acquire(ctx context.Context, cluster string) error {
	now := l.now()
	have, err := l.client.Get(ctx, leaseName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = l.client.Create(ctx, l.object(&coordinationv1.Lease{}, now), metav1.CreateOptions{})
	} else if err == nil {
		if until := heldUntil(have); now.Before(until) {
			return &BusyError{cluster, *have.Spec.HolderIdentity, until}
		}
		_, err = l.client.Update(ctx, l.object(have.DeepCopy(), now), metav1.UpdateOptions{})
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return &BusyError{cluster, "another run that started at the same moment", now.Add(l.duration)}
	}
	if err != nil {
		return fmt.Errorf("lock the cluster: %w", err)
	}
	l.lastRenewed = now
	return nil
}

func heldUntil(l *coordinationv1.Lease) time.Time {
	s := l.Spec
	if s.HolderIdentity == nil || *s.HolderIdentity == "" || s.RenewTime == nil || s.LeaseDurationSeconds == nil {
		return time.Time{}
	}
	return s.RenewTime.Add(time.Duration(*s.LeaseDurationSeconds) * time.Second)
}

func (l *lease) object(o *coordinationv1.Lease, now time.Time) *coordinationv1.Lease {
	seconds, at := int32(l.duration/time.Second), metav1.NewMicroTime(now)
	o.Name, o.Namespace = leaseName, names.LabNamespace
	o.Labels = map[string]string{names.LabelManagedBy: names.FieldManager}
	o.Spec = coordinationv1.LeaseSpec{HolderIdentity: &l.holder, LeaseDurationSeconds: &seconds, AcquireTime: &at,
		RenewTime: &at}
	return o
}

// renewLoop renews the Lease until the context ends.
func (l *lease) renewLoop(ctx context.Context) {
	defer close(l.done)
	every := time.NewTicker(leaseRenewInterval)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			l.renew(ctx)
		}
	}
}

func (l *lease) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaseRenewInterval)
	defer cancel()
	have, err := l.client.Get(ctx, leaseName, metav1.GetOptions{})
	taken := apierrors.IsNotFound(err) || err == nil &&
		(have.Spec.HolderIdentity == nil || *have.Spec.HolderIdentity != l.holder)
	if err == nil && !taken {
		have = have.DeepCopy()
		at := metav1.NewMicroTime(l.now())
		have.Spec.RenewTime = &at
		_, err = l.client.Update(ctx, have, metav1.UpdateOptions{})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastErr = err
	if err == nil {
		now := l.now()
		l.longestGap, l.lastRenewed = max(l.longestGap, now.Sub(l.lastRenewed)), now
	}
	if taken {
		l.lost = fmt.Errorf("another run took over the cluster, or its Lease %s/%s was deleted", names.LabNamespace,
			leaseName)
	}
}

// fault returns why the session cannot continue, or nil.
func (l *lease) fault() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if gap := l.now().Sub(l.lastRenewed); l.lost == nil && gap > unreachableAfter {
		return fmt.Errorf("the API server has been unreachable for %v: %w", gap.Round(time.Second), l.lastErr)
	}
	return l.lost
}

// noticeableGap is the shortest gap that counts as an outage: on a busy machine, some renewals are
// late.
const noticeableGap = 3 * leaseRenewInterval

// longestOutage returns how long the API server was away at most, or 0 if it was not.
func (l *lease) longestOutage() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.longestGap < noticeableGap {
		return 0
	}
	return l.longestGap
}

// release unlocks the cluster.
func (l *lease) release(ctx context.Context) {
	l.stop()
	<-l.done
	if have, err := l.client.Get(ctx, leaseName, metav1.GetOptions{}); err == nil && have.Spec.HolderIdentity != nil &&
		*have.Spec.HolderIdentity == l.holder {
		_ = l.client.Delete(ctx, leaseName, metav1.DeleteOptions{}) // it expires
	}
}
