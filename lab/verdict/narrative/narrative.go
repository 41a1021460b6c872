// Package narrative describes what happened in a run in plain sentences: one entry for each fact
// that matters, and for each of Flagger's decisions with the check that it rests on.
//
// It words facts and decides nothing: everything that it says is in the timeline. A view gives the
// severities their looks.
package narrative

import (
	"fmt"
	"slices"

	"coalmine/lab/event"
	"coalmine/lab/format"
	"coalmine/lab/verdict/timeline"
)

// Severity is what an entry means for users. The words say it too, so that a view without colours
// loses nothing.
type Severity int

// Tones of an entry.
const (
	Info      Severity = iota
	Milestone          // the frame of the run: release, end
	Detail             // of interest only to a close reader
	Good
	Warning
	Bad
)

// Kind is what an entry is about.
type Kind int

// Kinds of entries.
const (
	Lifecycle Kind = iota // a stage, an object, the run's end
	Release               // the Deployment got the version
	Advance               // the canary got traffic, more traffic, or passed an iteration
	Hold                  // a check failed and the canary stays where it is
	Rollback              // all traffic back to the primary
	Promotion             // the decision to promote, and its end
	Wait                  // a gate holds the rollout for a person
	Gate                  // a gate's answer, if it differs from its last one
	Drill                 // a rollback drill
	Alert                 // a message to people
	Harm                  // the first and the last user that the fault hurt
	Detection             // a guardrail noticed for the first time
	Status                // another change of the canary's phase
)

// Decision reports whether an entry is one of Flagger's decisions about the canary's traffic.
func (k Kind) Decision() bool {
	return k == Advance || k == Hold || k == Rollback || k == Promotion || k == Wait
}

// Entry is one thing that happened. Its texts have no control characters and no line breaks, even
// if their parts had.
type Entry struct {
	timeline.Moment
	Kind     Kind
	Severity Severity
	Text     string
	// Quotes are Flagger's own messages of the moment.
	Quotes []string
	// Cause is the query or the gate's answer that decided; zero if there is none.
	Cause timeline.Moment
}

// Of returns the narrative of a run so far, in log order. A longer log changes no earlier entry,
// except the last user hurt.
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
	gates   map[string]bool // what each gate answered last
	quoted  string          // Flagger's last message
}

func (s *narrator) add(m timeline.Moment, k Kind, t Severity, text string, args ...any) *Entry {
	s.entries = append(s.entries, Entry{Moment: m, Kind: k, Severity: t,
		Text: format.Clean(fmt.Sprintf(text, args...))})
	return &s.entries[len(s.entries)-1]
}

// addFact adds one fact. Canary changes are added by addChange.
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
	case event.LeftOut:
		s.add(m, Lifecycle, Warning, "not played: %s %s: %s", f.What, f.Name, f.Reason)
	case event.Released:
		s.add(m, Release, Milestone, "released %s %s", f.Service, f.Version)
	case event.Gate:
		s.addGate(m, f)
	case event.RollbackDrill:
		s.addDrill(m, f)
	case event.LoadTest:
		s.add(m, Gate, Detail, "load test %s sent %s requests to %s: %s failed, the canary answered %s", f.Webhook,
			format.Number(f.Requests), f.Service, format.Number(f.Failed), format.Number(f.OnCanary))
	case event.LoadTester:
		s.add(m, Gate, Detail, "webhook %s calls Flagger's load tester: its answers are not in the log", f.Webhook)
	case event.Alert:
		s.add(m, Alert, Info, "alert (%s)%s: %s", f.Severity, withProvider(f.Provider), f.Message)
	case event.TrafficTotals:
		s.add(m, Lifecycle, Detail, "traffic ended: %s of %s requests were answered", format.Number(f.Answered),
			format.Number(f.Planned))
	case event.RunEnded:
		s.add(m, Lifecycle, Milestone, "run ended: %s%s", f.Outcome, withReason(f.Reason))
	}
}

// addGate adds an answer if it differs from the gate's last one: gates are called at every tick.
func (s *narrator) addGate(m timeline.Moment, g event.Gate) {
	if !g.Judges() {
		s.addWebhook(m, g)
		return
	}
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

// addWebhook adds the first answer to a webhook that says nothing about the release.
func (s *narrator) addWebhook(m timeline.Moment, g event.Gate) {
	key := g.Name + " " + g.URL + " " + g.Hook
	if _, asked := s.gates[key]; !asked {
		s.gates[key] = true
		s.add(m, Gate, Detail, "%s (%s)%s", g.Name, g.Hook, withReason(g.Reason))
	}
}

func (s *narrator) addDrill(m timeline.Moment, r event.RollbackDrill) {
	severity, result := Good, "passed"
	if !r.Passed {
		severity, result = Warning, "failed"
	}
	reason := r.Reason
	if reason == "" {
		reason = fmt.Sprintf("%d of %d probes reached the canary, %d the primary afterwards", r.Forward,
			r.Probes, r.Back)
	}
	s.add(m, Drill, severity, "rollback drill %s: %s", result, reason)
}

// addHarm adds when users were hurt, and when a guardrail noticed it.
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
		s.add(t.Detected, Detection, Good, "noticed: the first signal, %s", Noticed(t))
	}
}

// Noticed says when a guardrail noticed the fault, as seen from the first user who was hurt by it.
func Noticed(t *timeline.Timeline) string {
	if t.Detected.At < t.FirstBad.At {
		return format.Duration(t.FirstBad.Since(t.Detected)) + " before the first user was hurt"
	}
	return format.Duration(t.Detected.Since(t.FirstBad)) + " after the first user was hurt"
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
