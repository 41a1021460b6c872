package timeline

import (
	"slices"
	"strings"
	"time"

	"coalmine/lab/event"
)

// Change is one change of the released service's Canary, with the status before it.
type Change struct {
	Moment
	Before, After event.Canary
}

// Failed reports whether a check failed in the change.
func (c Change) Failed() bool { return c.After.FailedChecks > c.Before.FailedChecks }

// Advanced reports whether the canary got more traffic, passed an iteration, or went on to
// promotion.
func (c Change) Advanced() bool {
	return c.After.Weight > c.Before.Weight || c.After.Iterations > c.Before.Iterations ||
		(c.After.Phase != c.Before.Phase && isPromotion(c.After.Phase))
}

// Step is one exposure of the released version, in force until the next.
type Step struct {
	Moment
	// Weight is the canary's share, in percent, of the requests that no rule with conditions
	// routes: the route's, or Flagger's status in a log without routes. Matched is set if a rule
	// with conditions sends requests to the canary too: then only [Timeline.Exposure] says how
	// many.
	Weight  int
	Matched bool
	// Canary and Served count the requests that the canary, and the whole released service,
	// answered in the step.
	Canary, Served int
	// SteadyCanary and SteadyServed leave out the seconds right after the step began, whose
	// requests may have been routed before it.
	SteadyCanary, SteadyServed int
}

// RouteChange is one change of the released service's routing.
type RouteChange struct {
	Moment
	event.Route
	// Share is the canary's share in the rule for everyone, in percent.
	Share int
	// Matched is set if a rule with conditions sends requests to the canary; MatchShare is the
	// canary's share there.
	Matched    bool
	MatchShare int
	// CatchAll is set if the route has a rule for everyone.
	CatchAll bool
}

func isPromotion(phase string) bool {
	return phase == event.PhasePromoting || phase == event.PhaseFinalising || phase == event.PhaseSucceeded
}

// foldRollout folds the release and the objects that carry it.
func (t *Timeline) foldRollout(f event.Fact, at Moment) {
	switch f := f.(type) {
	case event.Released:
		if f.Service == t.Run.Service && !t.Released.Happened() {
			t.foldRelease(at)
		}
	case event.Canary:
		if t.isReleasedCanary(f) {
			t.foldCanary(f, at)
		}
	case event.Route:
		t.foldRoute(f, at)
	case event.Workload:
		t.ready = t.ready || f.Name == t.Run.Service && f.Version == t.Run.Version && f.Ready > 0
		if f.Name == t.Run.Service && f.Desired == 0 && t.undecided() && t.hadTraffic() {
			t.foldRemoval(at)
		}
	case event.Deleted:
		if f.ObjectKind == "Canary" && f.Name == t.Canary || f.ObjectKind == "Deployment" && f.Name == t.Run.Service {
			t.foldRemoval(at)
		}
	}
}

func (t *Timeline) foldRelease(at Moment) {
	t.Released = at
	if !t.Run.Guarded {
		t.Steps = append(t.Steps, Step{Moment: at, Weight: 100})
	}
}

// isReleasedCanary reports whether a Canary is the released service's: by its target if the log has
// it, else by its name, else because it was the first.
func (t *Timeline) isReleasedCanary(c event.Canary) bool {
	switch {
	case c.Target != "":
		return c.Target == t.Run.Service
	case t.Canary == "" || c.Name == t.Run.Service:
		return true
	}
	return c.Name == t.Canary
}

func (t *Timeline) foldCanary(c event.Canary, at Moment) {
	if c.Name != t.Canary {
		t.Canary, t.canary = c.Name, event.Canary{}
	}
	change := Change{Moment: at, Before: t.canary, After: c}
	t.Changes = append(t.Changes, change)
	t.canary = c
	if !t.Released.Happened() {
		return
	}
	if change.Advanced() {
		t.pending = gateHold{}
		t.undoAbort()
	}
	t.foldChecks(change)
	t.foldPhase(change)
	t.foldStep(change)
}

// foldChecks takes a failed check as a signal that a guardrail noticed. A failed check before the
// canary has traffic is a pre-rollout webhook that failed: Flagger's scheduler calls nothing else
// there.
func (t *Timeline) foldChecks(c Change) {
	if !c.Failed() || c.After.Phase == event.PhaseFailed {
		return
	}
	t.addSignal(c.Moment)
	gate := t.pending
	if gate.refusesVersion() || !gate.Happened() && c.After.Weight == 0 && c.After.Iterations == 0 {
		t.setRefusal(c.Moment)
	}
	if c.After.Threshold > 0 && c.After.FailedChecks > c.After.Threshold {
		t.startWait(c.Moment, "something held the rollback although the failed checks were over the threshold")
	}
}

