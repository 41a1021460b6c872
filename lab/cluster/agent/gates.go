package agent

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/gate"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/loadgen/traceheader"
)

// Probes of a rollback drill carry a header that no user sends.
const (
	drillHeader  = traceheader.DrillHeader
	drillForward = "forward"
)

// maxMessage bounds the body of Flagger's requests, in bytes.
const maxMessage = 1 << 20

// handleWebhook answers one webhook of a canary by a gate.
func (a *Agent) handleWebhook(w http.ResponseWriter, r *http.Request) {
	payload, err := readPayload(r)
	if err != nil {
		http.Error(w, "the body is not a payload of Flagger's webhooks", http.StatusBadRequest)
		return
	}
	answer := a.askGate(r, payload)
	w.WriteHeader(answer.Status())
	_, _ = io.WriteString(w, answer.Reason) // Flagger repeats a call that it gave up
}

func readPayload(r *http.Request) (flaggerv1.CanaryWebhookPayload, error) {
	var payload flaggerv1.CanaryWebhookPayload
	body, err := io.ReadAll(io.LimitReader(r.Body, maxMessage))
	if err == nil {
		err = json.Unmarshal(body, &payload)
	}
	return payload, err
}

// askGate evaluates one call and records the answer.
func (a *Agent) askGate(r *http.Request, payload flaggerv1.CanaryWebhookPayload) gate.Answer {
	canary := r.PathValue("canary")
	public := "http://" + client.Host + "/" + strings.TrimPrefix(r.URL.EscapedPath(), hookPath(r))
	if r.URL.RawQuery != "" {
		public += "?" + r.URL.RawQuery
	}
	call, err := guardrail.ParseGate(public)
	if err != nil {
		return gate.Answer{Reason: err.Error()}
	}
	answer := a.evaluate(r, canary, call)
	if answer.Drill != nil {
		a.record(a.now(), event.RollbackDrill{Canary: canary, Passed: answer.Passed, Reason: answer.Reason,
			Forward: answer.Drill.Forward, Back: answer.Drill.Back, Probes: answer.Drill.Probes})
	}
	if call.Gate == event.GateEvents {
		a.events.record(payload)
		return answer
	}
	a.record(a.now(), event.Gate{
		Canary: canary, Name: call.Gate, Hook: r.PathValue("hook"), URL: public, Phase: string(payload.Phase),
		Passed: answer.Passed, Late: answer.Late, Status: answer.Status(), Reason: answer.Reason,
	})
	return answer
}

// hookPath returns the part of the path before the gate's own.
func hookPath(r *http.Request) string {
	return client.PathHooks + r.PathValue("canary") + "/" + r.PathValue("hook") + "/"
}

// evaluate asks a gate about the service of a canary. Calls are serialized, so that two drills do
// not overlap.
func (a *Agent) evaluate(r *http.Request, canary string, call guardrail.GateCall) gate.Answer {
	c := a.canary(canary)
	if c == nil {
		return gate.Answer{Reason: "canary " + canary + " is not one of the guardrails' canaries"}
	}
	a.gateMu.Lock()
	defer a.gateMu.Unlock()
	s := &state{Agent: a, ctx: r.Context(), patience: patience(c, r.PathValue("hook"), call)}
	answer := gate.Evaluate(s, c.Spec.TargetRef.Name, call)
	if answer.Err != nil && r.Context().Err() == nil {
		a.fault("gate " + call.Gate + " could not inspect the cluster: " + answer.Err.Error())
	}
	return answer
}

// patience returns how long a gate may take by the webhook that calls it.
func patience(c *flaggerv1.Canary, hookType string, call guardrail.GateCall) time.Duration {
	if c.Spec.Analysis == nil {
		return 0
	}
	for _, w := range c.Spec.Analysis.Webhooks {
		of, err := guardrail.ParseGate(w.URL)
		if err == nil && of == call && string(cmp.Or(w.Type, flaggerv1.RolloutHook)) == hookType {
			return workloads.GatePatience(w)
		}
	}
	return 0
}

// canary returns a canary as the learner wrote it, or nil.
func (a *Agent) canary(name string) *flaggerv1.Canary {
	var targets []string
	for _, s := range a.scenario.Services {
		targets = append(targets, s.Name)
	}
	return workloads.FindCanary(a.guardrails, targets, name)
}

// handleAlert accepts a message in any of the formats of Flagger's notifiers and records it. Nobody
// is paged.
func (a *Agent) handleAlert(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxMessage))
	if err != nil {
		http.Error(w, "cannot read the alert", http.StatusBadRequest)
		return
	}
	canary, severity, message := workloads.ParseAlert(body)
	a.record(a.now(), event.Alert{
		Canary: a.canaryName(canary), Provider: r.PathValue("provider"), Severity: severity,
		Message: client.Public(message),
	})
}
