package narrative

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/verdict/timeline"
)

// addChange adds what Flagger decided.
func (s *narrator) addChange(c timeline.Change) {
	before, after := c.Before, c.After
	tick := s.tickOf(c)
	var e *Entry
	switch {
	case after.Phase != before.Phase:
		e = s.addPhase(c, tick)
	case c.Failed():
		cause, mark := tick.cause()
		e = s.add(c.Moment, Hold, Warning, "held%s%s (failed check %d of %d)", s.position(c), cause,
			after.FailedChecks, after.Threshold)
		e.Cause = mark
	case after.Weight > before.Weight:
		e = s.add(c.Moment, Advance, Info, "advanced to %s%s", s.routed(c), tick.passed())
	case after.MaxIterations > 0 && after.Iterations > after.MaxIterations:
		e = s.add(c.Moment, Advance, Info, "the iterations are over: all traffic to the canary%s", tick.passed())
	case after.Iterations > before.Iterations:
		e = s.add(c.Moment, Advance, Info, "iteration %d of %d begins%s", after.Iterations, after.MaxIterations,
			tick.passed())
	case after.Weight < before.Weight && after.Phase == event.PhaseProgressing:
		e = s.add(c.Moment, Hold, Warning, "went back to %d %% of the traffic", after.Weight)
	default:
		return
	}
	e.Quotes = s.quotes(c, tick)
}

func (s *narrator) addPhase(c timeline.Change, tick tick) *Entry {
	switch after := c.After; after.Phase {
	case event.PhaseFailed:
		why, mark := tick.rollback(c.Before)
		had := fmt.Sprintf(" (the canary had %d %%)", s.t.WeightAtAbort)
		if !s.t.FirstCanary.Happened() || s.t.FirstCanary.Seq > c.Seq {
			had = " (the canary never had any)"
		}
		e := s.add(c.Moment, Rollback, Good, "rolled back%s: all traffic to the primary%s", why, had)
		e.Cause = mark
		return e
	case event.PhasePromoting:
		return s.add(c.Moment, Promotion, Info, "decided to promote: the primary gets %s%s", s.t.Run.Version,
			tick.passed())
	case event.PhaseSucceeded:
		return s.add(c.Moment, Promotion, Info, "promoted: everyone is on %s", s.t.Run.Version)
	case event.PhaseProgressing:
		if after.Weight > 0 {
			return s.add(c.Moment, Advance, Info, "analysis started: the canary gets %s", s.routed(c))
		}
		return s.add(c.Moment, Status, Info, "new version detected, analysis starts")
	case event.PhaseWaiting, event.PhaseWaitingPromotion:
		return s.add(c.Moment, Wait, Warning, "waits for a gate (phase %s)%s", after.Phase, s.position(c))
	default:
		return s.add(c.Moment, Status, Detail, "canary is %s", after.Phase)
	}
}

// routed says what the users are routed by after Flagger raised the weight. Its status has the weight
// of its own route: session affinity keeps further users on the canary, and another route may hold.
func (s *narrator) routed(c timeline.Change) string {
	r, _ := s.t.RouteAt(c.Moment)
	switch {
	case r.Sticky:
		text := fmt.Sprintf("%d %% of the users without its cookie", c.After.Weight)
		if share := s.t.RecentShare(c.Moment); share > 0 {
			text += fmt.Sprintf(" (the canary had %d %% of the traffic)", share)
		}
		return text
	case r.Holder != "" && r.Holder != c.After.Target && c.After.Target != "":
		return fmt.Sprintf("%d %%, but the older route %s holds: the canary gets %d %% of the traffic", c.After.Weight,
			r.Holder, r.Share)
	}
	return fmt.Sprintf("%d %% of the traffic", c.After.Weight)
}

