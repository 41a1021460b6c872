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

	"coalmine/lab"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
	"coalmine/scenarios"
)

// applySet creates the objects of a set, in its order.
func (w *world) applySet(ctx context.Context, set *guardrail.Set, owner string) error {
	for _, o := range set.Objects {
		if err := w.apply(ctx, o); err != nil {
			return fmt.Errorf("%s: %s %s: %w", o.Source, o.Kind, o.Name, err)
		}
		fact := event.Applied{ObjectKind: o.Kind, Namespace: o.Namespace, Name: o.Name, Owner: owner}
		if owner == event.OwnerLearner {
			fact.Source = o.Source.String()
		}
		if m, ok := o.Value.(metav1.Object); ok {
			fact.Annotations = m.GetAnnotations()
		}
		w.note(sourceRun, fact)
	}
	return nil
}

// applyManifests decodes and creates manifests of the scenario's.
func (w *world) applyManifests(ctx context.Context, name, manifests string) error {
	if strings.TrimSpace(manifests) == "" {
		return nil
	}
	env := lab.Environment(w.flight.Scenario)
	env.ReleaseTarget = "" // the platform brings no canary
	set, err := guardrail.Parse(map[string][]byte{name: []byte(manifests)}, env)
	if err != nil {
		return fmt.Errorf("the scenario's manifests: %w", err)
	}
	return w.applySet(ctx, set, event.OwnerScenario)
}

// apply creates one object, or updates it where the lab has one of that name. Addresses are turned to the hosts of this run;
// everything else is applied as it was written.
func (w *world) apply(ctx context.Context, o guardrail.Object) error {
	create, update, ns := metav1.CreateOptions{}, metav1.UpdateOptions{}, scenarios.Namespace
	var err error
	switch v := o.Value.DeepCopyObject().(type) {
	case *flaggerv1.Canary:
		_, err = w.flaggerClient.FlaggerV1beta1().Canaries(ns).Create(ctx, w.localCanary(v), create)
	case *flaggerv1.MetricTemplate:
		_, err = w.flaggerClient.FlaggerV1beta1().MetricTemplates(ns).Create(ctx, w.localTemplate(v), create)
	case *flaggerv1.AlertProvider:
		_, err = w.flaggerClient.FlaggerV1beta1().AlertProviders(ns).Create(ctx, w.localAlertProvider(v), create)
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

// localCanary lets a canary's metrics server and webhooks point to this run.
func (w *world) localCanary(c *flaggerv1.Canary) *flaggerv1.Canary {
	// With its type set an object need not be looked up in the global scheme, which another run may be writing.
	c.TypeMeta = metav1.TypeMeta{APIVersion: flaggerv1.SchemeGroupVersion.String(), Kind: flaggerv1.CanaryKind}
	c.Spec.MetricsServer = "http://" + w.hosts.prometheus + "/" + c.Name + "." + scenarios.Namespace
	if a := c.GetAnalysis(); a != nil {
		for i := range a.Webhooks {
			host := w.hosts.gate(c.Name, i)
			w.remove = append(w.remove, w.net.Handle(host, w.gates(c.Name, a.Webhooks[i].Type)))
			a.Webhooks[i].URL = strings.Replace(a.Webhooks[i].URL, "//"+guardrail.GateHost, "//"+host, 1)
		}
		for i := range a.Metrics {
			if a.Metrics[i].Query != "" {
				a.Metrics[i].Query = w.marked(a.Metrics[i].Query, a.Metrics[i].Name)
			}
		}
	}
	return c
}

// localTemplate lets a metric template point to this run's Prometheus, and its queries tell who asks.
func (w *world) localTemplate(t *flaggerv1.MetricTemplate) *flaggerv1.MetricTemplate {
	t.Spec.Provider.Address = "http://" + w.hosts.prometheus
	t.Spec.Query = w.marked(t.Spec.Query, t.Name)
	return t
}

// localAlertProvider lets an alert provider post to this run's collector: alerts are evidence here, nobody is paged.
func (w *world) localAlertProvider(p *flaggerv1.AlertProvider) *flaggerv1.AlertProvider {
	p.Spec.Address = "http://" + w.hosts.alerts + "/" + p.Name
	p.Spec.SecretRef = nil
	return p
}

// mark begins the comment that tells a query's asker; Flagger fills in the canary's name with the rest of the query.
const mark = "# coalmine "

func (w *world) marked(query, metric string) string {
	return strings.TrimRight(query, " \t\r\n") + "\n" + mark + "{{ name }}.{{ namespace }} " + metric
}

// unmarked takes a marked query apart.
func unmarked(query string) (promQL, canary, metric string) {
	i := strings.LastIndex(query, mark)
	if i < 0 {
		return query, "", ""
	}
	canary, metric, _ = strings.Cut(query[i+len(mark):], " ")
	return strings.TrimSpace(query[:i]), canary, metric
}
