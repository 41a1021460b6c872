package sim

import (
	"context"
	"fmt"
	"strings"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	gatewayv1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coalmine/lab/cluster/sim/vclock"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
	"coalmine/lab/scenario"
)

// watched is how many objects are applied before the watches of the fakes are read: they hold a
// hundred changes.
const watched = 50

// applySet applies the objects of a set in order.
func (w *world) applySet(ctx context.Context, set *guardrail.Set, owner string) error {
	for i, o := range set.Objects {
		if i%watched == watched-1 {
			vclock.WaitIdle()
		}
		object := set.Played(o)
		if object == nil {
			continue
		}
		if err := w.apply(ctx, o, object); err != nil {
			return fmt.Errorf("%s: %s %s: %w", o.Source, o.Kind, o.Name, err)
		}
		if owner == event.OwnerLearner {
			w.addGuardrailPolicy(o)
		}
		w.record(sourceRun, workloads.AppliedFact(set, o, owner))
		for _, fact := range set.LeftOut(o) {
			w.record(sourceRun, fact)
		}
	}
	return nil
}

// addGuardrailPolicy remembers a Server, a route, a rate limit or a default policy of the guardrails.
func (w *world) addGuardrailPolicy(o guardrail.Object) {
	var ref mesh.Ref
	switch v := o.Value.(type) {
	case *guardrail.Server:
		ref = mesh.ServerRef(v.Name)
	case *guardrail.HTTPLocalRateLimitPolicy:
		ref = mesh.RateLimitRef(v.Name)
	case *gatewayv1.HTTPRoute:
		group, _, _ := strings.Cut(v.APIVersion, "/")
		ref = mesh.RouteRef(group, v.Name)
	case *corev1.Namespace:
		ref = mesh.DefaultRef(v.Annotations[mesh.DefaultPolicyAnnotation])
	default:
		return
	}
	p, unlock := w.policies.lock()
	defer unlock()
	p.guardrails = append(p.guardrails, ref)
	w.changes.policies.Store(true)
}

// applyManifests applies manifests of the scenario.
func (w *world) applyManifests(ctx context.Context, name, manifests string) error {
	set, err := workloads.ParseManifests(w.spec.Scenario, name, manifests)
	if err != nil || set == nil {
		return err
	}
	return w.applySet(ctx, set, event.OwnerScenario)
}

// apply creates what is played of an object, or updates one of the lab's with the same name.
// Addresses are changed to the hosts of this run.
func (w *world) apply(ctx context.Context, o guardrail.Object, object runtime.Object) error {
	create, update, ns := metav1.CreateOptions{}, metav1.UpdateOptions{}, scenario.Namespace
	var err error
	workloads.RewriteEndpoints(object, endpoints{w})
	switch v := object.(type) {
	case *flaggerv1.Canary:
		_, err = w.flaggerClient.FlaggerV1beta1().Canaries(ns).Create(ctx, v, create)
	case *flaggerv1.MetricTemplate:
		_, err = w.flaggerClient.FlaggerV1beta1().MetricTemplates(ns).Create(ctx, v, create)
	case *flaggerv1.AlertProvider:
		_, err = w.flaggerClient.FlaggerV1beta1().AlertProviders(ns).Create(ctx, v, create)
	case *gatewayv1.HTTPRoute:
		w.addRoute(v)
	case *autoscalingv2.HorizontalPodAutoscaler:
		w.autoscaled.Store(true)
		_, err = w.kube.AutoscalingV2().HorizontalPodAutoscalers(ns).Create(ctx, v, create)
	case *corev1.ConfigMap:
		if _, err = w.kube.CoreV1().ConfigMaps(ns).Create(ctx, v, create); apierrors.IsAlreadyExists(err) {
			_, err = w.kube.CoreV1().ConfigMaps(ns).Update(ctx, v, update)
		}
	case *corev1.Secret:
		if _, err = w.kube.CoreV1().Secrets(ns).Create(ctx, v, create); apierrors.IsAlreadyExists(err) {
			_, err = w.kube.CoreV1().Secrets(ns).Update(ctx, v, update)
		}
	case *corev1.ServiceAccount:
		if _, err = w.kube.CoreV1().ServiceAccounts(ns).Create(ctx, v, create); apierrors.IsAlreadyExists(err) {
			err = nil // nothing in a service account is modelled
		}
	case *corev1.Namespace:
		p, unlock := w.policies.lock()
		p.namespaceDefault = v.Annotations[mesh.DefaultPolicyAnnotation]
		unlock()
		_, err = w.kube.CoreV1().Namespaces().Update(ctx, v, update)
	default:
		p, unlock := w.policies.lock()
		p.objects = append(p.objects, o)
		unlock()
		w.changes.policies.Store(true)
	}
	return err
}

// addRoute adds a route of the guardrails or the scenario. The fakes keep only Flagger's, since the
// version in which Flagger writes lacks fields.
func (w *world) addRoute(r *gatewayv1.HTTPRoute) {
	r.CreationTimestamp.Time = vclock.Epoch.Add(w.clock.now().Truncate(time.Second))
	state, unlock := w.routeState.lock()
	defer unlock()
	state.users = append(state.users, r)
	w.changes.set(&w.changes.policies)
	w.changes.set(&w.changes.routes)
}

// endpoints points users' objects to this run.
type endpoints struct{ w *world }

// Prometheus implements [workloads.Endpoints].
func (e endpoints) Prometheus(canary string) string {
	if canary == "" {
		return "http://" + e.w.hosts.prometheus
	}
	return "http://" + e.w.hosts.prometheus + "/" + canary + "." + scenario.Namespace
}

// Alerts implements [workloads.Endpoints].
func (e endpoints) Alerts(provider string) string {
	return "http://" + e.w.hosts.alerts + "/" + provider
}

// Gate implements [workloads.Endpoints]. Each webhook has a host of its own.
func (e endpoints) Gate(canary string, n int, hook flaggerv1.CanaryWebhook) string {
	host := e.w.hosts.gate(canary, n)
	if h, err := guardrail.ParseHook(hook); err == nil && h.Gate == nil {
		address := *h.URL
		address.Scheme, address.Host, address.User = "http", host, nil
		handler := loadTesterHook{e.w, canary, hook, h}
		e.w.cleanups = append(e.w.cleanups, e.w.net.RegisterHandler(host, handler))
		return address.String()
	}
	e.w.cleanups = append(e.w.cleanups, e.w.net.RegisterHandler(host, e.w.gates(canary, hook)))
	return strings.Replace(hook.URL, "//"+guardrail.GateHost, "//"+host, 1)
}
