package recording

import (
	"maps"
	"slices"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/verdict/timeline"
)

// State is a run up to some moment, as far as views need it. It is a fold of events, small enough to be kept often.
type State struct {
	// Last is the newest event that was folded.
	Last timeline.Moment
	Run  event.RunStarted
	// Stage is the part of the run, "" before the first.
	Stage    string
	Released timeline.Moment

	// Canary is the latest status of the released service's Canary, with Mark its change; not seen before the first.
	Canary     event.Canary
	CanaryMark timeline.Moment
	// FailedAtRollback is how many checks had failed before the rollback; Flagger counts anew with it.
	FailedAtRollback int
	// Exposures is the exposure of the released version, in the order in which it changed.
	Exposures []Exposure
	// Share is the canary's part of the routes in force, in percent; Match tells a rule that sends some users there.
	Share int
	Match string
	// Pods of the canary and of the primary.
	Canaries, Primaries Pods

	// Gates are the latest answers of each gate, Checks the latest of each metric, in the order in which they were first asked.
	Gates  []Gate
	Checks []Check
	// Server and Policy are the learner's objects of these kinds.
	Server, Policy timeline.Moment

	// Requests, Bad and Harm count what users got so far; HarmBy is Harm by cohort.
	Requests, Bad, Harm int
	HarmBy              map[string]int
	FirstHarm, LastHarm timeline.Moment
	// Hurt counts distinct users that were hurt so far, where the log tells it.
	Hurt int

	// Totals and End close the run; nil until then.
	Totals *event.TrafficTotals
	End    *event.RunEnded
}

// Exposure is a share of the traffic from a moment on.
type Exposure struct {
	timeline.Moment
	Weight, Iterations int
	Phase              string
}

// Pods of a workload.
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
	// Drill is the latest drill, for the gate that rehearses rollbacks.
	Drill *event.RollbackDrill
}

// Check is the latest answer of a metric that Flagger asked for.
type Check struct {
	timeline.Moment
	event.Query
}

// Failed tells whether the value is outside of its bounds, or missing.
func (c Check) Failed() bool {
	switch {
	case c.Error != "" || c.Value == nil:
		return true
	case c.Min != nil && *c.Value < *c.Min:
		return true
	}
	return c.Max != nil && *c.Value > *c.Max
}

// clone returns a copy that shares nothing that a later fold changes.
func (s *State) clone() State {
	c := *s
	c.Gates, c.Checks, c.HarmBy = slices.Clone(s.Gates), slices.Clone(s.Checks), maps.Clone(s.HarmBy)
	c.Exposures = slices.Clip(s.Exposures) // it only ever grows: a copy that grows too must move away
	return c
}

// Fold takes the next event. What comes after the run's end is the lab putting its things away.
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
			if !s.Run.Guarded {
				s.Exposures = append(s.Exposures, Exposure{Moment: at, Weight: 100})
			}
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

// route reads what the released service's canary gets. Backends are named as Flagger names its Services.
func (s *State) route(f event.Route) {
	share, match, ours := 0, "", false
	for _, rule := range f.Rules {
		canary, total := 0, 0
		for _, b := range rule.Backends {
			total += b.Weight
			switch b.Service {
			case s.Run.Service + "-canary":
				canary += b.Weight
				ours = true
			case s.Run.Service, s.Run.Service + "-primary":
				ours = true
			}
		}
		switch {
		case rule.Match == "" && total > 0:
			share = canary * 100 / total
		case canary > 0:
			match = rule.Match
		}
	}
	if ours {
		s.Share, s.Match = share, match
	}
}

// canary follows the Canary of the released service: by its target where the log says so, else by its name, and else the
// first one.
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
	n := len(s.Exposures)
	if n > 0 {
		if l := s.Exposures[n-1]; l.Weight == f.Weight && l.Iterations == f.Iterations && l.Phase == f.Phase {
			return
		}
	}
	s.Exposures = append(s.Exposures, Exposure{at, f.Weight, f.Iterations, f.Phase})
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

// drill keeps a drill with its gate. It may be noted before the gate's answer.
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
		if c.Harm == 0 {
			continue
		}
		harm += c.Harm
		if s.HarmBy == nil {
			s.HarmBy = map[string]int{}
		}
		s.HarmBy[c.Cohort] += c.Harm
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
