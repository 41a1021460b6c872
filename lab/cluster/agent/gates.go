package agent

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/cluster/gate"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/loadgen/traceheader"
)

// A drill's probes are told apart by a header that nobody else sends.
const (
	drillHeader  = traceheader.DrillHeader
	drillForward = "forward"
)

// maxMessage bounds what Flagger posts.
const maxMessage = 1 << 20

// handleWebhook serves the gates to one webhook of a canary.
func (d *Agent) handleWebhook(w http.ResponseWriter, r *http.Request) {
	payload, err := readPayload(r)
	if err != nil {
		http.Error(w, "gates take what Flagger's webhooks send", http.StatusBadRequest)
		return
	}
	a := d.askGate(r, payload)
	w.WriteHeader(a.Status())
	_, _ = io.WriteString(w, a.Reason) // Flagger that has gone needs no answer
}

func readPayload(r *http.Request) (flaggerv1.CanaryWebhookPayload, error) {
	var payload flaggerv1.CanaryWebhookPayload
	body, err := io.ReadAll(io.LimitReader(r.Body, maxMessage))
	if err == nil {
		err = json.Unmarshal(body, &payload)
	}
	return payload, err
}

// askGate answers one call and notes it.
func (d *Agent) askGate(r *http.Request, payload flaggerv1.CanaryWebhookPayload) gate.Answer {
	canary := r.PathValue("canary")
	public := "http://" + client.Host + "/" + strings.TrimPrefix(r.URL.EscapedPath(), hookPath(r))
	if r.URL.RawQuery != "" {
		public += "?" + r.URL.RawQuery
	}
	call, err := guardrail.ParseGate(public)
	if err != nil {
		return gate.Answer{Reason: err.Error()}
	}
	a := d.evaluate(r, canary, call)
	if a.Drill != nil {
		d.record(d.now(), event.RollbackDrill{Canary: canary, Passed: a.Passed, Reason: a.Reason, Forward: a.Drill.Forward, Back: a.Drill.Back, Probes: a.Drill.Probes})
	}
	if call.Gate == event.GateEvents {
		d.events.record(payload)
		return a
	}
	d.record(d.now(), event.Gate{
		Canary: canary, Name: call.Gate, Hook: r.PathValue("hook"), URL: public, Phase: string(payload.Phase),
		Passed: a.Passed, Status: a.Status(), Reason: a.Reason,
	})
	return a
}

// hookPath is what stands before the gate's own path.
func hookPath(r *http.Request) string {
	return client.PathHooks + r.PathValue("canary") + "/" + r.PathValue("hook") + "/"
}

// evaluate asks a gate about the service of a canary. One call has the cluster to itself, so that two drills do not meet.
func (d *Agent) evaluate(r *http.Request, canary string, call guardrail.GateCall) gate.Answer {
	c := d.canary(canary)
	if c == nil {
		return gate.Answer{Reason: "canary " + canary + " is not among the guardrails: gates answer theirs only"}
	}
	d.gateMu.Lock()
	defer d.gateMu.Unlock()
	s := &state{Agent: d, ctx: r.Context()}
	a := gate.Evaluate(s, c.Spec.TargetRef.Name, call)
	if s.err != nil && r.Context().Err() == nil {
		d.fault("gate " + call.Gate + " could not look at the cluster: " + s.err.Error())
	}
	if s.err != nil {
		return gate.Answer{Reason: errors.Join(errors.New("the lab could not look at the cluster"), s.err).Error(), Drill: a.Drill}
	}
	return a
}

// canary is a canary as the learner wrote it; nil where there is none of the name.
func (d *Agent) canary(name string) *flaggerv1.Canary {
	var targets []string
	for _, s := range d.scenario.Services {
		targets = append(targets, s.Name)
	}
	return workloads.FindCanary(d.guardrails, targets, name)
}

// handleAlert takes one message in any of the forms that Flagger's notifiers post. Nobody is paged: alerts are evidence here.
func (d *Agent) handleAlert(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxMessage))
	if err != nil {
		http.Error(w, "the alert did not come", http.StatusBadRequest)
		return
	}
	canary, severity, message := workloads.ParseAlert(body)
	d.record(d.now(), event.Alert{
		Canary: d.canaryName(canary), Provider: r.PathValue("provider"), Severity: severity, Message: client.Public(message),
	})
}
