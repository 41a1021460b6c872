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
	// Silent is the time from the start of the step on in which the canary got no request, and
	// SilentServed counts what the service answered meanwhile; see [Step.Silence].
	Silent       time.Duration
	SilentServed int
}

// Bounds of a silence that is not chance.
const (
	// silentRequests is how many requests the canary should have got: of a random share, so many
	// fail to come in one case of a million.
	silentRequests = 14
	// silentTime is how long it lasts where a rule with conditions decides who gets to the canary.
	silentTime = 10 * time.Second
)

// Silence is how long the canary got no request after the step began, although its share of the
// traffic says that it should have; 0 if what came is no less than chance explains.
func (s Step) Silence() time.Duration {
	expected := s.SilentServed * s.Weight / 100
	if expected >= silentRequests || s.Weight == 0 && s.Matched && s.Silent >= silentTime {
		return s.Silent
	}
	return 0
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
	// Sticky is set if that rule only keeps on the canary the users whom the rule for everyone sent
	// there, by a cookie: Flagger's session affinity.
	Sticky bool
	// CatchAll is set if the route has a rule for everyone. Holder is the route whose rule for
	// everyone is in force, which may be another one.
	CatchAll bool
	Holder   string
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
		return
	}
	if n := len(t.Routes); n > 0 { // a route of the learner's may send users to the canary from the first
		t.addStep(at, t.Routes[n-1].Share, t.Routes[n-1].Matched)
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
		t.foldDeadline()
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

// hadTraffic reports whether the canary got traffic after the release.
func (t *Timeline) hadTraffic() bool {
	return slices.ContainsFunc(t.Steps, func(s Step) bool { return s.Seq > t.Released.Seq })
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
			change.Matched, change.MatchShare, change.Sticky = true, c.MatchShare, c.Sticky
		}
		if c.CatchAll && !all {
			all, change.Share, change.Holder = true, c.Share, c.Name
		}
	}
	return change
}

// readRoute reads what a route gives the released service's canary; ok is false for another
// service's route. Backends are named as Flagger names its Services: the target's name with -canary
// and -primary. A rule by cookie next to weights for everyone is session affinity (flagger,
// pkg/router/gateway_api_v1beta1.go, getSessionAffinityRouteRules); next to a rule that sends
// everyone else to the primary it is an experiment.
func (t *Timeline) readRoute(r event.Route, at Moment) (RouteChange, bool) {
	c := RouteChange{Moment: at, Route: r}
	ours, cookie := false, false
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
		switch {
		case rule.Match != "" && share > 0:
			c.Matched, c.MatchShare = true, share
			cookie = strings.Contains(rule.Match, "header Cookie ~ ")
		case rule.Match == "" && !c.CatchAll: // of equal rules the first is in force
			c.Share, c.CatchAll = share, true
		}
	}
	c.Sticky = cookie && c.Share > 0
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
