package guardrail

import (
	"errors"
	"fmt"
	"strconv"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/event"
)

// checkWebhooks checks the calls that Flagger makes during a release.
func (c *checker) checkWebhooks(d *document, a *flaggerv1.CanaryAnalysis) {
	const path = "spec.analysis.webhooks"
	if !c.checkLength(d, path, len(a.Webhooks)) {
		return
	}
	names := make(map[string]int, len(a.Webhooks))
	for i, w := range a.Webhooks {
		at := indexPath(path, i)
		c.checkEntryName(d, at+".name", w.Name)
		if first, twice := names[w.Name]; twice && w.Name != "" {
			c.fail(d, at+".name", clip(w.Name)+" is also the name of "+indexPath("webhooks", first), "give each its own, or events cannot be told apart")
		} else {
			names[w.Name] = i
		}
		c.checkWebhookType(d, at+".type", w.Type)
		c.checkWebhookURL(d, at+".url", w)
		c.checkWebhookCall(d, at, w)
	}
}

// checkWebhookType knows the types of flagger's pkg/apis/flagger/v1beta1/canary.go; "" means rollout.
func (c *checker) checkWebhookType(d *document, path string, t flaggerv1.HookType) {
	switch t {
	case "", flaggerv1.RolloutHook, flaggerv1.PreRolloutHook, flaggerv1.PostRolloutHook, flaggerv1.ConfirmRolloutHook,
		flaggerv1.ConfirmPromotionHook, flaggerv1.RollbackHook, flaggerv1.ConfirmTrafficIncreaseHook, flaggerv1.EventHook:
	default:
		c.fail(d, path, clip(string(t))+" is no type of webhook",
			"use pre-rollout, rollout, confirm-rollout, confirm-traffic-increase, confirm-promotion, post-rollout, rollback or event")
	}
}

func (c *checker) checkWebhookURL(d *document, path string, w flaggerv1.CanaryWebhook) {
	if w.URL == "" {
		c.fail(d, path, "is missing", gateExample)
		return
	}
	call, err := ParseGate(w.URL)
	var refused *GateError
	switch {
	case errors.As(err, &refused):
		c.fail(d, path, refused.What, refused.Hint)
	case (call.Gate == event.GateEvents) != (w.Type == flaggerv1.EventHook):
		c.fail(d, path, "gate /"+event.GateEvents+" is for webhooks of type event, and they have no other", "write http://"+GateHost+"/"+event.GateEvents+" for type event, and a gate that answers for the rest")
	}
}

func (c *checker) checkWebhookCall(d *document, at string, w flaggerv1.CanaryWebhook) {
	if w.DisableTLS {
		c.fail(d, at+".disableTLS", "is refused: such a call would go past the lab's network", "take it out; gates speak plain http")
	}
	c.checkRange(d, at+".retries", w.Retries, 0, MaxWebhookRetries)
	if w.Timeout == "" {
		return
	}
	timeout, ok := c.parseDuration(d, at+".timeout", w.Timeout)
	if ok && (timeout <= 0 || timeout > MaxWebhookTimeout) {
		c.fail(d, at+".timeout", fmt.Sprintf("%s is not between 1s and %s", clip(w.Timeout), strconv.Itoa(int(MaxWebhookTimeout.Seconds()))+"s"), "correct it")
	}
}
