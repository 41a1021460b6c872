package guardrail

import (
	"errors"
	"fmt"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/event"
	"coalmine/lab/input/yamlpos"
)

// checkWebhooks checks the HTTP calls that Flagger makes during a release.
func (c *checker) checkWebhooks(d *document, a *flaggerv1.CanaryAnalysis) {
	const path = "spec.analysis.webhooks"
	if !c.checkLength(d, path, len(a.Webhooks)) {
		return
	}
	names := make(map[string]int, len(a.Webhooks))
	for i, w := range a.Webhooks {
		hook := yamlpos.Index(path, i)
		c.checkEntryName(d, hook+".name", w.Name)
		if first, twice := names[w.Name]; twice && w.Name != "" {
			c.note(d, hook+".name", Clip(w.Name)+" is also the name of "+yamlpos.Index("webhooks", first)+
				": the card does not tell them apart", "give each webhook a different name")
		} else {
			names[w.Name] = i
		}
		c.checkWebhookType(d, hook+".type", w.Type)
		c.checkWebhookURL(d, hook+".url", w)
		c.checkWebhookCall(d, hook, w)
	}
}

// checkWebhookType checks a type of webhook. "" means rollout.
// Source: flagger pkg/apis/flagger/v1beta1/canary.go.
func (c *checker) checkWebhookType(d *document, path string, t flaggerv1.HookType) {
	switch t {
	case "", flaggerv1.RolloutHook, flaggerv1.PreRolloutHook, flaggerv1.PostRolloutHook, flaggerv1.ConfirmRolloutHook,
		flaggerv1.ConfirmPromotionHook, flaggerv1.RollbackHook, flaggerv1.ConfirmTrafficIncreaseHook,
		flaggerv1.EventHook:
	default:
		c.fail(d, path, Clip(string(t))+" is not a type of webhook",
			"use pre-rollout, rollout, confirm-rollout, confirm-traffic-increase, confirm-promotion, post-rollout, "+
				"rollback or event")
	}
}

func (c *checker) checkWebhookURL(d *document, path string, w flaggerv1.CanaryWebhook) {
	if w.URL == "" {
		c.fail(d, path, "is missing", gateExample)
		return
	}
	h, err := ParseHook(w)
	var refused *GateError
	switch {
	case errors.As(err, &refused):
		c.fail(d, path, refused.Message, refused.Hint)
	case h.Gate == nil:
		reason := h.leftOut(w.Type)
		if reason != "" && h.Tester {
			reason = "in the sim " + reason // a kind cluster may have a load tester
		}
		if reason != "" {
			c.note(d, path, reason, "")
		}
	case (h.Gate.Gate == event.GateEvents) != (w.Type == flaggerv1.EventHook):
		c.fail(d, path, "webhooks of type event, and only those, must call gate /"+event.GateEvents,
			"write http://"+GateHost+"/"+event.GateEvents+" for type event, and another gate for other types")
	}
}

// checkWebhookCall checks the timeout and the retries. The lab answers at once, so none is too long.
func (c *checker) checkWebhookCall(d *document, hook string, w flaggerv1.CanaryWebhook) {
	if w.Retries < 0 {
		c.fail(d, hook+".retries", fmt.Sprintf("%d is negative", w.Retries), "write 0 or more")
	}
	if w.Timeout == "" {
		return
	}
	if timeout, ok := c.parseDuration(d, hook+".timeout", w.Timeout); ok && timeout <= 0 {
		c.fail(d, hook+".timeout", Clip(w.Timeout)+" is no time at all", "write 10s, the default")
	}
}
