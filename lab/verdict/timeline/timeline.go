// Package timeline folds the events of one run into what happened: when users were first hurt, when
// a guardrail noticed, when the rollout was undone, and what the canary and the primary answered in
// between.
//
// It is a reducer: the same events in the same order give the same timeline, whether they come at
// once or one by one. Every derived moment keeps the sequence number of the event that it rests on.
package timeline

import (
	"time"

	"coalmine/lab/event"
)

// Moment is a moment of the run and the event that it rests on. The zero Moment never happened.
type Moment struct {
	// At is the time since the run's start.
	At time.Duration
	// Seq is the event's sequence number; 0 if the moment never happened.
	Seq int
}

// Happened reports whether the moment came.
func (m Moment) Happened() bool { return m.Seq > 0 }

// Since is the time from an earlier moment to this one, never negative; 0 if one of the two never
// happened.
func (m Moment) Since(earlier Moment) time.Duration {
	if !m.Happened() || !earlier.Happened() {
		return 0
	}
	return max(0, m.At-earlier.At)
}

// Stage is a stage of the run and its start.
type Stage struct {
	Moment
	event.Stage
}

// End is how the run ended. Its Outcome is "" while the run goes on, or if its log was cut off.
type End struct {
	Moment
	event.RunEnded
}

// Timeline is what has happened in one run so far. Only [Timeline.Fold] writes its fields.
type Timeline struct {
	Run    event.RunStarted
	Stages []Stage
	End    End
	// Mesh is what retries, timeouts, circuit breaking, limits and policy did, in log order.
	Mesh []event.Mesh
	// Facts are all events but those of traffic and of Mesh, in log order.
	Facts []event.Event
	// Last is the newest event of any kind.
	Last Moment

	// Released is when the Deployment got the new version.
	Released Moment
	// Canary is the name of the released service's Canary object, "" until one was seen.
	Canary string
	// Changes are the changes of that Canary's status.
	Changes []Change
	// Steps are the exposures of the released version, in order; the last one is in force.
	Steps []Step
	// Routes are the changes of the released service's routing.
	Routes []RouteChange

	// FirstBad and LastBad end the first and the last second in which the fault hurt a user.
	FirstBad, LastBad Moment
	// Detected is the first signal after FirstBad that a guardrail noticed: a failed check, a gate
	// that held the canary back, or the rollback itself. Without any harm it is the first signal at
	// all.
	Detected Moment
	// Abort is the rollback: phase Failed, or the route back to the primary before it.
	Abort Moment
	// Promoting is the decision to promote; Promoted is when the promoted primary had all traffic.
	Promoting, Promoted Moment
	// Removed is when the Canary object or the canary's pods were removed before a decision.
	Removed Moment
	// Refusal is the first gate or pre-rollout check that refused the version for what it is: mtls,
	// policy, a failed rollback drill. Gates that only ask for traffic or for a person do not
	// count.
	Refusal Moment
	// FirstCanary ends the first second in which the canary served a request.
	FirstCanary Moment
	// WeightAtAbort is the share of the traffic that the canary had when it was rolled back, in
	// percent.
	WeightAtAbort int
	// Deadline is when Flagger gave up on a canary whose pods were not ready in time; it never
	// happened if a pod of the canary had been ready before.
	Deadline Moment
	// Waits are spans in which the rollout waited for a person.
	Waits []Wait

	Preconditions Preconditions
	Experiment    Experiment
	// MeasuredTicks counts the ticks of Flagger's control loop in which a metric of the Canary had
	// a value, from the canary's first request, of a user or of a load test, to the decision.
	MeasuredTicks int
	// Measured has these ticks by query.
	Measured []Measured
	// TestedWeight is the greatest weight, in percent, at which a metric of the Canary had a value in
	// that time, and Tested the first query of that weight.
	TestedWeight int
	Tested       Moment
	// FailedTicks counts the ticks of the same time in which a check of a metric failed, with a value
	// out of its range or without one.
	FailedTicks int
	// Totals closes the traffic; nil until then.
	Totals   *event.TrafficTotals
	TotalsAt Moment

	// CanaryRequests and ServiceRequests count what the released version's canary, and the whole
	// released service, answered before the decision.
	CanaryRequests, ServiceRequests int

	canary  event.Canary // latest status
	failed  bool         // phase Failed was seen
	ready   bool         // a pod of the canary was ready
	measure Moment       // the last query that had a value
	failing Moment       // the last query that failed its check
	// loadTested is set once a load test was started, failedValue once a check failed by a value.
	// canaryLoad counts what the canary answered to load tests.
	loadTested, failedValue bool
	canaryLoad              int
	// notReady is when Flagger last reported that the canary's pods are not ready.
	notReady Moment
	pending  gateHold
	signals  []Moment
	counts   map[Key]Counts // the whole run
	before   map[Key]Counts // seconds before the release
	steady   map[Key]Counts // seconds well inside one step
	seconds  []second
	late     lateRequests
	latest   []RouteChange // the newest change of each route
}

// Build folds a whole log.
func Build(events []event.Event) *Timeline {
	t := new(Timeline)
	for _, e := range events {
		t.Fold(e)
	}
	return t
}

// Fold takes the next event of the log. Events after the run's end are the lab's cleanup and are
// ignored.
func (t *Timeline) Fold(e event.Event) {
	if t.End.Happened() {
		return
	}
	at := Moment{At: e.At, Seq: e.Seq}
	t.Last = at
	t.resolveGate(at)
	if f, ok := e.Fact.(event.Traffic); ok {
		t.foldTraffic(f, at)
		return
	}
	if f, ok := e.Fact.(event.Mesh); ok {
		t.Mesh = append(t.Mesh, f)
		return
	}
	t.Facts = append(t.Facts, e)
	t.foldRun(e.Fact, at)
	t.foldRollout(e.Fact, at)
	t.foldEvidence(e.Fact, at)
}

// foldRun folds the run's start, stages and end.
func (t *Timeline) foldRun(f event.Fact, at Moment) {
	switch f := f.(type) {
	case event.RunStarted:
		t.Run = f
	case event.Stage:
		t.Stages = append(t.Stages, Stage{Moment: at, Stage: f})
	case event.RunEnded:
		t.End = End{Moment: at, RunEnded: f}
	case event.TrafficTotals:
		t.Totals, t.TotalsAt = &f, at
	}
}

// StageAt returns the name of the stage at a time since the run's start; "" before the first.
func (t *Timeline) StageAt(at time.Duration) string {
	name := ""
	for _, s := range t.Stages {
		if s.At <= at {
			name = s.Name
		}
	}
	return name
}

// Decided reports whether the canary was rolled back, promoted or removed.
func (t *Timeline) Decided() bool {
	return t.Abort.Happened() || t.Promoting.Happened() || t.Removed.Happened()
}
