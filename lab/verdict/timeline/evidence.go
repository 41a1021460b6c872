package timeline

import (
	"slices"
	"strings"
	"time"

	"coalmine/lab/event"
)

// Preconditions are what the guardrails proved before the canary got its first request.
type Preconditions struct {
	// MTLS, Policy and RollbackDrill are when these gates and drills first passed before canary
	// traffic.
	MTLS, Policy, RollbackDrill Moment
	// Server and Authorization are the learner's Linkerd policy objects.
	Server, Authorization Moment
}

// Measured is a query of the Canary's metrics with the bounds of its check, nil for none. It had a
// value in Ticks ticks and failed in Failed ones, with a value or without.
type Measured struct {
	PromQL        string
	Min, Max      *float64
	Ticks, Failed int
}

// Experiment holds the annotations of the Canary, as they were written.
type Experiment struct {
	Moment
	Owner, Start, End, Hypothesis string
}

// Wait is a span in which something other than a check held the rollout. Until is zero while it
// lasts.
type Wait struct {
	From, Until Moment
	Why         string
}

// gateHold is a gate that failed and whose consequence is not known yet.
type gateHold struct {
	Moment
	event.Gate
}

// refusesVersion reports whether the gate judges the version, and not its traffic or a person's
// decision. One that came too early judges nothing.
func (g gateHold) refusesVersion() bool {
	switch g.Name {
	case event.GateMTLS, event.GatePolicy, event.GateRollbackDrill:
		return g.Happened() && !g.Late
	}
	return false
}

// foldEvidence folds what the guardrails asked and proved.
func (t *Timeline) foldEvidence(f event.Fact, at Moment) {
	switch f := f.(type) {
	case event.Applied:
		t.foldApplied(f, at)
	case event.Gate:
		t.foldGate(f, at)
	case event.Query:
		t.foldQuery(f, at)
	case event.LoadTest:
		t.canaryLoad += f.OnCanary
	case event.LoadTester:
		t.loadTested = true
	case event.Flagger:
		// Flagger's words for it (flagger, pkg/canary/deployment_ready.go).
		if f.Canary == t.Canary && !t.ready && strings.Contains(f.Message, "canary deployment ") &&
			strings.Contains(f.Message, " not ready: ") {
			t.notReady = at
			t.foldDeadline()
		}
	case event.RollbackDrill:
		if f.Passed {
			t.setOnce(&t.Preconditions.RollbackDrill, at)
		}
	}
}

// foldDeadline tells a rollback by the progress deadline: Flagger reports that the canary is not
// ready in each tick, and in the one after the deadline it rolls back as well (flagger,
// pkg/controller/scheduler.go). The report may be seen a little later than the phase.
func (t *Timeline) foldDeadline() {
	if !t.failed || t.ready || !t.notReady.Happened() || t.Deadline.Happened() {
		return
	}
	if apart := t.Abort.At - t.notReady.At; apart <= gateGracePeriod && apart >= -gateGracePeriod {
		t.Deadline = t.notReady
		t.addSignal(t.Deadline)
	}
}

// foldQuery counts the ticks in which something was measured. Queries of one tick follow each other
// within a second. Before the first request of a user, a value comes from a load test, and a query
// without one says nothing.
func (t *Timeline) foldQuery(f event.Query, at Moment) {
	measured := f.Value != nil && f.Error == ""
	if f.Asker != t.Canary || !t.undecided() || !t.FirstCanary.Happened() && (!measured || !t.loadTested) {
		return
	}
	count := func(ticks *int, last *Moment) {
		if !last.Happened() || at.At-last.At > time.Second {
			*ticks++
		}
		*last = at
	}
	if measured {
		count(&t.MeasuredTicks, &t.measure)
		if n := len(t.Steps); n > 0 && t.Steps[n-1].Weight > t.TestedWeight {
			t.TestedWeight, t.Tested = t.Steps[n-1].Weight, at
		}
	}
	if !QueryPassed(f) {
		count(&t.FailedTicks, &t.failing)
	}
	m := t.measured(f)
	if measured {
		m.Ticks++
	}
	if !QueryPassed(f) {
		m.Failed++
		t.failedValue = t.failedValue || measured
	}
}

// Judged counts the requests that the canary was judged by before the decision: those of users and,
// if a check failed by its value, those of load tests.
func (t *Timeline) Judged() int {
	if t.failedValue {
		return t.CanaryRequests + t.canaryLoad
	}
	return t.CanaryRequests
}

// measured returns the counts of a query. Copies of the timeline keep theirs.
func (t *Timeline) measured(q event.Query) *Measured {
	t.Measured = slices.Clone(t.Measured)
	for i := range t.Measured {
		m := &t.Measured[i]
		if m.PromQL == q.PromQL && sameBound(m.Min, q.Min) && sameBound(m.Max, q.Max) {
			return m
		}
	}
	t.Measured = append(t.Measured, Measured{PromQL: q.PromQL, Min: q.Min, Max: q.Max})
	return &t.Measured[len(t.Measured)-1]
}

