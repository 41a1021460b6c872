package kind

import (
	"slices"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/runtime"

	"coalmine/lab/event"
	"coalmine/lab/guardrail"
)

// adapt changes an object of the guardrails for this cluster, which has no load tester and no metrics
// of pods. It returns what is left out for that reason. Gates of a load tester become the lab's gate
// approve; other webhooks to servers outside of the lab are removed, which is as if they passed.
func adapt(o runtime.Object) []event.LeftOut {
	switch v := o.(type) {
	case *autoscalingv2.HorizontalPodAutoscaler:
		return []event.LeftOut{{What: event.LeftOutAutoscaler, Name: v.Name,
			Reason: "the kind cluster has no metrics of pods: the replicas only stay between minReplicas and " +
				"maxReplicas"}}
	case *flaggerv1.Canary:
		return adaptWebhooks(v)
	}
	return nil
}

func adaptWebhooks(v *flaggerv1.Canary) []event.LeftOut {
	a := v.GetAnalysis()
	if a == nil {
		return nil
	}
	var left []event.LeftOut
	leave := func(w flaggerv1.CanaryWebhook, reason string) {
		left = append(left, event.LeftOut{What: event.LeftOutWebhook, Name: w.Name, Canary: v.Name, Reason: reason})
	}
	a.Webhooks = slices.DeleteFunc(a.Webhooks, func(w flaggerv1.CanaryWebhook) bool {
		h, err := guardrail.ParseHook(w)
		if err != nil || h.Gate != nil || isGate(h) {
			return false
		}
		if w.Type != flaggerv1.EventHook {
			leave(w, "the kind cluster has no load tester, and the webhook is taken as passed")
		}
		return true
	})
	for i := range a.Webhooks {
		w := &a.Webhooks[i]
		if h, err := guardrail.ParseHook(*w); err == nil && h.Gate == nil {
			leave(*w, "the kind cluster has no load tester: the lab's gate approve answers")
			w.URL = "http://" + guardrail.GateHost + "/" + event.GateApprove
		}
	}
	return left
}

// isGate reports whether a webhook asks a gate of a load tester that a person opens. The gate for
// rollbacks stays closed, so that it need not be asked.
func isGate(h guardrail.Hook) bool {
	return h.Tester && (h.URL.Path == "/gate/check" || h.URL.Path == "/gate/halt")
}
