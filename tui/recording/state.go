package recording

import (
	"maps"
	"slices"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/verdict/timeline"
)

// State is a run up to some moment, as far as views need it. It is a fold of events, small enough
// to be copied often.
type State struct {
	// Last is the newest event.
	Last timeline.Moment
	Run  event.RunStarted
	// Stage is the stage of the run, "" before the first.
	Stage    string
	Released timeline.Moment

	// Canary is the latest status of the released service's Canary, CanaryMark the time of its last
	// change; not seen before the first.
	Canary     event.Canary
	CanaryMark timeline.Moment
	// FailedAtRollback is how many checks had failed when Flagger rolled back; Flagger resets its
	// own counter then.
	FailedAtRollback int
	// Share is the released version's share of the traffic in percent, by the routes in force and,
	// where they have conditions, as observed. Shares are those so far, the last one in force.
	Share  int
	Shares []timeline.Share
	// Match is a rule that sends some users to the canary.
	Match string
	// Canaries and Primaries are the pods of the canary and of the primary.
	Canaries, Primaries Pods

	// Gates are the latest answers of each gate, Checks the latest of each metric, in the order of
	// their first query.
	Gates  []Gate
	Checks []Check
	// Server and Policy are the times at which the learner's objects of these kinds were applied.
	Server, Policy timeline.Moment

	// Requests, Bad and Harm are counts so far; Harm is by the release and by the guardrails,
	// HarmBy is Harm by cohort.
	Requests, Bad, Harm int
	HarmBy              map[string]int
	FirstHarm, LastHarm timeline.Moment
	// Hurt counts the distinct users hurt so far, if the log has them.
	Hurt int

	// Totals and End close the run; nil until then.
	Totals *event.TrafficTotals
	End    *event.RunEnded
}

// Pods describes the pods of a workload.
type Pods struct {
	Version        string
	Desired, Ready int
}

// Gate is the latest answer of a gate.
type Gate struct {
	timeline.Moment
	event.Gate
	// Asked counts the calls so far.
	Asked int
	// Drill is the latest rollback drill, for the gate that runs drills.
	Drill *event.RollbackDrill
}

// Check is the latest answer to a metric query of Flagger's.
type Check struct {
	timeline.Moment
	event.Query
}

// Failed reports whether the value is missing or out of bounds.
func (c Check) Failed() bool {
	switch {
	case c.Error != "" || c.Value == nil:
		return true
	case c.Min != nil && *c.Value < *c.Min:
		return true
	}
	return c.Max != nil && *c.Value > *c.Max
}

// clone returns a copy that later folds do not change.
func (s *State) clone() State {
	c := *s
	c.Gates, c.Checks, c.HarmBy = slices.Clone(s.Gates), slices.Clone(s.Checks), maps.Clone(s.HarmBy)
	return c
}

// Fold adds the next event. Events after the run's end belong to the clean-up and are ignored.
func (s *State) Fold(e event.Event) {
	if s.End != nil {
		return
	}
	at := timeline.Moment{At: e.At, Seq: e.Seq}
	s.Last = at
	switch f := e.Fact.(type) {
	case event.Traffic:
		s.traffic(f, at)
	case event.Canary:
		s.canary(f, at)
	case event.Query:
		s.query(f, at)
	case event.Gate:
		s.gate(f, at)
	case event.RollbackDrill:
		s.drill(f)
	default:
		s.lifecycle(e.Fact, at)
	}
}

func (s *State) lifecycle(f event.Fact, at timeline.Moment) {
	switch f := f.(type) {
	case event.RunStarted:
		s.Run = f
	case event.Stage:
		s.Stage = f.Name
	case event.Released:
		if f.Service == s.Run.Service && !s.Released.Happened() {
			s.Released = at
		}
	case event.Applied:
		s.applied(f, at)
	case event.Workload:
		s.workload(f)
	case event.Route:
		s.route(f)
	case event.TrafficTotals:
		s.Totals = &f
	case event.RunEnded:
		s.End = &f
	}
}

