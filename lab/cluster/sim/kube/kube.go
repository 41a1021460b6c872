// Package kube models how Kubernetes runs a Deployment: pods start, become ready, are replaced in a
// rolling update and are removed. It works against a clientset and has no clock: the caller passes
// the time.
//
// It follows the documentation of the Deployment controller
// (concepts/workloads/controllers/deployment: rolling update, maxSurge, maxUnavailable, progress
// deadline). Scheduling, images and nodes are not modelled: every pod can be placed.
package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Pod is one pod of a Deployment.
type Pod struct {
	Name       string
	Deployment string
	// Template is what the pod was made from. It must not be changed.
	Template *corev1.PodTemplateSpec
	// Created and ReadyAt are times since the run's start; ReadyAt may be in the future.
	Created, ReadyAt time.Duration
	Ready            bool

	revision int
	// probed is set while the kubelet's probes keep the pod unready.
	probed bool
	// restarts counts those of the container; started is when it last became ready.
	restarts int
	started  time.Duration
}

// ChangeKind is the kind of a [Change].
type ChangeKind int

// Kinds of changes.
const (
	PodAdded ChangeKind = iota
	PodReady
	PodRemoved
)

// Change is a change of a pod's state.
type Change struct {
	Kind ChangeKind
	Pod  Pod
}

// Controller reconciles the pods of all Deployments of a namespace with their specs.
type Controller struct {
	client      kubernetes.Interface
	namespace   string
	seed        uint64
	startupTime func(*corev1.PodTemplateSpec) time.Duration
	workloads   map[string]*workload
	podsCreated uint64
}

// workload is the controller's state of a Deployment.
type workload struct {
	template string // JSON of the pod template of the newest revision
	revision int
	pods     []*Pod
	// lastProgress is when the rollout last made progress, for the progress deadline.
	lastProgress time.Duration
	status       string // JSON of the last written status
	conditions   map[appsv1.DeploymentConditionType]appsv1.DeploymentCondition
}

// New returns a controller. startup returns the time from creation to readiness of a template's
// pods. Each pod takes up to a fifth longer, depending on the seed.
func New(client kubernetes.Interface, namespace string, seed uint64,
	startup func(*corev1.PodTemplateSpec) time.Duration) *Controller {
	return &Controller{client: client, namespace: namespace, seed: seed, startupTime: startup,
		workloads: map[string]*workload{}}
}

// Reconcile brings the pods up to now, writes the Deployments' statuses and returns the changes in
// a deterministic order.
func (c *Controller) Reconcile(ctx context.Context, now time.Duration) ([]Change, error) {
	list, err := c.client.AppsV1().Deployments(c.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("deployments: %w", err)
	}
	slices.SortFunc(list.Items, func(a, b appsv1.Deployment) int { return cmp.Compare(a.Name, b.Name) })
	var changes []Change
	seen := map[string]bool{}
	for i := range list.Items {
		d := &list.Items[i]
		seen[d.Name] = true
		more, err := c.reconcile(ctx, d, now)
		if err != nil {
			return changes, err
		}
		changes = append(changes, more...)
	}
	for _, name := range slices.Sorted(maps.Keys(c.workloads)) {
		if !seen[name] {
			changes = append(changes, removeAll(c.workloads[name].pods)...)
			delete(c.workloads, name)
		}
	}
	return changes, nil
}

// NextReady returns when the next pod becomes ready; ok is false if none will.
func (c *Controller) NextReady() (at time.Duration, ok bool) {
	for _, w := range c.workloads {
		for _, p := range w.pods {
			if !p.Ready && !p.probed && (!ok || p.ReadyAt < at) {
				at, ok = p.ReadyAt, true
			}
		}
	}
	return at, ok
}

// Restart makes a pod unready and starts it again after the kubelet's back-off, as after its
// container has ended. It reports whether the pod exists.
func (c *Controller) Restart(name string, now time.Duration) bool {
	p := c.find(name)
	if p == nil {
		return false
	}
	if now-p.started >= backoffReset {
		p.restarts = 0
	}
	p.Ready, p.ReadyAt = false, now+restartBackoff(p.restarts)+c.jitteredStartup(p.Template)
	p.restarts++
	return true
}

// Bounds of the kubelet's back-off (kubernetes, pkg/kubelet/kubelet.go, MaxContainerBackOff and
// backOffPeriod; recorded: 0, 10, 20, 40 s).
const (
	firstBackoff = 10 * time.Second
	maxBackoff   = 5 * time.Minute
	// backoffReset is for how long a container has to run until its next end counts as the first.
	backoffReset = 10 * time.Minute
)

// restartBackoff returns how long the kubelet waits before it starts a container that has been
// restarted a number of times.
func restartBackoff(restarts int) time.Duration {
	if restarts == 0 {
		return 0
	}
	return min(firstBackoff<<min(restarts-1, 10), maxBackoff)
}

// SetProbed sets whether the kubelet's probes keep a pod unready.
func (c *Controller) SetProbed(name string, ready bool) {
	if p := c.find(name); p != nil {
		p.Ready, p.probed = ready, !ready
	}
}

