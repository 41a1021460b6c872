package sim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/cluster/gate"
	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
	"coalmine/lab/scenario"
)

// gates serves the lab's gates to one webhook of a canary. It runs outside of the bubble while a goroutine of Flagger's waits
// for it inside: virtual time stands still meanwhile.
func (w *world) gates(canary string, hook flaggerv1.HookType) http.Handler {
	hook = cmp.Or(hook, flaggerv1.RolloutHook)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var payload flaggerv1.CanaryWebhookPayload
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &payload)
		}
		if err != nil {
			http.Error(rw, "gates take what Flagger's webhooks send", http.StatusBadRequest)
			return
		}
		a := w.askGate(r, canary, string(hook), string(payload.Phase))
		rw.WriteHeader(a.Status())
		_, _ = io.WriteString(rw, a.Reason)
	})
}

// askGate answers one call and notes it, in the place of the canary's other facts.
func (w *world) askGate(r *http.Request, canary, hook, phase string) gate.Answer {
	public := *r.URL
	public.Scheme, public.Host = "http", guardrail.GateHost
	call, err := guardrail.ParseGate(public.String())
	if err != nil {
		return gate.Answer{Reason: err.Error()}
	}
	a := w.answer(canary, call)
	source := sourceFlagger + canary + "." + scenario.Namespace
	if a.Drill != nil {
		w.record(source, event.RollbackDrill{Canary: canary, Passed: a.Passed, Reason: a.Reason, Forward: a.Drill.Forward, Back: a.Drill.Back, Probes: a.Drill.Probes})
	}
	if call.Gate == event.GateEvents {
		return a // the same events are noted where Flagger records them
	}
	w.record(source, event.Gate{
		Canary: canary, Name: call.Gate, Hook: hook, URL: public.String(), Phase: phase,
		Passed: a.Passed, Status: a.Status(), Reason: a.Reason,
	})
	return a
}

// answer asks a gate about the service of a canary while nothing else moves the data plane.
func (w *world) answer(canary string, call guardrail.GateCall) gate.Answer {
	c := w.findCanary(canary)
	if c == nil {
		return gate.Answer{Reason: "canary " + canary + " is not among the guardrails: gates answer theirs only"}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return gate.Evaluate(gateState{w}, c.Spec.TargetRef.Name, call)
}

// gateState lets gates look at the world. The world's lock is held.
type gateState struct{ w *world }

// Pods implements [gate.State].
func (g gateState) Pods(service string) []gate.Pod {
	var canary, primary []gate.Pod
	for _, p := range g.w.podStates {
		pod := gate.Pod{Name: p.Name, Canary: p.Deployment == service, Meshed: p.Meshed, Identity: p.identity()}
		switch {
		case p.Service != service || !p.ready:
		case pod.Canary:
			canary = append(canary, pod)
		default:
			primary = append(primary, pod)
		}
	}
	return append(canary, primary...)
}

// Peers implements [gate.State].
func (g gateState) Peers(service string) []gate.Peer {
	var peers []gate.Peer
	for _, c := range g.w.plane.Callers(service, time.Duration(g.w.published.Load())) {
		peers = append(peers, gate.Peer{Pod: c.Pod, Identity: c.Identity})
	}
	return peers
}

// Clients implements [gate.State]: those of the scenario that send requests to the service, and the services that call it.
func (g gateState) Clients(service string) []gate.Client {
	var clients []gate.Client
	for _, name := range g.w.spec.Scenario.Callers(service) {
		clients = append(clients, gate.Client{Name: name})
	}
	return clients
}

// Admits implements [gate.State].
func (g gateState) Admits(p gate.Pod, c gate.Client) (bool, string) {
	r, err := g.w.plane.Probe(dataplane.ProbeRequest{Client: c.Name, Pod: p.Name})
	if err != nil {
		return false, err.Error()
	}
	return r.Verdict.Allowed, r.Verdict.Reason
}

// drillHeader marks the probes of a drill.
const drillHeader = "x-coalmine-drill"

// RollbackDrill implements [gate.State].
func (g gateState) RollbackDrill(service string, probes int) gate.Drill {
	d := gate.Drill{Probes: probes}
	callers := g.w.spec.Scenario.Callers(service)
	if len(callers) == 0 {
		d.Denied = "nobody calls " + service
		return d
	}
	forward := &mesh.Rule{
		Matches:  []mesh.Match{{Headers: []mesh.ValueMatch{{Name: drillHeader, Value: "forward"}}}},
		Backends: []mesh.Backend{{Service: service + "-canary", Namespace: scenario.Namespace, Weight: 1}},
	}
	for n := range probes {
		d.Forward += g.probe(&d, callers[n%len(callers)], service, n, forward, service)
	}
	for n := range probes {
		d.Back += g.probe(&d, callers[n%len(callers)], service, n, nil, service+"-primary")
	}
	return d
}

// probe sends one probe of a drill and counts 1 when it was answered where it should be.
func (g gateState) probe(d *gate.Drill, client, service string, number int, extra *mesh.Rule, workload string) int {
	r, err := g.w.plane.Probe(dataplane.ProbeRequest{
		Client: client, Service: service, Path: "/", Seq: uint64(number), ExtraRule: extra,
		Headers: []mesh.Header{{Name: drillHeader, Value: "forward"}},
	})
	switch {
	case err != nil:
		d.Denied = err.Error()
	case r.Status != http.StatusOK:
		d.Denied = fmt.Sprintf("%s was answered %d %s", client, r.Status, r.Verdict.Reason)
	case r.Workload == workload:
		return 1
	}
	return 0
}

// Canary implements [gate.State].
func (g gateState) Canary(service, cohort string, window time.Duration) gate.Count {
	var n gate.Count
	for _, r := range g.w.plane.Recent(window) {
		if r.Workload == service && (cohort == "" || cohort == r.Cohort) {
			n.Requests += r.N
			n.Failed += r.Failed
		}
	}
	return n
}

// Approved implements [gate.State].
func (g gateState) Approved() bool {
	after, released := g.w.spec.ApproveAfter, time.Duration(g.w.released.Load())
	return after >= 0 && released > 0 && time.Duration(g.w.published.Load()) >= released+after
}
