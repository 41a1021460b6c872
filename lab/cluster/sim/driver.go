package sim

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coalmine/lab/cluster/sim/kube"
	"coalmine/lab/cluster/sim/prom"
	"coalmine/lab/cluster/sim/vclock"
	"coalmine/lab/event"
	"coalmine/lab/scenario"
)

const (
	// window is the span of one aggregate of requests: so often the driver wakes where nothing else calls it.
	window = time.Second
	// propagation is how long a change in the API server takes to reach the proxies and the Deployment controller.
	propagation = 100 * time.Millisecond
	// driverOffset keeps the driver off the instants of others: see the package comment.
	driverOffset = 37_311 * time.Microsecond
	// restartBackoff is Kubernetes' first back-off after a container was killed (documentation, pod lifecycle).
	restartBackoff = 10 * time.Second
)

// drive moves the world until stop is closed. It wakes at the end of each window, when a pod becomes ready, and a little
// after somebody has changed something in the API server.
func (w *world) drive() {
	second := elapsed().Truncate(window) + window + driverOffset
	for {
		next := second
		if due, ok := w.pods.NextReady(); ok {
			next = min(next, max(due, elapsed()))
		}
		if next%runnerStep == runnerOffset {
			next++ // a pod may become ready at any nanosecond, and only one of driver and story may settle at a time
		}
		if !w.sleep(next) {
			return
		}
		if err := w.step(elapsed() >= second); err != nil {
			w.fail(fmt.Errorf("at %v: %w", elapsed(), err))
			return
		}
		if elapsed() >= second {
			second += window
		}
	}
}

// sleep waits until a time, or until a change has reached its readers; false when the world is being taken down.
func (w *world) sleep(until time.Duration) bool {
	t := time.NewTimer(until - elapsed())
	defer t.Stop()
	select {
	case <-w.stop:
		return false
	case <-t.C:
	case <-w.wake:
		time.Sleep(min(propagation+driverOffset, max(until-elapsed(), 0)))
	}
	return true
}

// step brings the world to the present; at the end of a window also its counts.
func (w *world) step(windowEnds bool) error {
	vclock.WaitIdle()
	w.publishTime()
	w.mu.Lock()
	defer w.mu.Unlock()
	now := elapsed()
	w.plane.Advance(now)
	if err := w.syncPods(now); err != nil {
		return err
	}
	if err := w.syncConfig(); err != nil {
		return err
	}
	if !windowEnds {
		return nil
	}
	w.flushTraffic(now)
	w.kube.ClearActions() // the fakes remember every call
	w.flaggerClient.ClearActions()
	if now/prom.ScrapeInterval > (now-window)/prom.ScrapeInterval {
		return w.scrape()
	}
	return nil
}

// syncPods lets Deployments act, and tells the data plane and the log what became of their pods.
func (w *world) syncPods(now time.Duration) error {
	for _, name := range w.plane.OOMKilled() {
		if w.pods.Restart(name, now, restartBackoff) {
			w.setReady(name, false, now)
			w.dirty.deployments.Store(true)
		}
	}
	due, waiting := w.pods.NextReady()
	if !w.dirty.deployments.Swap(false) && !(waiting && now >= due) {
		return nil
	}
	changes, err := w.pods.Reconcile(context.Background(), now)
	if err != nil {
		return err
	}
	w.dirty.deployments.Store(false) // the reconciler's own status updates
	for _, c := range changes {
		w.podChanged(c, now)
	}
	return w.recordWorkloads(changes)
}

func (w *world) podChanged(c kube.Change, now time.Duration) {
	switch c.Kind {
	case kube.PodAdded:
		w.addPod(c.Pod)
	case kube.PodReady:
		w.setReady(c.Pod.Name, true, now)
	case kube.PodRemoved:
		w.removePod(c.Pod.Name)
	}
}

// recordWorkloads notes the state of the Deployments whose pods changed.
func (w *world) recordWorkloads(changes []kube.Change) error {
	noted := map[string]bool{}
	for _, c := range changes {
		name := c.Pod.Deployment
		if noted[name] {
			continue
		}
		noted[name] = true
		d, err := w.kube.AppsV1().Deployments(scenario.Namespace).Get(context.Background(), name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("deployment %s: %w", name, err)
		}
		_, version, _ := imageOf(&d.Spec.Template)
		n := w.pods.Count(d)
		w.record(sourceDriver, event.Workload{Name: name, Version: version, Desired: n.Desired, Updated: n.Updated, Ready: n.Ready})
	}
	return nil
}

// syncConfig gives the proxies what changed, as Linkerd's destination and policy controllers push it.
func (w *world) syncConfig() error {
	ctx := context.Background()
	if w.dirty.services.Swap(false) {
		list, err := w.kube.CoreV1().Services(scenario.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("services: %w", err)
		}
		w.plane.SetServices(planeServices(list.Items))
	}
	if w.dirty.routes.Swap(false) {
		list, err := w.flaggerClient.GatewayapiV1beta1().HTTPRoutes(scenario.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("routes: %w", err)
		}
		routes := planeRoutes(list.Items)
		if err := w.plane.SetRoutes(routes); err != nil {
			return fmt.Errorf("routes: %w", err)
		}
		w.recordRoutes(routes)
	}
	if w.dirty.policies.Swap(false) {
		policies, err := planePolicies(w.policies)
		if err != nil {
			return err
		}
		w.plane.SetPolicies(policies)
	}
	return nil
}

// flushTraffic notes the requests that were answered since the last time.
func (w *world) flushTraffic(now time.Duration) {
	if w.totalsNoted {
		return // what is answered after the totals is counted as open in them
	}
	from := w.flushedUntil
	w.flushedUntil = now
	if cells := w.plane.Cells(); len(cells) > 0 {
		w.record(sourceDriver, event.Traffic{From: event.Seconds(from), To: event.Seconds(now), Cells: cells, HurtSoFar: w.plane.HarmedUsers()})
	}
}

// scrape takes a sample of everything that has metrics.
func (w *world) scrape() error {
	return w.db.Scrape(time.Now(), w.collect, prom.RegistrySource(w.flagger.Registry(), prom.Label{Name: "job", Value: "flagger"}))
}
