package timeline

import (
	"strings"
	"time"

	"coalmine/lab/event"
)

// Change is one change of the released service's Canary, with the status before it.
type Change struct {
	Mark
	Before, After event.Canary
}

// Failed tells whether a check failed in the change.
func (c Change) Failed() bool { return c.After.FailedChecks > c.Before.FailedChecks }

// Advanced tells whether the canary got more traffic, or passed an iteration, or went on to promotion.
func (c Change) Advanced() bool {
	return c.After.Weight > c.Before.Weight || c.After.Iterations > c.Before.Iterations ||
		(c.After.Phase != c.Before.Phase && promoted(c.After.Phase))
}

// Step is one exposure of the released version, in force until the next.
type Step struct {
	Mark
	// Weight is the canary's share of the traffic in percent. It is 0 for an experiment that routes by match, whose
	// Matched is set, and after a rollback.
	Weight  int
	Matched bool
	// Canary and Served count requests that the canary, and the whole released service, answered in the step.
	Canary, Served int
	// SettledCanary and SettledServed leave out the seconds right after the step began, whose requests may have been
	// routed before it.
	SettledCanary, SettledServed int
}

// RouteChange is one change of the released service's routing.
type RouteChange struct {
	Mark
	event.Route
	// Share is the canary's part of the rule for everyone, in percent.
	Share int
	// Matched is set when a rule with conditions sends requests to the canary; MatchShare is the canary's part there.
	Matched    bool
	MatchShare int
}

func promoted(phase string) bool {
	return phase == event.PhasePromoting || phase == event.PhaseFinalising || phase == event.PhaseSucceeded
}

// foldRollout follows the release and the objects that carry it.
func (t *Timeline) foldRollout(f event.Fact, at Mark) {
	switch f := f.(type) {
	case event.Released:
		if f.Service == t.Run.Service && !t.Released.Seen() {
			t.release(at)
		}
	case event.Canary:
		if t.ours(f) {
			t.foldCanary(f, at)
		}
	case event.Route:
		t.foldRoute(f, at)
	case event.Workload:
		if f.Name == t.Run.Service && f.Desired == 0 && t.onTrial() && t.exposed() {
			t.remove(at)
		}
	case event.Deleted:
		if f.ObjectKind == "Canary" && f.Name == t.Canary || f.ObjectKind == "Deployment" && f.Name == t.Run.Service {
			t.remove(at)
		}
	}
}

func (t *Timeline) release(at Mark) {
	t.Released = at
	if !t.Run.Guarded {
		t.Steps = append(t.Steps, Step{Mark: at, Weight: 100})
	}
}

// ours tells whether a Canary is the released service's: by its target where the log says so, else by its name, and else
// because it was the first.
func (t *Timeline) ours(c event.Canary) bool {
	switch {
	case c.Target != "":
		return c.Target == t.Run.Service
	case t.Canary == "" || c.Name == t.Run.Service:
		return true
	}
	return c.Name == t.Canary
}

func (t *Timeline) foldCanary(c event.Canary, at Mark) {
	if c.Name != t.Canary {
		t.Canary, t.canary = c.Name, event.Canary{}
	}
	change := Change{Mark: at, Before: t.canary, After: c}
	t.Changes = append(t.Changes, change)
	t.canary = c
	if !t.Released.Seen() {
		return
	}
	if change.Advanced() {
		t.pending = gateHold{}
		t.resume()
	}
	t.foldChecks(change)
	t.foldPhase(change)
	t.foldStep(change)
}

// foldChecks takes a failed check as a sign that a guardrail noticed. A failed check before the canary has traffic is a
// pre-rollout webhook that said no: Flagger's scheduler asks for nothing else there.
func (t *Timeline) foldChecks(c Change) {
	if !c.Failed() || c.After.Phase == event.PhaseFailed {
		return
	}
	t.signal(c.Mark)
	gate := t.pending
	if gate.refuses() || !gate.Seen() && c.After.Weight == 0 && c.After.Iterations == 0 {
		t.refuse(c.Mark)
	}
	if c.After.Threshold > 0 && c.After.FailedChecks > c.After.Threshold {
		t.wait(c.Mark, "failed checks beyond the threshold: something holds the rollback")
	}
}