// Evict removes a pod, as a drain of its node does. It reports whether the pod existed. The next
// [Controller.Reconcile] replaces it.
func (c *Controller) Evict(name string) bool {
	for _, w := range c.workloads {
		if i := slices.IndexFunc(w.pods, func(p *Pod) bool { return p.Name == name }); i >= 0 {
			w.pods = slices.Delete(w.pods, i, i+1)
			return true
		}
	}
	return false
}

func (c *Controller) find(name string) *Pod {
	for _, w := range c.workloads {
		for _, p := range w.pods {
			if p.Name == name {
				return p
			}
		}
	}
	return nil
}

func (c *Controller) reconcile(ctx context.Context, d *appsv1.Deployment, now time.Duration) ([]Change, error) {
	w := c.workloads[d.Name]
	if w == nil {
		w = &workload{lastProgress: now}
		c.workloads[d.Name] = w
	}
	template, err := json.Marshal(d.Spec.Template)
	if err != nil {
		return nil, fmt.Errorf("deployment %s: %w", d.Name, err)
	}
	if w.template != string(template) {
		w.template, w.lastProgress = string(template), now
		w.revision++
	}
	changes := markReady(w, now)
	changes = append(changes, c.replace(d, w, now)...)
	if len(changes) > 0 {
		w.lastProgress = now
	}
	return changes, c.writeStatus(ctx, d, w, now)
}

func markReady(w *workload, now time.Duration) []Change {
	var changes []Change
	for _, p := range w.pods {
		if !p.Ready && !p.probed && now >= p.ReadyAt {
			p.Ready, p.started = true, now
			changes = append(changes, Change{PodReady, *p})
		}
	}
	return changes
}

// replace adds and removes pods as far as the rollout strategy allows now.
func (c *Controller) replace(d *appsv1.Deployment, w *workload, now time.Duration) []Change {
	want := replicas(d)
	surge, unavailable := rolloutLimits(d, want)
	var changes []Change
	drop := func(p *Pod) {
		w.pods = slices.DeleteFunc(w.pods, func(x *Pod) bool { return x == p })
		changes = append(changes, Change{PodRemoved, *p})
	}
	// Scaling down: unready pods go first, then the youngest.
	for updated := newest(w); len(updated) > want; updated = newest(w) {
		drop(nextToRemove(updated))
	}
	// Unready old pods go at once, others as long as enough pods stay available.
	for old := outdated(w); len(old) > 0; old = outdated(w) {
		p := nextToRemove(old)
		if p.Ready && available(w)-1 < want-unavailable {
			break
		}
		drop(p)
	}
	recreate := d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType
	for len(newest(w)) < want && len(w.pods) < want+surge && !(recreate && len(outdated(w)) > 0) {
		p := c.newPod(d, w, now)
		w.pods = append(w.pods, p)
		changes = append(changes, Change{PodAdded, *p})
	}
	return changes
}

// rolloutLimits returns the strategy's maxSurge (rounded up) and maxUnavailable (rounded down).
// Both default to 25 %.
func rolloutLimits(d *appsv1.Deployment, want int) (surge, unavailable int) {
	if d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return 0, want
	}
	surge, unavailable = (want+3)/4, want/4
	if r := d.Spec.Strategy.RollingUpdate; r != nil {
		if r.MaxSurge != nil {
			surge = scaled(*r.MaxSurge, want, true)
		}
		if r.MaxUnavailable != nil {
			unavailable = scaled(*r.MaxUnavailable, want, false)
		}
	}
	if surge == 0 && unavailable == 0 {
		unavailable = 1 // the API server rejects 0 and 0, since no rollout could proceed
	}
	return surge, unavailable
}

func (c *Controller) newPod(d *appsv1.Deployment, w *workload, now time.Duration) *Pod {
	c.podsCreated++
	template := d.Spec.Template.DeepCopy()
	return &Pod{
		Name:       fmt.Sprintf("%s-%d-%s", d.Name, w.revision, suffix(c.seed, d.Name, c.podsCreated)),
		Deployment: d.Name,
		Template:   template,
		Created:    now,
		ReadyAt:    now + c.jitteredStartup(template),
		revision:   w.revision,
	}
}

// jitteredStartup returns the template's start-up time plus up to a fifth, depending on the seed.
func (c *Controller) jitteredStartup(t *corev1.PodTemplateSpec) time.Duration {
	base := c.startupTime(t)
	return base + time.Duration(float64(base)*0.2*float64(hash(c.seed, "start", c.podsCreated)%1000)/1000)
}

// suffix returns the last part of a pod name, from the letters that Kubernetes uses (apimachinery,
// pkg/util/rand).
func suffix(seed uint64, name string, n uint64) string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	h := hash(seed, name, n)
	b := make([]byte, 5)
	for i := range b {
		b[i] = letters[h%uint64(len(letters))]
		h /= uint64(len(letters))
	}
	return string(b)
}

func hash(seed uint64, text string, n uint64) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%s/%d", seed, text, n)
	return h.Sum64()
}

func removeAll(pods []*Pod) []Change {
	var changes []Change
	for _, p := range pods {
		changes = append(changes, Change{PodRemoved, *p})
	}
	return changes
}
