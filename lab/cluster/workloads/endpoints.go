package workloads

import (
	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Endpoints are the addresses at which a cluster serves what the learner's objects refer to.
type Endpoints interface {
	// Prometheus is for the queries that Flagger asks for a canary by itself. With the name "" it is for metric templates, whose
	// queries say who asks: see evidence.ReadQuery.
	Prometheus(canary string) string
	// Alerts is for what is sent to a provider.
	Alerts(provider string) string
	// Gate is what a webhook of a canary calls in place of its URL; n counts the canary's webhooks from 0.
	Gate(canary string, n int, hook flaggerv1.CanaryWebhook) string
}

// RewriteEndpoints turns an object of the learner's to the hosts of a cluster, in place; everything else stays as it was written. Alerts
// are evidence here, nobody is paged: so the secrets of their providers are not asked for.
func RewriteEndpoints(o runtime.Object, h Endpoints) {
	switch v := o.(type) {
	case *flaggerv1.Canary:
		rewriteCanary(v, h)
	case *flaggerv1.MetricTemplate:
		v.Spec.Provider.Address = h.Prometheus("")
		v.Spec.Query = TagQuery(v.Spec.Query, v.Name)
	case *flaggerv1.AlertProvider:
		v.Spec.Address = h.Alerts(v.Name)
		v.Spec.SecretRef = nil
	}
}

func rewriteCanary(c *flaggerv1.Canary, h Endpoints) {
	// With its type set an object need not be looked up in the global scheme, which another run may be writing.
	c.TypeMeta = metav1.TypeMeta{APIVersion: flaggerv1.SchemeGroupVersion.String(), Kind: flaggerv1.CanaryKind}
	c.Spec.MetricsServer = h.Prometheus(c.Name)
	a := c.GetAnalysis()
	if a == nil {
		return
	}
	for i := range a.Webhooks {
		a.Webhooks[i].URL = h.Gate(c.Name, i, a.Webhooks[i])
	}
	for i := range a.Metrics {
		if a.Metrics[i].Query != "" {
			a.Metrics[i].Query = TagQuery(a.Metrics[i].Query, a.Metrics[i].Name)
		}
	}
}
