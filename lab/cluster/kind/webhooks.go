package kind

import (
	"slices"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/runtime"

	"coalmine/lab/event"
	"coalmine/lab/guardrail"
)

// adapt changes an object of the guardrails for this cluster, which has no metrics of pods and may
// have no load tester. It returns the facts about that: what of left, which the lab does not play
// anywhere, is not played here, what else is not, and what the load tester answers.
func adapt(o runtime.Object, left []event.LeftOut, tester loadTester) []event.Fact {
	var webhooks, facts []event.Fact
	switch v := o.(type) {
	case *autoscalingv2.HorizontalPodAutoscaler:
		left = append(left, event.LeftOut{What: event.LeftOutAutoscaler, Name: v.Name,
			Reason: "the kind cluster has no metrics of pods: the replicas only stay between minReplicas and " +
				"maxReplicas"})
	case *flaggerv1.Canary:
		a := webhookAdapter{canary: v, tester: tester}
		left, a.left = splitWebhooks(left)
		webhooks = a.adapt()
	}
	for _, l := range left {
		facts = append(facts, l)
	}
	return append(facts, webhooks...)
}

// splitWebhooks takes the webhooks out of what is left out.
func splitWebhooks(left []event.LeftOut) (others, webhooks []event.LeftOut) {
	for _, l := range left {
		if l.What == event.LeftOutWebhook {
			webhooks = append(webhooks, l)
		} else {
			others = append(others, l)
		}
	}
	return others, webhooks
}

// webhookAdapter changes the webhooks of a Canary: those to a load tester call the lab's. Without
// one its gates become the lab's gate approve, and its other webhooks are removed, which is as if
// they passed, as are those to servers outside of the lab.
type webhookAdapter struct {
	canary *flaggerv1.Canary
	tester loadTester
	// left are the webhooks that the sim does not play.
	left  []event.LeftOut
	facts []event.Fact
}

func (a *webhookAdapter) adapt() []event.Fact {
	analysis := a.canary.GetAnalysis()
	if analysis == nil {
		return nil
	}
	var kept []flaggerv1.CanaryWebhook
	for _, w := range analysis.Webhooks {
		h, err := guardrail.ParseHook(w)
		switch {
		case err != nil || h.Gate != nil:
		case a.tester.ready && testable(w, h):
			w.URL = a.tester.url(h)
			a.facts = append(a.facts, event.LoadTester{Canary: a.canary.Name, Webhook: w.Name, URL: w.URL})
		case isGate(h) && w.Type != flaggerv1.EventHook:
			a.leave(w, a.tester.absent()+"; the lab's gate approve answers")
			w.URL = "http://" + guardrail.GateHost + "/" + event.GateApprove
		default:
			if w.Type != flaggerv1.EventHook {
				a.leave(w, a.tester.reason(h)+", and the webhook is taken as passed")
			}
			continue
		}
		kept = append(kept, w)
	}
	analysis.Webhooks = kept
	return a.facts
}

// leave notes a webhook that is not played, with the reason that it has on every cluster if there is
// one.
func (a *webhookAdapter) leave(w flaggerv1.CanaryWebhook, reason string) {
	fact := event.LeftOut{What: event.LeftOutWebhook, Name: w.Name, Canary: a.canary.Name, Reason: reason}
	if i := slices.IndexFunc(a.left, func(l event.LeftOut) bool { return l.Name == w.Name }); i >= 0 {
		fact = a.left[i]
	}
	a.facts = append(a.facts, fact)
}

// isGate reports whether a webhook asks a gate of a load tester that a person opens. The gate for
// rollbacks stays closed, so that it need not be asked.
func isGate(h guardrail.Hook) bool {
	return h.Tester && (h.URL.Path == "/gate/check" || h.URL.Path == "/gate/halt")
}
