package workloads

import (
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"
)

// Times of a gate that waits for something before it answers.
const (
	// webhookTimeout is Flagger's default (flagger, pkg/controller/webhook.go).
	webhookTimeout = 10 * time.Second
	// answerTime is left for what the gate does after it waited, and for the answer.
	answerTime = 4 * time.Second
	// maxPatience is longer than any look-up of a client's proxy takes.
	maxPatience = 2 * time.Minute
)

// GatePatience returns how long a gate may wait before it answers a webhook: the webhook's timeout but
// for a few seconds, and two minutes at most.
func GatePatience(hook flaggerv1.CanaryWebhook) time.Duration {
	timeout, err := time.ParseDuration(hook.Timeout)
	if err != nil || timeout <= 0 {
		timeout = webhookTimeout
	}
	return min(max(timeout-answerTime, 0), maxPatience).Truncate(time.Second)
}
