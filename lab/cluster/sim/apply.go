package sim

import (
	"context"
	"fmt"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	gatewayv1beta1 "github.com/fluxcd/flagger/pkg/apis/gatewayapi/v1beta1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
	"coalmine/lab/scenario"
)

// applySet creates the objects of a set, in its order.
func (w *world) applySet(ctx context.Context, set *guardrail.Set, owner string) error {
	for _, o := range set.Objects {
		if err := w.apply(ctx, o); err != nil {
			return fmt.Errorf("%s: %s %s: %w", o.Source, o.Kind, o.Name, err)
		}
		w.record(sourceRun, workloads.AppliedFact(o, owner))
	}
	return nil
}

// applyManifests decodes and creates manifests of the scenario's.
func (w *world) applyManifests(ctx context.Context, name, manifests string) error {
	set, err := workloads.ParseManifests(w.spec.Scenario, name, manifests)
	if err != nil || set == nil {
		return err
	}
	return w.applySet(ctx, set, event.OwnerScenario)
}

// apply creates one object, or updates it where the lab has one of that name. Addresses are turned to the hosts of this run;
// everything else is applied as it was written.
func (w *world) apply(ctx context.Context, o guardrail.Object) error {
	create, update, ns := metav1.CreateOptions{}, metav1.UpdateOptions{}, scenario.Namespace
	var err error
	object := o.Value.DeepCopyObject()
	workloads.RewriteEndpoints(object, endpoints{w})
	switch v := object.(type) {
	case *flaggerv1.Canary:
		_, err = w.flaggerClient.FlaggerV1beta1().Canaries(ns).Create(ctx, v, create)
	case *flaggerv1.MetricTemplate:
		_, err = w.flaggerClient.FlaggerV1beta1().MetricTemplates(ns).Create(ctx, v, create)
	case *flaggerv1.AlertProvider:
		_, err = w.flaggerClient.FlaggerV1beta1().AlertProviders(ns).Create(ctx, v, create)
	case *gatewayv1beta1.HTTPRoute:
		_, err = w.flaggerClient.GatewayapiV1beta1().HTTPRoutes(ns).Create(ctx, v, create)
	case *autoscalingv2.HorizontalPodAutoscaler:
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
			err = nil // an account has nothing to update that the lab models
		}
	case *corev1.Namespace:
		w.defaultPolicy = v.Annotations[mesh.DefaultPolicyAnnotation]
		_, err = w.kube.CoreV1().Namespaces().Update(ctx, v, update)
	default:
		w.policies = append(w.policies, o)
		w.dirty.policies.Store(true)
	}
	return err
}

// endpoints lets the learner's objects point to this run.
type endpoints struct{ w *world }

// Prometheus implements [stage.Hosts].
func (h endpoints) Prometheus(canary string) string {
	if canary == "" {
		return "http://" + h.w.hosts.prometheus
	}
	return "http://" + h.w.hosts.prometheus + "/" + canary + "." + scenario.Namespace
}

// Alerts implements [stage.Hosts].
func (h endpoints) Alerts(provider string) string {
	return "http://" + h.w.hosts.alerts + "/" + provider
}

// Gate implements [stage.Hosts]: each webhook has a host of its own.
func (h endpoints) Gate(canary string, n int, hook flaggerv1.CanaryWebhook) string {
	host := h.w.hosts.gate(canary, n)
	h.w.cleanups = append(h.w.cleanups, h.w.net.RegisterHandler(host, h.w.gates(canary, hook.Type)))
	return strings.Replace(hook.URL, "//"+guardrail.GateHost, "//"+host, 1)
}