// position says at which point of the rollout the canary is: by the routes, since the status has no
// weight while the rollout waits for its promotion.
func (s *narrator) position(c timeline.Change) string {
	weight := s.t.ShareAt(c.Moment)
	at := ""
	if c.After.Iterations > 0 {
		at = fmt.Sprintf(" at iteration %d", c.After.Iterations)
	}
	switch {
	case weight > 0 && at != "":
		return at + fmt.Sprintf(" with %d %% of the traffic", weight)
	case weight > 0:
		return fmt.Sprintf(" at %d %%", weight)
	case s.t.FirstCanary.Happened() && s.t.FirstCanary.Seq < c.Seq:
		return at + " without any traffic"
	}
	return at + " before it had any traffic"
}

const (
	// The range of facts around a change that belong to the same tick of Flagger's control loop:
	// what leads to a change comes before it, and a message about it may come right after. In
	// virtual time all of them are at one instant.
	tickBefore = 3 * time.Second
	tickAfter  = time.Second
)

// tick is what happened around a change.
type tick struct {
	gates   []timed[event.Gate]
	queries []timed[event.Query]
	flagger []event.Flagger
}

type timed[F event.Fact] struct {
	timeline.Moment
	fact F
}

// tickOf collects the facts of a change's own canary around it.
func (s *narrator) tickOf(c timeline.Change) tick {
	facts, name := s.t.Facts, c.After.Name
	i := sort.Search(len(facts), func(i int) bool { return facts[i].At >= c.At-tickBefore })
	var t tick
	for ; i < len(facts) && facts[i].At <= c.At+tickAfter; i++ {
		m := timeline.Moment{At: facts[i].At, Seq: facts[i].Seq}
		switch f := facts[i].Fact.(type) {
		case event.Gate:
			if f.Canary == name && m.Seq < c.Seq {
				t.gates = append(t.gates, timed[event.Gate]{m, f})
			}
		case event.Query:
			if f.Asker == name && m.Seq < c.Seq {
				f.Metric = timeline.MetricName(f)
				t.queries = append(t.queries, timed[event.Query]{m, f})
			}
		case event.Flagger:
			if f.Canary == name {
				t.flagger = append(t.flagger, f)
			}
		}
	}
	return t
}

// cause says what failed: a gate, or else the last query, since Flagger's analysis calls gates
// first and stops at the first metric that fails (flagger, pkg/controller/scheduler_metrics.go).
func (t tick) cause() (string, timeline.Moment) {
	for i := len(t.gates) - 1; i >= 0; i-- {
		if g := t.gates[i]; !g.fact.Passed && g.fact.Hook != event.HookRollback {
			return ": gate " + g.fact.Name + " failed" + withReason(g.fact.Reason), g.Moment
		}
	}
	if n := len(t.queries); n > 0 {
		q := t.queries[n-1]
		return ": " + DescribeQuery(q.fact), q.Moment
	}
	return "", timeline.Moment{}
}

// rollback says why Flagger rolled back, as far as the facts show.
func (t tick) rollback(before event.Canary) (string, timeline.Moment) {
	for _, g := range t.gates {
		if g.fact.Passed && g.fact.Hook == event.HookRollback {
			return ", as gate " + g.fact.Name + " asked for", g.Moment
		}
	}
	if before.Threshold > 0 && before.FailedChecks >= before.Threshold {
		return fmt.Sprintf(" after %d failed checks of %d", before.FailedChecks, before.Threshold), timeline.Moment{}
	}
	return "", timeline.Moment{}
}

// maxPassed is how many passed checks an entry names.
const maxPassed = 3

// passed names the checks that let the canary advance.
func (t tick) passed() string {
	var words []string
	for _, q := range t.queries {
		if len(words) == maxPassed {
			words = append(words, fmt.Sprintf("and %d more", len(t.queries)-maxPassed))
			break
		}
		words = append(words, DescribeQuery(q.fact))
	}
	return withReason(strings.Join(words, ", "))
}

// quotes are Flagger's own warnings of the tick, word for word, unless the last one said the same.
func (s *narrator) quotes(c timeline.Change, t tick) []string {
	if !c.Failed() && c.After.Phase != event.PhaseFailed {
		return nil
	}
	var qs []string
	for _, f := range t.flagger {
		if f.Type == "Warning" && f.Message != s.quoted {
			qs = append(qs, format.Clean(f.Message))
			s.quoted = f.Message
		}
	}
	return qs
}