func sameBound(a, b *float64) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

func (t *Timeline) foldApplied(f event.Applied, at Moment) {
	if f.Owner != event.OwnerLearner {
		return
	}
	switch f.ObjectKind {
	case "Server":
		t.setOnce(&t.Preconditions.Server, at)
	case "AuthorizationPolicy", "ServerAuthorization":
		t.setOnce(&t.Preconditions.Authorization, at)
	case "Canary":
		a := f.Annotations
		found := Experiment{at, a[event.AnnotationOwner], a[event.AnnotationStart], a[event.AnnotationEnd],
			a[event.AnnotationHypothesis]}
		if !t.Experiment.Happened() || f.Name == t.Run.Service || t.Experiment.isEmpty() {
			t.Experiment = found
		}
	}
}

func (e Experiment) isEmpty() bool { return e.Owner+e.Start+e.End+e.Hypothesis == "" }

func (t *Timeline) foldGate(f event.Gate, at Moment) {
	t.loadTested = t.loadTested || f.Name == event.GateLoadTest && f.Passed
	if f.Hook == event.HookRollback { // it asks whether to roll back, and holds nothing
		if f.Passed && t.undecided() {
			t.addSignal(at)
		}
		return
	}
	if f.Passed {
		t.passGate(f, at)
		return
	}
	if !t.undecided() {
		return
	}
	if waitsForPerson(f) {
		t.startWait(at, "gate "+f.Name+" held the rollout")
		return
	}
	// Of several gates that fail in one tick, one that judges the version takes precedence.
	if !t.pending.refusesVersion() {
		t.pending = gateHold{at, f}
	}
}

// waitsForPerson reports whether the gate waits for the approval of a person: the lab's, or one of a
// load tester in a webhook that confirms.
func waitsForPerson(f event.Gate) bool {
	return f.Name == event.GateApprove ||
		strings.HasPrefix(f.Name, "gate/") && strings.HasPrefix(f.Hook, "confirm-")
}

func (t *Timeline) passGate(f event.Gate, at Moment) {
	if waitsForPerson(f) {
		t.endWait(at)
	}
	switch f.Name {
	case event.GateMTLS:
		t.setOnce(&t.Preconditions.MTLS, at)
	case event.GatePolicy:
		t.setOnce(&t.Preconditions.Policy, at)
	case event.GateRollbackDrill:
		t.setOnce(&t.Preconditions.RollbackDrill, at)
	}
}

// setOnce sets a moment the first time, unless the canary has had traffic.
func (t *Timeline) setOnce(m *Moment, at Moment) {
	if !m.Happened() && !t.FirstCanary.Happened() {
		*m = at
	}
}

// gateGracePeriod is how long after a failed gate the canary may still advance in the same tick:
// then the gate was a rollback webhook, which asks whether to roll back and holds nothing.
const gateGracePeriod = 3 * time.Second

// resolveGate turns a failed gate into a signal once the canary has not advanced.
func (t *Timeline) resolveGate(now Moment) {
	if !t.pending.Happened() || now.At <= t.pending.At+gateGracePeriod {
		return
	}
	t.addSignal(t.pending.Moment)
	if t.pending.refusesVersion() {
		t.setRefusal(t.pending.Moment)
	}
	t.pending = gateHold{}
}

func (t *Timeline) setRefusal(at Moment) {
	if !t.Refusal.Happened() {
		t.Refusal = at
	}
}

// addSignal adds a moment at which a guardrail noticed something.
func (t *Timeline) addSignal(at Moment) {
	t.signals = append(t.signals, at)
	t.updateDetected()
}

// updateDetected sets Detected from the signals so far: the first one at or after the first harm;
// else, at a rollback, the last one before it; else the rollback itself.
func (t *Timeline) updateDetected() {
	if t.Detected.Happened() {
		return
	}
	for _, s := range t.signals {
		if s.At >= t.FirstBad.At {
			t.Detected = s
			return
		}
	}
	if !t.Abort.Happened() {
		return
	}
	t.Detected = t.Abort
	if n := len(t.signals); n > 0 {
		t.Detected = t.signals[n-1]
	}
}

func (t *Timeline) startWait(at Moment, why string) {
	if n := len(t.Waits); n == 0 || t.Waits[n-1].Until.Happened() {
		t.Waits = append(t.Waits, Wait{From: at, Why: why})
	}
}

func (t *Timeline) endWait(at Moment) {
	if n := len(t.Waits); n > 0 && !t.Waits[n-1].Until.Happened() {
		t.Waits[n-1].Until = at
	}
}
