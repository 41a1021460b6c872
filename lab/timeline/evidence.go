package timeline

import (
	"time"

	"coalmine/lab/event"
)

// Preconditions are what the guardrails proved before the canary got its first request.
type Preconditions struct {
	// MTLS, Policy and Rehearsed are the first passes of these gates and drills before canary traffic.
	MTLS, Policy, Rehearsed Mark
	// Server and Authorization are the learner's Linkerd policy objects.
	Server, Authorization Mark
}

// Experiment holds the facts that the learner wrote on the Canary, as they were written.
type Experiment struct {
	Mark
	Owner, Start, End, Hypothesis string
}

// Wait is a span in which something other than a check held the rollout. Until is never seen while it lasts.
type Wait struct {
	From, Until Mark
	Why         string
}

// gateHold is a gate that said no and whose consequence is not yet known.
type gateHold struct {
	Mark
	event.Gate
}

// refuses tells whether the gate judges the version, and not its traffic or a person's patience.
func (g gateHold) refuses() bool {
	return g.Seen() && (g.Name == event.GateMTLS || g.Name == event.GatePolicy || g.Name == event.GateRollbackDrill)
}

// foldEvidence follows what the guardrails asked and proved.
func (t *Timeline) foldEvidence(f event.Fact, at Mark) {
	switch f := f.(type) {
	case event.Applied:
		t.foldApplied(f, at)
	case event.Gate:
		t.foldGate(f, at)
	case event.Rehearsal:
		if f.Passed {
			t.first(&t.Preconditions.Rehearsed, at)
		}
	}
}

func (t *Timeline) foldApplied(f event.Applied, at Mark) {
	if f.Owner != event.OwnerLearner {
		return
	}
	switch f.ObjectKind {
	case "Server":
		t.first(&t.Preconditions.Server, at)
	case "AuthorizationPolicy", "ServerAuthorization":
		t.first(&t.Preconditions.Authorization, at)
	case "Canary":
		a := f.Annotations
		found := Experiment{at, a[event.AnnotationOwner], a[event.AnnotationStart], a[event.AnnotationEnd],
			a[event.AnnotationHypothesis]}
		if !t.Experiment.Seen() || f.Name == t.Run.Service || t.Experiment.bare() {
			t.Experiment = found
		}
	}
}

func (e Experiment) bare() bool { return e.Owner+e.Start+e.End+e.Hypothesis == "" }

func (t *Timeline) foldGate(f event.Gate, at Mark) {
	if f.Hook == event.HookRollback { // it asks whether to roll back: a no holds nothing
		if f.Passed && t.onTrial() {
			t.signal(at)
		}
		return
	}
	if f.Passed {
		t.passGate(f.Name, at)
		return
	}
	if !t.onTrial() {
		return
	}
	if f.Name == event.GateApprove {
		t.wait(at, "gate approve said no")
		return
	}
	// Of several gates that say no in one tick, one that judges the version says most.
	if !t.pending.refuses() {
		t.pending = gateHold{at, f}
	}
}

func (t *Timeline) passGate(name string, at Mark) {
	switch name {
	case event.GateMTLS:
		t.first(&t.Preconditions.MTLS, at)
	case event.GatePolicy:
		t.first(&t.Preconditions.Policy, at)
	case event.GateRollbackDrill:
		t.first(&t.Preconditions.Rehearsed, at)
	case event.GateApprove:
		t.endWait(at)
	}
}

// first sets a mark once, and not any more when the canary has had traffic.
func (t *Timeline) first(m *Mark, at Mark) {
	if !m.Seen() && !t.FirstCanary.Seen() {
		*m = at
	}
}

// gatePatience is how long after a gate's no the canary may still advance in the same tick: the no was then that of a
// rollback webhook, which asks whether to roll back and holds nothing.
const gatePatience = 3 * time.Second

// settleGate turns a gate's no into a sign once the canary has not advanced.
func (t *Timeline) settleGate(now Mark) {
	if !t.pending.Seen() || now.At <= t.pending.At+gatePatience {
		return
	}
	t.signal(t.pending.Mark)
	if t.pending.refuses() {
		t.refuse(t.pending.Mark)
	}
	t.pending = gateHold{}
}

func (t *Timeline) refuse(at Mark) {
	if !t.Refusal.Seen() {
		t.Refusal = at
	}
}

// signal notes that a guardrail noticed something.
func (t *Timeline) signal(at Mark) {
	t.signals = append(t.signals, at)
	t.detect()
}

// detect sets Detected from the signs so far: the first one at or after the first harm; failing that, at a rollback, the
// last one before it; failing that, the rollback itself.
func (t *Timeline) detect() {
	if t.Detected.Seen() {
		return
	}
	for _, s := range t.signals {
		if s.At >= t.FirstBad.At {
			t.Detected = s
			return
		}
	}
	if !t.Abort.Seen() {
		return
	}
	t.Detected = t.Abort
	if n := len(t.signals); n > 0 {
		t.Detected = t.signals[n-1]
	}
}

func (t *Timeline) wait(at Mark, why string) {
	if n := len(t.Waits); n == 0 || t.Waits[n-1].Until.Seen() {
		t.Waits = append(t.Waits, Wait{From: at, Why: why})
	}
}

func (t *Timeline) endWait(at Mark) {
	if n := len(t.Waits); n > 0 && !t.Waits[n-1].Until.Seen() {
		t.Waits[n-1].Until = at
	}
}