func (t *Timeline) foldPhase(c Change) {
	if c.After.Phase == c.Before.Phase {
		return
	}
	switch c.After.Phase {
	case event.PhaseFailed:
		t.foldAbort(c.Moment)
		t.failed = true
	case event.PhasePromoting:
		t.foldPromotion(c.Moment)
	case event.PhaseFinalising, event.PhaseSucceeded:
		t.foldPromotion(c.Moment)
		if !t.Promoted.Happened() {
			t.Promoted = c.Moment
			t.Steps = append(t.Steps, Step{Moment: c.Moment, Weight: 100})
		}
	case event.PhaseWaiting, event.PhaseWaitingPromotion:
		t.startWait(c.Moment, "phase "+c.After.Phase)
	}
	if c.Before.Phase == event.PhaseWaiting || c.Before.Phase == event.PhaseWaitingPromotion {
		t.endWait(c.Moment)
	}
}

// foldStep reads the exposure from Flagger's status in a log without routes. The status is not what
// users are routed by: it is 0 while the rollout waits for its promotion, and in experiments.
func (t *Timeline) foldStep(c Change) {
	if len(t.Routes) == 0 {
		t.addStep(c.Moment, c.After.Weight, c.After.Weight == 0 && c.After.Iterations > 0)
	}
}

// addStep adds a new exposure. Weights that change after the decision belong to the promotion.
func (t *Timeline) addStep(at Moment, weight int, matched bool) {
	if !t.Released.Happened() || t.Decided() {
		return
	}
	last := Step{}
	if n := len(t.Steps); n > 0 {
		last = t.Steps[n-1]
	}
	if weight != last.Weight || matched != last.Matched {
		t.Steps = append(t.Steps, Step{Moment: at, Weight: weight, Matched: matched})
	}
}

// foldAbort sets the rollback. The route goes back first and phase Failed follows: the earlier of
// the two is what users feel.
func (t *Timeline) foldAbort(at Moment) {
	if t.Abort.Happened() {
		return
	}
	t.WeightAtAbort = t.weightBefore(at)
	t.Abort = at
	if t.Removed.At >= at.At {
		t.Removed = Moment{} // Flagger scales the canary to zero when it rolls back
	}
	t.Steps = append(t.Steps, Step{Moment: at})
	t.updateDetected()
	t.endWait(at)
}

// undoAbort takes back a rollback that was read from the route alone if the canary goes on: Flagger
// also routes back to the primary when it promotes, and when it starts the analysis of a newer
// revision.
func (t *Timeline) undoAbort() {
	if t.Abort.Happened() && !t.failed {
		t.Abort, t.WeightAtAbort = Moment{}, 0
	}
}

// foldPromotion sets the decision to promote.
func (t *Timeline) foldPromotion(at Moment) {
	if t.Promoting.Happened() {
		return
	}
	t.Promoting = at
	t.endWait(at)
}

func (t *Timeline) foldRemoval(at Moment) {
	if t.undecided() && !t.Removed.Happened() && !t.TotalsAt.Happened() {
		t.Removed = at
	}
}

// undecided reports whether the version was released and neither rolled back nor promoted.
func (t *Timeline) undecided() bool {
	return t.Released.Happened() && !t.Abort.Happened() && !t.Promoting.Happened()
}

// hadTraffic reports whether the canary ever had traffic.
func (t *Timeline) hadTraffic() bool { return len(t.Steps) > 0 }

// Exposure is the share of the traffic, in percent, that the canary had in a step: the route's
// weight, or what was observed if a rule with conditions routes too.
func (t *Timeline) Exposure(step int) int {
	s := t.Steps[step]
	if !s.Matched {
		return s.Weight
	}
	return percent(s.Canary, s.Served)
}

// percent rounds a share, but never to 0 what is more.
func percent(n, of int) int {
	if n == 0 || of == 0 {
		return 0
	}
	return max(1, (n*100+of/2)/of)
}

// Windows of the share at a rollback.
const (
	// rollbackTick is how long before the rollback the route may have gone back: Flagger writes the
	// route first.
	rollbackTick = 3 * time.Second
	// recentTraffic is the time over which a share is observed. With session affinity it grows
	// while the route stays.
	recentTraffic = 30 * time.Second
)