func (t *Timeline) foldPhase(c Change) {
	if c.After.Phase == c.Before.Phase {
		return
	}
	switch c.After.Phase {
	case event.PhaseFailed:
		t.abort(c.Mark)
		t.final = true
	case event.PhasePromoting:
		t.promote(c.Mark)
	case event.PhaseFinalising, event.PhaseSucceeded:
		t.promote(c.Mark)
		if !t.Promoted.Seen() {
			t.Promoted = c.Mark
			t.Steps = append(t.Steps, Step{Mark: c.Mark, Weight: 100})
		}
	case event.PhaseWaiting, event.PhaseWaitingPromotion:
		t.wait(c.Mark, "phase "+c.After.Phase)
	}
	if c.Before.Phase == event.PhaseWaiting || c.Before.Phase == event.PhaseWaitingPromotion {
		t.endWait(c.Mark)
	}
}

// foldStep notes a new exposure. Weights that change after the decision belong to the promotion.
func (t *Timeline) foldStep(c Change) {
	if t.Decided() {
		return
	}
	matched := c.After.Weight == 0 && c.After.Iterations > 0
	last := Step{}
	if n := len(t.Steps); n > 0 {
		last = t.Steps[n-1]
	}
	if c.After.Weight != last.Weight || matched != last.Matched {
		t.Steps = append(t.Steps, Step{Mark: c.Mark, Weight: c.After.Weight, Matched: matched})
	}
}

// abort notes the rollback. The route goes back first and phase Failed follows: the earlier of the two is what users felt.
func (t *Timeline) abort(at Mark) {
	if t.Abort.Seen() {
		return
	}
	t.WeightAtAbort = t.exposure()
	t.Abort = at
	if t.Removed.At >= at.At {
		t.Removed = Mark{} // Flagger itself scales the canary to zero in a rollback
	}
	t.Steps = append(t.Steps, Step{Mark: at})
	t.detect()
	t.endWait(at)
}

// resume takes back a rollback that was read from the route alone when the canary goes on: Flagger routes back to the
// primary as well when it promotes, and when it starts the analysis of a newer revision.
func (t *Timeline) resume() {
	if t.Abort.Seen() && !t.final {
		t.Abort, t.WeightAtAbort = Mark{}, 0
	}
}

// promote notes the decision.
func (t *Timeline) promote(at Mark) {
	if t.Promoting.Seen() {
		return
	}
	t.Promoting = at
	t.endWait(at)
}

func (t *Timeline) remove(at Mark) {
	if t.onTrial() && !t.Removed.Seen() && !t.TotalsAt.Seen() {
		t.Removed = at
	}
}

// onTrial tells whether the version was released and its fate is open.
func (t *Timeline) onTrial() bool {
	return t.Released.Seen() && !t.Abort.Seen() && !t.Promoting.Seen()
}

// exposed tells whether the canary ever had traffic.
func (t *Timeline) exposed() bool { return len(t.Steps) > 0 }

// exposure is the canary's share in percent: the weight, or what it really got where routing is by match.
func (t *Timeline) exposure() int {
	for i := len(t.Steps) - 1; i >= 0; i-- {
		switch s := t.Steps[i]; {
		case s.Weight > 0:
			return s.Weight
		case s.Matched && s.Served > 0:
			return max(1, s.Canary*100/s.Served)
		}
	}
	return 0
}

func (t *Timeline) foldRoute(r event.Route, at Mark) {
	change, ok := t.readRoute(r, at)
	if !ok {
		return
	}
	had := false
	if n := len(t.Routes); n > 0 {
		had = t.Routes[n-1].Share > 0 || t.Routes[n-1].Matched
	}
	t.Routes = append(t.Routes, change)
	back := change.Share == 0 && !change.Matched
	if had && back && t.onTrial() && t.canary.Phase == event.PhaseProgressing {
		t.abort(at)
	}
}

// readRoute tells what a route gives the released service's canary; not ok when it is another service's. Backends are
// named as Flagger names its Services: the target's name with -canary and -primary.
func (t *Timeline) readRoute(r event.Route, at Mark) (RouteChange, bool) {
	c := RouteChange{Mark: at, Route: r}
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
			c.Share = share
		} else if share > 0 {
			c.Matched, c.MatchShare = true, share
		}
	}
	return c, ours
}

// settleTime is left out after each step: requests that were routed before it are answered by then.
const settleTime = 5 * time.Second

// stepAt is the step in force at a time, nil before the first.
func (t *Timeline) stepAt(at time.Duration) *Step {
	for i := len(t.Steps) - 1; i >= 0; i-- {
		if t.Steps[i].At <= at {
			return &t.Steps[i]
		}
	}
	return nil
}
