package sim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/cluster/gate"
	"coalmine/lab/cluster/sim/dataplane"
	"coalmine/lab/cluster/workloads"
	"coalmine/lab/event"
	"coalmine/lab/guardrail"
	"coalmine/lab/mesh"
	"coalmine/lab/scenario"
)

// gates serves the lab's gates to one webhook of a canary. The handler runs outside the bubble
// while a goroutine of Flagger waits for it inside, so that virtual time stands still.
func (w *world) gates(canary string, hook flaggerv1.CanaryWebhook) http.Handler {
	hook.Type = cmp.Or(hook.Type, flaggerv1.RolloutHook)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var payload flaggerv1.CanaryWebhookPayload
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &payload)
		}
		if err != nil {
			http.Error(rw, "the body is not a Flagger webhook payload", http.StatusBadRequest)
			return
		}
		a := w.serveGate(r, canary, hook, string(payload.Phase))
		rw.WriteHeader(a.Status())
		_, _ = io.WriteString(rw, a.Reason)
	})
}

// serveGate answers a call and records it among the canary's facts.
func (w *world) serveGate(r *http.Request, canary string, hook flaggerv1.CanaryWebhook, phase string) gate.Answer {
	url := *r.URL
	url.Scheme, url.Host = "http", guardrail.GateHost
	call, err := guardrail.ParseGate(url.String())
	if err != nil {
		return gate.Answer{Reason: err.Error()}
	}
	a := w.evaluate(canary, call, workloads.GatePatience(hook))
	var facts []event.Fact
	if a.Drill != nil {
		facts = append(facts, event.RollbackDrill{Canary: canary, Passed: a.Passed, Reason: a.Reason,
			Forward: a.Drill.Forward, Back: a.Drill.Back, Probes: a.Drill.Probes})
	}
	if call.Gate != event.GateEvents { // those are recorded as Flagger's own events
		facts = append(facts, event.Gate{
			Canary: canary, Name: call.Gate, Hook: string(hook.Type), URL: url.String(), Phase: phase,
			Passed: a.Passed, Late: a.Late, Status: a.Status(), Reason: a.Reason,
		})
	}
	source := sourceFlagger + canary + "." + scenario.Namespace
	if a.Drill != nil && a.Drill.Waited > 0 {
		w.waits.put(source, gateWait{a.Drill.Waited, facts})
		return a
	}
	for _, f := range facts {
		w.record(source, f)
	}
	return a
}

// gateWait is the time that a gate takes to answer, and what is to be recorded after it.
type gateWait struct {
	time  time.Duration
	facts []event.Fact
}

// gateWaits are the answers, by the source of the canary, that Flagger has already and acts on later.
// Virtual time stands still during a call, which leaves the bubble.
type gateWaits struct {
	mu    sync.Mutex
	bySrc map[string]gateWait
}

func (g *gateWaits) put(source string, w gateWait) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.bySrc == nil {
		g.bySrc = map[string]gateWait{}
	}
	g.bySrc[source] = w
}

func (g *gateWaits) take(source string) (gateWait, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w, ok := g.bySrc[source]
	delete(g.bySrc, source)
	return w, ok
}

// finishGate lets the time pass that the last gate of a canary took. Flagger's goroutine calls it when
// it says how the webhook ended.
func (w *world) finishGate(source string) {
	g, ok := w.waits.take(source)
	if !ok {
		return
	}
	time.Sleep(g.time)
	w.clock.publish()
	for _, f := range g.facts {
		w.record(source, f)
	}
}

// evaluate evaluates a gate for the service of a canary while the traffic is locked. A gate that
// cannot be evaluated fails the run.
func (w *world) evaluate(canary string, call guardrail.GateCall, patience time.Duration) gate.Answer {
	c := w.findCanary(canary)
	if c == nil {
		return gate.Answer{Reason: "canary " + canary + " is not among the guardrails"}
	}
	t, unlock := w.traffic.lock()
	defer unlock()
	a := gate.Evaluate(gateState{w, t, patience}, c.Spec.TargetRef.Name, call)
	if a.Err != nil {
		w.fail(fmt.Errorf("gate %s: %w", call.Gate, a.Err))
	}
	return a
}

// gateState is the state of a world whose traffic is locked.
type gateState struct {
	w *world
	t *traffic
	// patience is how long the gate may take.
	patience time.Duration
}