// weightBefore is the canary's share in percent right before a rollback.
func (t *Timeline) weightBefore(at Moment) int {
	n := len(t.Steps)
	if n > 1 && t.Steps[n-1].Weight == 0 && !t.Steps[n-1].Matched && at.At-t.Steps[n-1].At <= rollbackTick {
		n--
	}
	return t.shareIn(t.Steps[:n], at)
}

// ShareAt is the canary's share of the traffic in percent right before a moment; 0 before the first
// step. What comes later does not change it.
func (t *Timeline) ShareAt(at Moment) int {
	n := len(t.Steps)
	for n > 0 && t.Steps[n-1].Seq > at.Seq {
		n--
	}
	return t.shareIn(t.Steps[:n], at)
}

// shareIn is the share in the last of some steps: the route's, or what was observed lately if a
// rule with conditions routes too.
func (t *Timeline) shareIn(steps []Step, at Moment) int {
	if len(steps) == 0 {
		return 0
	}
	step := steps[len(steps)-1]
	if !step.Matched {
		return step.Weight
	}
	canary, served := 0, 0
	for _, s := range t.seconds {
		if from := time.Duration(s.From); from < max(step.At, at.At-recentTraffic) || time.Duration(s.To) > at.At {
			continue
		}
		for _, c := range s.Cells {
			if c.Workload == "" {
				continue
			}
			served += c.N + c.Retried
			if t.onCanary(KeyOf(c)) {
				canary += c.N + c.Retried
			}
		}
	}
	return percent(canary, served)
}

func (t *Timeline) foldRoute(r event.Route, at Moment) {
	change, ok := t.readRoute(r, at)
	if !ok {
		return
	}
	had := false
	if n := len(t.Routes); n > 0 {
		had = t.Routes[n-1].Share > 0 || t.Routes[n-1].Matched
	}
	if len(t.Routes) == 0 && len(t.Steps) > 0 && t.Run.Guarded && t.undecided() {
		t.Steps = nil // they were read from the status
	}
	change = t.combine(change)
	t.Routes = append(t.Routes, change)
	back := change.Share == 0 && !change.Matched
	if had && back && t.undecided() && t.canary.Phase == event.PhaseProgressing {
		t.foldAbort(at)
		return
	}
	t.addStep(at, change.Share, change.Matched)
}

// combine adds what the service's other routes do: conditions of any of them hold, and of several
// rules for everyone that of the oldest route is in force.
func (t *Timeline) combine(change RouteChange) RouteChange {
	i := slices.IndexFunc(t.latest, func(c RouteChange) bool { return c.Name == change.Name })
	if i < 0 {
		i, t.latest = len(t.latest), append(t.latest, change)
	}
	t.latest[i] = change
	all := false
	for _, c := range t.latest {
		if c.Matched {
			change.Matched, change.MatchShare = true, c.MatchShare
		}
		if c.CatchAll && !all {
			all, change.Share = true, c.Share
		}
	}
	return change
}

// readRoute reads what a route gives the released service's canary; ok is false for another
// service's route. Backends are named as Flagger names its Services: the target's name with -canary
// and -primary.
func (t *Timeline) readRoute(r event.Route, at Moment) (RouteChange, bool) {
	c := RouteChange{Moment: at, Route: r}
	ours := false
	for _, rule := range r.Rules {
		canary, total := 0, 0
		for _, b := range rule.Backends {
			total += b.Weight
			if b.Service == t.Run.Service+"-canary" {
				canary += b.Weight
			}
			ours = ours || strings.TrimSuffix(strings.TrimSuffix(b.Service, "-canary"), "-primary") == t.Run.Service
		}
		share := 0
		if total > 0 {
			share = canary * 100 / total
		}
		if rule.Match == "" {
			c.Share, c.CatchAll = share, true
		} else if share > 0 {
			c.Matched, c.MatchShare = true, share
		}
	}
	return c, ours
}

// transitionTime is left out after each step: requests that were routed before it are answered by
// then.
const transitionTime = 5 * time.Second

// stepAt is the step in force at a time, or nil before the first.
func (t *Timeline) stepAt(at time.Duration) *Step {
	for i := len(t.Steps) - 1; i >= 0; i-- {
		if t.Steps[i].At <= at {
			return &t.Steps[i]
		}
	}
	return nil
}
