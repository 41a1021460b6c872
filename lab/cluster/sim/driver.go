package sim

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coalmine/lab/cluster/sim/hpa"
	"coalmine/lab/cluster/sim/kube"
	"coalmine/lab/cluster/sim/prom"
	"coalmine/lab/cluster/sim/vclock"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
	"coalmine/lab/mesh"
	"coalmine/lab/scenario"
)

const (
	// window is the span of one aggregate of requests, and the driver's longest sleep.
	window = time.Second
	// propagation is how long a change in the API server takes to reach the proxies and the
	// Deployment controller.
	propagation = 100 * time.Millisecond
	// driverOffset separates the driver's instants from others; see the package comment.
	driverOffset = 37_311 * time.Microsecond
)

// driver advances the world. Its own fields belong to its goroutine.
type driver struct {
	*world
	deployments *kube.Controller
	routes      map[string]string // last recorded, by name
	// draining are the pods to evict, nil before the drain; drained counts those that were.
	draining []string
	drained  int
	scalers  autoscalers
}

func newDriver(w *world) *driver {
	t, unlock := w.traffic.lock()
	defer unlock()
	return &driver{
		world:       w,
		deployments: kube.New(w.kube, scenario.Namespace, w.spec.Seed, t.models.startUp),
		routes:      map[string]string{},
		scalers:     autoscalers{states: map[string]*hpa.Autoscaler{}, pods: map[string]podUsage{}},
	}
}

// drive advances the world until stop is closed: at the end of each window, when a pod becomes
// ready, and shortly after a change in the API server.
func (d *driver) drive() {
	windowEnd := elapsed().Truncate(window) + window + driverOffset
	for {
		next := windowEnd
		if ready, ok := d.deployments.NextReady(); ok {
			next = min(next, max(ready, elapsed()))
		}
		if next%runnerStep == runnerOffset {
			next++ // only one of driver and runner may call WaitIdle at an instant
		}
		if !d.sleep(next) {
			return
		}
		if err := d.step(elapsed() >= windowEnd); err != nil {
			d.fail(fmt.Errorf("at %v: %w", elapsed(), err))
			return
		}
		if elapsed() >= windowEnd {
			windowEnd += window
		}
	}
}

// sleep waits until a time, or until a change has propagated. It returns false when the driver has
// to stop.
func (d *driver) sleep(until time.Duration) bool {
	t := time.NewTimer(until - elapsed())
	defer t.Stop()
	select {
	case <-d.stop:
		return false
	case <-t.C:
	case <-d.changes.wake:
		time.Sleep(min(propagation+driverOffset, max(until-elapsed(), 0)))
	}
	return true
}

// step advances the world to the present time. At the end of a window it records the window's
// traffic.
func (d *driver) step(windowEnds bool) error {
	vclock.WaitIdle()
	d.clock.publish()
	t, unlock := d.traffic.lock()
	defer unlock()
	now := elapsed()
	t.plane.Advance(now)
	if err := d.syncPods(t, now); err != nil {
		return err
	}
	if err := d.syncConfig(t); err != nil {
		return err
	}
	if !windowEnds {
		return nil
	}
	d.recordTraffic(t, now)
	if err := d.autoscale(t, now); err != nil {
		return err
	}
	d.kube.ClearActions() // the fakes remember every call
	d.flaggerClient.ClearActions()
	if now/prom.ScrapeInterval > (now-window)/prom.ScrapeInterval {
		return d.scrape(t)
	}
	return nil
}

// syncPods reconciles the Deployments and passes the changes of their pods to the data plane.
func (d *driver) syncPods(t *traffic, now time.Duration) error {
	for _, name := range t.plane.OOMKilled() {
		if d.deployments.Restart(name, now) {
			t.setReady(name, false, now)
			d.changes.deployments.Store(true)
		}
	}
	d.drain(t, now)
	d.syncProbes(t)
	ready, ok := d.deployments.NextReady()
	if !d.changes.deployments.Swap(false) && !(ok && now >= ready) {
		return nil
	}
	changes, err := d.deployments.Reconcile(context.Background(), now)
	if err != nil {
		return err
	}
	d.changes.deployments.Store(false) // set by the status updates of Reconcile
	for _, c := range changes {
		switch c.Kind {
		case kube.PodAdded:
			t.addPod(c.Pod, d.podAnnotations(c.Pod.Template))
		case kube.PodReady:
			t.setReady(c.Pod.Name, true, now)
			d.syncProbes(t)
		case kube.PodRemoved:
			t.removePod(c.Pod.Name)
		}
	}
	return d.recordWorkloads(t, changes)
}