func (s *State) applied(f event.Applied, at timeline.Moment) {
	if f.Owner != event.OwnerLearner {
		return
	}
	switch f.ObjectKind {
	case "Server":
		s.Server = at
	case "AuthorizationPolicy", "ServerAuthorization":
		s.Policy = at
	}
}

func (s *State) workload(f event.Workload) {
	p := Pods{f.Version, f.Desired, f.Ready}
	switch f.Name {
	case s.Run.Service:
		s.Canaries = p
	case s.Run.Service + "-primary":
		s.Primaries = p
	}
}

// route reads the rule with conditions that sends users to the canary. Backends have the names that
// Flagger gives its Services.
func (s *State) route(f event.Route) {
	match, ours := "", false
	for _, rule := range f.Rules {
		for _, b := range rule.Backends {
			switch b.Service {
			case s.Run.Service + "-canary":
				ours = true
				if b.Weight > 0 {
					match = rule.Match
				}
			case s.Run.Service, s.Run.Service + "-primary":
				ours = true
			}
		}
		if match != "" {
			break
		}
	}
	if ours {
		s.Match = match
	}
}

// canary follows the Canary of the released service: by its target if the log has it, else by its
// name, else the first one.
func (s *State) canary(f event.Canary, at timeline.Moment) {
	switch {
	case f.Target != "":
		if f.Target != s.Run.Service {
			return
		}
	case s.CanaryMark.Happened() && f.Name != s.Run.Service && f.Name != s.Canary.Name:
		return
	}
	if f.Phase == event.PhaseFailed && s.Canary.Phase != event.PhaseFailed {
		s.FailedAtRollback = max(f.FailedChecks, s.Canary.FailedChecks)
	}
	s.Canary, s.CanaryMark = f, at
}

func (s *State) query(f event.Query, at timeline.Moment) {
	if f.Metric == "" {
		return
	}
	i := slices.IndexFunc(s.Checks, func(c Check) bool { return c.Metric == f.Metric && c.Asker == f.Asker })
	if i < 0 {
		s.Checks = append(s.Checks, Check{at, f})
		return
	}
	s.Checks[i] = Check{at, f}
}

func (s *State) gate(f event.Gate, at timeline.Moment) {
	i := slices.IndexFunc(s.Gates, func(g Gate) bool { return g.Name == f.Name && g.Hook == f.Hook })
	if i < 0 {
		i = len(s.Gates)
		s.Gates = append(s.Gates, Gate{})
	}
	s.Gates[i].Moment, s.Gates[i].Gate = at, f
	s.Gates[i].Asked++
}

// drill adds a drill to its gate. It may be logged before the gate's answer.
func (s *State) drill(f event.RollbackDrill) {
	i := slices.IndexFunc(s.Gates, func(g Gate) bool { return g.Name == event.GateRollbackDrill })
	if i < 0 {
		i = len(s.Gates)
		s.Gates = append(s.Gates, Gate{Gate: event.Gate{Canary: f.Canary, Name: event.GateRollbackDrill}})
	}
	s.Gates[i].Drill = &f
}

func (s *State) traffic(f event.Traffic, at timeline.Moment) {
	harm := 0
	for i := range f.Cells {
		c := &f.Cells[i]
		s.Requests += c.N
		s.Bad += c.Bad
		// What a proxy answered in place of the service is harm too, by the guardrails.
		hurt := c.Harm + c.ByMesh
		if hurt == 0 {
			continue
		}
		harm += hurt
		if s.HarmBy == nil {
			s.HarmBy = map[string]int{}
		}
		s.HarmBy[c.Cohort] += hurt
	}
	s.Hurt = max(s.Hurt, f.HurtSoFar)
	if harm == 0 {
		return
	}
	s.Harm += harm
	s.LastHarm = timeline.Moment{At: time.Duration(f.To), Seq: at.Seq}
	if !s.FirstHarm.Happened() {
		s.FirstHarm = s.LastHarm
	}
}