// Pods implements [gate.State].
func (g gateState) Pods(service string) ([]gate.Pod, error) {
	var canary, primary []gate.Pod
	for _, p := range g.t.pods {
		pod := gate.Pod{Name: p.Name, Canary: p.Deployment == service, Meshed: p.Meshed, Identity: p.identity()}
		pod.CertificateLeft, pod.CertificateLife = g.t.plane.CertificateLeft(p.Name)
		switch {
		case p.Service != service || !p.ready:
		case pod.Canary:
			canary = append(canary, pod)
		default:
			primary = append(primary, pod)
		}
	}
	return append(canary, primary...), nil
}

// Peers implements [gate.State].
func (g gateState) Peers(service string) ([]gate.Peer, error) {
	var peers []gate.Peer
	for _, c := range g.t.plane.Callers(service, g.w.clock.now()) {
		peers = append(peers, gate.Peer{Pod: c.Pod, Identity: c.Identity})
	}
	return peers, nil
}

// Clients implements [gate.State]: the scenario's clients that call the service, and the services
// that do.
func (g gateState) Clients(service string) []gate.Client {
	var clients []gate.Client
	for _, name := range g.w.spec.Scenario.Callers(service) {
		clients = append(clients, gate.Client{Name: name})
	}
	return clients
}

// Admits implements [gate.State].
func (g gateState) Admits(p gate.Pod, c gate.Client) (bool, string, error) {
	if !p.Meshed {
		return true, "", nil
	}
	return g.t.plane.Admits(dataplane.ProbeRequest{Client: c.Name, Identity: c.Identity, Pod: p.Name})
}

// drillHeader is a header of the requests of a rollback drill.
const drillHeader = "x-coalmine-drill"

// RollbackDrill implements [gate.State].
func (g gateState) RollbackDrill(service string, probes int) (gate.Drill, error) {
	d := gate.Drill{Probes: probes}
	callers := g.w.spec.Scenario.Callers(service)
	if len(callers) == 0 {
		d.Denied = "no client calls " + service
		return d, nil
	}
	if d.Waited, d.Late = g.awaitCanary(service, callers); d.Late != "" {
		return d, nil
	}
	forward := &mesh.Rule{
		Matches:  []mesh.Match{{Headers: []mesh.ValueMatch{{Name: drillHeader, Value: "forward"}}}},
		Backends: []mesh.Backend{{Service: service + "-canary", Namespace: scenario.Namespace, Weight: 1}},
	}
	for n := range probes {
		to, err := g.probe(&d, callers[n%len(callers)], service, uint64(n), forward)
		if err != nil {
			return d, err
		}
		if to == service {
			d.Forward++
		}
	}
	for n := range probes {
		to, err := g.probe(&d, callers[n%len(callers)], service, uint64(n), nil)
		if err != nil {
			return d, err
		}
		if to == service+"-primary" {
			d.Back++
		}
	}
	return d, nil
}

// awaitCanary returns how long a drill has to wait until the proxies of all callers know the canary,
// in whole seconds. If that is longer than it may take, it returns one that does not know it by then.
func (g gateState) awaitCanary(service string, callers []string) (waited time.Duration, late string) {
	at, last := g.t.plane.KnownAt(service+"-canary", callers)
	wait := at - g.w.clock.now()
	if wait <= 0 {
		return 0, ""
	}
	wait = wait.Truncate(time.Second) + time.Second
	if wait > g.patience {
		return g.patience, last
	}
	return wait, ""
}

// probe sends one request of a rollback drill and returns the workload that answered it, or "".
func (g gateState) probe(d *gate.Drill, client, service string, seq uint64, rule *mesh.Rule) (string, error) {
	r, err := g.t.plane.Probe(dataplane.ProbeRequest{
		Client: client, Service: service, Path: "/", Seq: seq, ExtraRule: rule,
		Headers: []mesh.Header{{Name: drillHeader, Value: "forward"}}, Known: true,
	})
	if err != nil {
		return "", err
	}
	if r.Status != http.StatusOK {
		d.Denied = fmt.Sprintf("%s was answered %d %s", client, r.Status, r.Verdict.Reason)
		return "", nil
	}
	return r.Workload, nil
}

// Canary implements [gate.State].
func (g gateState) Canary(service, cohort string, window time.Duration) gate.Count {
	var n gate.Count
	for _, r := range g.t.plane.Recent(window) {
		if r.Workload == service && (cohort == "" || cohort == r.Cohort) {
			n.Requests += r.N
			n.Failed += r.Failed
		}
	}
	return n
}

// Approved implements [gate.State].
func (g gateState) Approved() bool { return g.w.approved() }

// approved reports whether the release has been approved.
func (w *world) approved() bool {
	after, released := w.spec.ApproveAfter, time.Duration(w.released.Load())
	return after >= 0 && released > 0 && w.clock.now() >= released+after
}
