// Package narrative tells in plain words what happened in a run: one entry for each fact that matters, and for each decision of
// Flagger's with the check that it rests on.
//
// It words facts and decides nothing: what it says is in the timeline. It knows no view; a view gives the tones their looks.
package narrative

import (
	"fmt"
	"slices"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/verdict/timeline"
)

// Severity is what an entry means for users. The words tell it too, so that nothing is lost where a view has no colours.
type Severity int

// Tones of an entry.
const (
	Info      Severity = iota
	Milestone          // the frame of the run: release, end
	Detail             // needed only by those who look closely
	Good
	Warning
	Bad
)

// Kind tells what an entry is about.
type Kind int

// Kinds of entries.
const (
	Lifecycle Kind = iota // a stage, an object, the run's end
	Release               // the version was given to its Deployment
	Advance               // the canary got traffic, more traffic, or passed an iteration
	Hold                  // a check failed and the canary stays where it is
	Rollback              // all traffic back to the primary
	Promotion             // the decision to promote, and its end
	Wait                  // a gate holds the rollout for a person
	Gate                  // a gate's answer, where it differs from its last one
	Drill                 // a rehearsal of the rollback
	Alert                 // a message to people
	Harm                  // the first and the last user that the fault hurt
	Detection             // a guardrail noticed for the first time
	Status                // another change of the canary's phase
)

// Decision tells whether an entry is one of Flagger's decisions over the canary's traffic.
func (k Kind) Decision() bool {
	return k == Advance || k == Hold || k == Rollback || k == Promotion || k == Wait
}

// Entry is one thing that happened. Its texts hold no control characters and no line breaks, whoever wrote their parts.
type Entry struct {
	timeline.Moment
	Kind     Kind
	Severity Severity
	Text     string
	// Quotes are Flagger's own words of the moment.
	Quotes []string
	// Cause is the query or the gate's answer that decided; never seen where there is none.
	Cause timeline.Moment
}

// Of tells the story of a run so far, in log order. A longer log changes no entry that was told, except the last user hurt.
func Of(t *timeline.Timeline) []Entry {
	s := narrator{t: t, gates: map[string]bool{}}
	for _, e := range t.Facts {
		s.addFact(e)
	}
	for _, c := range t.Changes {
		s.addChange(c)
	}
	if s.t.FirstCanary.Happened() {
		s.add(s.t.FirstCanary, Status, Detail, "the canary answered its first request")
	}
	s.addHarm()
	slices.SortStableFunc(s.entries, func(a, b Entry) int { return a.Seq - b.Seq })
	return s.entries
}

type narrator struct {
	t       *timeline.Timeline
	entries []Entry
	gates   map[string]bool // what each gate said last
	quoted  string          // Flagger's last words
}

func (s *narrator) add(m timeline.Moment, k Kind, t Severity, text string, args ...any) *Entry {
	s.entries = append(s.entries, Entry{Moment: m, Kind: k, Severity: t, Text: format.Clean(fmt.Sprintf(text, args...))})
	return &s.entries[len(s.entries)-1]
}

// addFact takes one fact. Canary changes have their own way, see change.
func (s *narrator) addFact(e event.Event) {
	m := timeline.Moment{At: e.At, Seq: e.Seq}
	switch f := e.Fact.(type) {
	case event.Stage:
		s.add(m, Lifecycle, Detail, "stage %s%s", f.Name, withReason(f.Reason))
	case event.Applied:
		if f.Owner == event.OwnerLearner {
			s.add(m, Lifecycle, Detail, "applied %s %s%s", f.ObjectKind, f.Name, withSource(f.Source))
		}
	case event.Deleted:
		s.add(m, Lifecycle, Warning, "deleted %s %s", f.ObjectKind, f.Name)
	case event.Released:
		s.add(m, Release, Milestone, "released %s %s", f.Service, f.Version)
	case event.Gate:
		s.addGate(m, f)
	case event.RollbackDrill:
		s.addDrill(m, f)
	case event.Alert:
		s.add(m, Alert, Info, "alert (%s)%s: %s", f.Severity, withProvider(f.Provider), f.Message)
	case event.TrafficTotals:
		s.add(m, Lifecycle, Detail, "traffic ended: %d of %d requests were answered", f.Answered, f.Planned)
	case event.RunEnded:
		s.add(m, Lifecycle, Milestone, "run ended: %s%s", f.Outcome, withReason(f.Reason))
	}
}

// addGate tells an answer when it differs from the gate's last one: gates are asked at every tick.
func (s *narrator) addGate(m timeline.Moment, g event.Gate) {
	if last, asked := s.gates[g.Name]; asked && last == g.Passed {
		return
	}
	s.gates[g.Name] = g.Passed
	if g.Passed {
		s.add(m, Gate, Good, "gate %s passed%s", g.Name, withReason(g.Reason))
		return
	}
	s.add(m, Gate, Warning, "gate %s failed (%d)%s", g.Name, g.Status, withReason(g.Reason))
}

func (s *narrator) addDrill(m timeline.Moment, r event.RollbackDrill) {
	t, what := Good, "passed"
	if !r.Passed {
		t, what = Warning, "failed"
	}
	s.add(m, Drill, t, "rollback drill %s: %d of %d probes went forward, %d came back%s", what, r.Forward, r.Probes, r.Back, withReason(r.Reason))
}

// addHarm tells when users were hurt, and when a guardrail noticed it.
func (s *narrator) addHarm() {
	t := s.t
	if !t.FirstBad.Happened() {
		return
	}
	s.add(t.FirstBad, Harm, Bad, "first user hurt by the fault")
	if t.Abort.Happened() || t.End.Happened() {
		s.add(t.LastBad, Harm, Info, "last user hurt by the fault")
	}
	if t.Detected.Happened() {
		s.add(t.Detected, Detection, Good, "noticed: the first sign, %s after the first user was hurt", format.Duration(t.Detected.Since(t.FirstBad)))
	}
}

func withReason(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func withProvider(provider string) string {
	if provider == "" {
		return ""
	}
	return " to " + provider
}

func withSource(source string) string {
	if source == "" {
		return ""
	}
	return " (" + source + ")"
}