// drain evicts the pods of the released service that are due: those that exist when it begins.
func (d *driver) drain(t *traffic, now time.Duration) {
	x, released := d.spec.Scenario.Drain, time.Duration(d.released.Load())
	if x == nil || released == 0 || now < released+x.After {
		return
	}
	if d.draining == nil {
		d.draining = []string{}
		for _, p := range t.pods {
			if p.Service == d.spec.Scenario.Release.Service {
				d.draining = append(d.draining, p.Name)
			}
		}
	}
	for due := int((now-released-x.After)/x.Every) + 1; d.drained < min(due, len(d.draining)); d.drained++ {
		if name := d.draining[d.drained]; d.deployments.Evict(name) {
			t.removePod(name)
			d.changes.deployments.Store(true)
		}
	}
}

// syncProbes passes what the kubelet's probes changed to the Deployments.
func (d *driver) syncProbes(t *traffic) {
	for _, c := range t.plane.ReadinessChanges() {
		d.deployments.SetProbed(c.Pod, c.Ready)
		t.noteReady(c.Pod, c.Ready)
		d.changes.deployments.Store(true)
	}
}

// recordWorkloads records the state of the Deployments whose pods changed.
func (d *driver) recordWorkloads(t *traffic, changes []kube.Change) error {
	recorded := map[string]bool{}
	for _, c := range changes {
		name := c.Pod.Deployment
		if recorded[name] {
			continue
		}
		recorded[name] = true
		deployment, err := d.kube.AppsV1().Deployments(scenario.Namespace).Get(context.Background(), name,
			metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("deployment %s: %w", name, err)
		}
		_, version := t.models.versionOf(&deployment.Spec.Template)
		n := d.deployments.Count(deployment)
		d.record(sourceDriver, event.Workload{Name: name, Version: version, Desired: n.Desired, Updated: n.Updated,
			Ready: n.Ready})
	}
	return nil
}

// syncConfig passes changed configuration to the proxies, as Linkerd's destination and policy
// controllers do.
func (d *driver) syncConfig(t *traffic) error {
	ctx := context.Background()
	if d.changes.services.Swap(false) {
		list, err := d.kube.CoreV1().Services(scenario.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("services: %w", err)
		}
		t.plane.SetServices(planeServices(list.Items))
	}
	if d.changes.routes.Swap(false) {
		list, err := d.flaggerClient.GatewayapiV1beta1().HTTPRoutes(scenario.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("routes: %w", err)
		}
		known, unlock := d.routeState.lock()
		routes := planeRoutes(list.Items, known.users, known.created)
		unlock()
		if err := t.plane.SetRoutes(routes); err != nil {
			return fmt.Errorf("routes: %w", err)
		}
		d.recordRoutes(routes)
	}
	if d.changes.policies.Swap(false) {
		known, unlockRoutes := d.routeState.lock()
		routes := known.users
		unlockRoutes()
		p, unlock := d.policies.lock()
		defer unlock()
		converted, err := planePolicies(p.objects, routes)
		if err != nil {
			return err
		}
		t.plane.SetPolicies(converted, p.guardrails...)
		t.plane.SetProfiles(planeProfiles(p.objects))
	}
	return nil
}

// recordRoutes records each route that changed.
func (d *driver) recordRoutes(routes []mesh.Route) {
	c, unlock := d.canaries.lock()
	cookies := c.cookies
	unlock()
	for _, r := range routes {
		fact := workloads.RouteFact(r, cookies)
		if text := fmt.Sprint(fact); d.routes[r.Name] != text {
			d.routes[r.Name] = text
			d.record(sourceDriver, fact)
		}
	}
}

// recordTraffic records the requests that were answered since the last call.
func (w *world) recordTraffic(t *traffic, now time.Duration) {
	if t.totalsRecorded {
		return // the totals count what is answered later as open
	}
	from := t.recordedUntil
	t.recordedUntil = now
	if cells := t.plane.Cells(); len(cells) > 0 {
		w.record(sourceDriver, event.Traffic{
			From: event.Seconds(from), To: event.Seconds(now), Cells: cells, HurtSoFar: t.plane.HarmedUsers(),
		})
	}
	w.recordLoadTests(t)
	if now-t.meshUntil >= meshWindow {
		w.recordMesh(t, now)
	}
}

// meshWindow is the time over which effects of the mesh are counted. Flagger's steps are longer.
const meshWindow = 10 * time.Second

// recordMesh records what the mesh did since the last call.
func (w *world) recordMesh(t *traffic, now time.Duration) {
	from := t.meshUntil
	t.meshUntil = now
	if cells := t.plane.MeshEffects(); len(cells) > 0 {
		w.record(sourceDriver, event.Mesh{From: event.Seconds(from), To: event.Seconds(now), Cells: cells})
	}
}

// scrape samples all metrics.
func (d *driver) scrape(t *traffic) error {
	job := prom.Label{Name: "job", Value: "flagger"}
	return d.db.Scrape(time.Now(), t.collect, prom.RegistrySource(d.flagger.Registry(), job))
}
