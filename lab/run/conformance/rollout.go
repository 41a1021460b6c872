package conformance

import (
	"slices"
	"time"

	flaggerv1 "github.com/fluxcd/flagger/pkg/apis/flagger/v1beta1"

	"coalmine/lab/event"
	"coalmine/lab/verdict/timeline"
)

// This file checks the course of a rollout and its end.

type step = timeline.Step

// successors returns the phases that may follow a phase (flagger, pkg/controller/scheduler.go).
func successors(phase string) []string {
	switch phase {
	case "":
		return []string{event.PhaseInitializing, event.PhaseInitialized}
	case event.PhaseInitializing:
		return []string{event.PhaseInitialized}
	case event.PhaseInitialized:
		return []string{event.PhaseWaiting, event.PhaseProgressing}
	case event.PhaseWaiting:
		return []string{event.PhaseProgressing, event.PhaseFailed}
	case event.PhaseProgressing, event.PhaseWaitingPromotion:
		return []string{event.PhaseProgressing, event.PhaseWaitingPromotion, event.PhasePromoting, event.PhaseFailed}
	case event.PhasePromoting:
		return []string{event.PhaseFinalising}
	case event.PhaseFinalising:
		return []string{event.PhaseSucceeded}
	}
	return nil
}

// analysis returns that of the released service's Canary.
func (l *Log) analysis() *flaggerv1.CanaryAnalysis {
	return l.Spec.Guardrails.CanaryFor(l.service()).GetAnalysis()
}

func checkPhases(l *Log, found *Findings) {
	a := l.analysis()
	var before event.Canary
	for at, c := range facts[event.Canary](l) {
		if c.Phase != before.Phase && !slices.Contains(successors(before.Phase), c.Phase) {
			found.Addf("at %v phase %s follows %q", at, c.Phase, before.Phase)
		}
		progress := c.Phase == event.PhaseProgressing && before.Phase == event.PhaseProgressing
		switch {
		case progress && (c.FailedChecks < before.FailedChecks || c.FailedChecks > before.FailedChecks+1):
			found.Addf("at %v there are %d failed checks after %d", at, c.FailedChecks, before.FailedChecks)
		case progress && c.Weight != before.Weight && c.Weight != next(a.StepWeights, before.Weight):
			found.Addf("at %v the weight goes from %d to %d, the steps are %v", at, before.Weight, c.Weight,
				a.StepWeights)
		case progress && (c.Iterations < before.Iterations || c.Iterations > before.Iterations+1):
			found.Addf("at %v iteration %d follows %d", at, c.Iterations, before.Iterations)
		}
		if c.Threshold != a.Threshold || c.MaxIterations != a.Iterations || c.Target != l.service() {
			found.Addf("the status at %v has threshold %d, %d iterations and target %q, the Canary %d, %d and %q", at,
				c.Threshold,
				c.MaxIterations, c.Target, a.Threshold, a.Iterations, l.service())
		}
		before = c
	}
	want := event.PhaseSucceeded
	if l.Spec.Version == l.Spec.Scenario.Release.Faulty {
		want = event.PhaseFailed
	}
	if before.Phase != want || before.Weight != 0 {
		found.Addf("the last status is phase %q with weight %d, want %s with 0", before.Phase, before.Weight, want)
	}
}

// next returns the step after a weight, -1 after the last.
func next(steps []int, weight int) int {
	for _, s := range steps {
		if s > weight {
			return s
		}
	}
	return -1
}

func checkAbort(l *Log, found *Findings) {
	failed, ok := l.phase(event.PhaseFailed)
	if !ok || !l.Timeline.Abort.Happened() || !l.Timeline.FirstBad.Happened() || !l.Timeline.Detected.Happened() {
		found.Addf("no rollback, no harm, or no detection: phase Failed seen %v, timeline %+v %+v %+v", ok,
			l.Timeline.Abort,
			l.Timeline.FirstBad, l.Timeline.Detected)
		return
	}
	a := l.analysis()
	interval := l.Spec.Guardrails.CanaryFor(l.service()).GetAnalysisInterval()
	if mttd := l.Timeline.Detected.Since(l.Timeline.FirstBad); mttd > 2*interval+l.Tolerance.Follow.Duration {
		found.Addf("it took %v from the first harm to the first failed check, with one check every %v (%v)", mttd,
			interval, l.Tolerance.Follow)
	}
	reached, _, ok := first(l, func(c event.Canary) bool { return c.FailedChecks == a.Threshold })
	if took := l.Timeline.Abort.At - reached; !ok || took < interval-l.Tolerance.Follow.Duration ||
		took > interval+l.Tolerance.Follow.Duration {
		found.Addf("the threshold was reached at %v, the route went back at %v: want one interval of %v later (%v)",
			reached, l.Timeline.Abort.At,
			interval, l.Tolerance.Follow)
	}
	if late := failed - l.Timeline.Abort.At; late > l.Tolerance.Slack.Duration {
		found.Addf("phase Failed was %v after the route went back (%v)", late, l.Tolerance.Slack)
	}
	if want := a.StepWeights[0]; l.Timeline.WeightAtAbort != want {
		found.Addf("rolled back from weight %d, want %d", l.Timeline.WeightAtAbort, want)
	}
	l.checkServedBy(found, "after the rollback", max(failed, l.Timeline.Abort.At)+l.Tolerance.Settle.Duration, l.end(),
		l.primary(), l.released().Baseline)
	if _, w, ok := last(l, l.end(), func(w event.Workload) bool {
		return w.Name == l.service()
	}); !ok || w.Desired != 0 {
		found.Addf("the canary ends as %+v, want no pods", w)
	}
}

