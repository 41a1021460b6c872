package workloads

import (
	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Endpoints returns the addresses at which a cluster serves what users' objects refer to.
type Endpoints interface {
	// Prometheus is for the queries that Flagger makes for a canary by itself. With the name "" it
	// is for metric templates, whose queries contain the canary; see [ParseQuery].
	Prometheus(canary string) string
	// Alerts is for the alerts to a provider.
	Alerts(provider string) string
	// Gate replaces the URL of a canary's webhook; n counts the canary's webhooks from 0.
	Gate(canary string, n int, hook flaggerv1.CanaryWebhook) string
}

// RewriteEndpoints changes the addresses in a user's object to those of a cluster, in place. It
// also drops the credentials of alert providers and metric templates: alerts are only recorded, and
// the lab's Prometheus asks for none.
func RewriteEndpoints(o runtime.Object, e Endpoints) {
	switch v := o.(type) {
	case *flaggerv1.Canary:
		rewriteCanary(v, e)
	case *flaggerv1.MetricTemplate:
		v.Spec.Provider = flaggerv1.MetricTemplateProvider{Type: v.Spec.Provider.Type, Address: e.Prometheus("")}
		v.Spec.Query = TagQuery(v.Spec.Query, v.Name)
	case *flaggerv1.AlertProvider:
		v.Spec.Address = e.Alerts(v.Name)
		v.Spec.SecretRef = nil
	}
}

func rewriteCanary(c *flaggerv1.Canary, e Endpoints) {
	// An object with a type need not be looked up in the global scheme, which another run may be
	// writing.
	c.TypeMeta = metav1.TypeMeta{APIVersion: flaggerv1.SchemeGroupVersion.String(), Kind: flaggerv1.CanaryKind}
	c.Spec.MetricsServer = e.Prometheus(c.Name)
	a := c.GetAnalysis()
	if a == nil {
		return
	}
	for i := range a.Webhooks {
		a.Webhooks[i].URL = e.Gate(c.Name, i, a.Webhooks[i])
	}
	for i := range a.Metrics {
		if a.Metrics[i].Query != "" {
			a.Metrics[i].Query = TagQuery(a.Metrics[i].Query, a.Metrics[i].Name)
		}
	}
}