func checkPromote(l *Log, found *Findings) {
	at, ok := l.phase(event.PhaseSucceeded)
	if !ok {
		found.Addf("the canary was never promoted")
		return
	}
	n := l.released().Replicas
	l.checkWorkload(found, l.primary(), at, event.Workload{Name: l.primary(), Version: l.Spec.Version, Desired: n,
		Updated: n, Ready: n})
	l.checkServedBy(found, "after the promotion", at+l.Tolerance.Settle.Duration, l.end(), l.primary(), l.Spec.Version)
}

func checkUpdate(l *Log, found *Findings) {
	for _, e := range l.Events {
		switch e.Fact.(type) {
		case event.Canary, event.Route, event.Query, event.Gate, event.Flagger:
			found.Addf("a run without guardrails has a fact %s at %v", e.Fact.Kind(), e.At)
		}
	}
	n := l.released().Replicas
	want := event.Workload{Name: l.service(), Version: l.Spec.Version, Desired: n, Updated: n, Ready: n}
	at, _, ok := last(l, l.end(), func(w event.Workload) bool { return w == want })
	if !ok {
		found.Addf("the Deployment never was %+v", want)
		return
	}
	l.checkServedBy(found, "after the update", at+l.Tolerance.Settle.Duration, l.end(), l.service(), l.Spec.Version)
	from := l.Timeline.Released.At
	all := count(l.cells(from, at), func(event.Cell) bool { return true })
	lost := count(l.cells(from, at), func(c event.Cell) bool { return c.Workload == "" })
	if float64(lost) > l.Tolerance.Noise.Of*float64(all) {
		found.Addf("%d of %d requests reached no pod during the update (%v)", lost, all, l.Tolerance.Noise)
	}
	for at, w := range facts[event.Workload](l) {
		if w.Name == l.service() && at > from && at < from+time.Minute && w.Ready < w.Desired-1 {
			found.Addf("at %v only %d of %d pods were ready", at, w.Ready, w.Desired)
		}
	}
}

func checkTruth(l *Log, found *Findings) {
	faults := behaviour(l.released(), l.Spec.Version).Faults
	hits, harm := 0, 0
	for c := range l.cells(0, l.end()) {
		if deniedByMesh(c) {
			continue
		}
		hits, harm = hits+c.Hit, harm+c.Harm
		if c.Hit > 0 && (len(faults) == 0 || c.Version != l.Spec.Version ||
			!slices.Contains(faults[0].When.Routes, c.Route)) {
			found.Addf("%d requests are hit where there is no fault: %+v", c.Hit, c)
		}
	}
	if len(faults) == 0 {
		return
	}
	if harm != hits { // the fault's response is 500
		found.Addf("%d requests are hit and %d harmed, want the same", hits, harm)
	}
	var t draws
	t.add(count(l.cells(0, l.end()), func(c event.Cell) bool {
		return c.Version == l.Spec.Version && slices.Contains(faults[0].When.Routes, c.Route) && !deniedByMesh(c)
	}), hits, faults[0].Share)
	if t.n < minRequests {
		found.Addf("the faulty version answered only %d requests of its fault's routes", t.n)
	}
	if t.exceeds(l.Tolerance.Noise) {
		found.Addf("%d of %d requests are hit, want a share of %v, more than %.0f off", t.hits, t.n,
			faults[0].Share, t.bound())
	}
}

func checkDeniedByMesh(l *Log, found *Findings) {
	denied, byMesh, hit := 0, 0, 0
	for c := range l.cells(0, l.end()) {
		if deniedByMesh(c) {
			denied, byMesh, hit = denied+c.Denied, byMesh+c.ByMesh, hit+c.Hit
		}
	}
	if denied < minRequests {
		found.Addf("only %d requests were denied", denied)
	}
	if byMesh != denied || hit > 0 {
		found.Addf("%d requests were denied, %d count as answers of the mesh and %d as hit, want all and none", denied,
			byMesh, hit)
	}
}
