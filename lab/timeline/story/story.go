// Package story tells in plain words what happened in a run: one entry for each fact that matters, and for each decision of
// Flagger's with the check that it rests on.
//
// It words facts and decides nothing: what it says is in the timeline. It knows no view; a view gives the tones their looks.
package story

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"coalmine/lab/event"
	"coalmine/lab/timeline"
)

// Tone is what an entry means for users. The words tell it too, so that nothing is lost where a view has no colours.
type Tone int

// Tones of an entry.
const (
	Plain  Tone = iota
	Strong      // the frame of the run: release, end
	Faint       // needed only by those who look closely
	Good
	Warn
	Bad
)

// Kind tells what an entry is about.
type Kind int

// Kinds of entries.
const (
	Frame     Kind = iota // a stage, an object, the run's end
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
	Notice                // a guardrail noticed for the first time
	Status                // another change of the canary's phase
)

// Decision tells whether an entry is one of Flagger's decisions over the canary's traffic.
func (k Kind) Decision() bool {
	return k == Advance || k == Hold || k == Rollback || k == Promotion || k == Wait
}

// Entry is one thing that happened. Its texts hold no control characters and no line breaks, whoever wrote their parts.
type Entry struct {
	timeline.Mark
	Kind Kind
	Tone Tone
	Text string
	// Quotes are Flagger's own words of the moment.
	Quotes []string
	// Cause is the query or the gate's answer that decided; never seen where there is none.
	Cause timeline.Mark
}

// Of tells the story of a run so far, in log order. A longer log changes no entry that was told, except the last user hurt.
func Of(t *timeline.Timeline) []Entry {
	s := storyteller{t: t, gates: map[string]bool{}}
	for _, e := range t.Facts {
		s.tell(e)
	}
	for _, c := range t.Changes {
		s.change(c)
	}
	if s.t.FirstCanary.Seen() {
		s.add(s.t.FirstCanary, Status, Faint, "the canary answered its first request")
	}
	s.harm()
	slices.SortStableFunc(s.entries, func(a, b Entry) int { return a.Seq - b.Seq })
	return s.entries
}

type storyteller struct {
	t       *timeline.Timeline
	entries []Entry
	gates   map[string]bool // what each gate said last
	quoted  string          // Flagger's last words
}

func (s *storyteller) add(m timeline.Mark, k Kind, t Tone, format string, args ...any) *Entry {
	s.entries = append(s.entries, Entry{Mark: m, Kind: k, Tone: t, Text: clean(fmt.Sprintf(format, args...))})
	return &s.entries[len(s.entries)-1]
}

// tell takes one fact. Canary changes have their own way, see change.
func (s *storyteller) tell(e event.Event) {
	m := timeline.Mark{At: e.At, Seq: e.Seq}
	switch f := e.Fact.(type) {
	case event.Stage:
		s.add(m, Frame, Faint, "stage %s%s", f.Name, because(f.Reason))
	case event.Applied:
		if f.Owner == event.OwnerLearner {
			s.add(m, Frame, Faint, "applied %s %s%s", f.ObjectKind, f.Name, from(f.Source))
		}
	case event.Deleted:
		s.add(m, Frame, Warn, "deleted %s %s", f.ObjectKind, f.Name)
	case event.Released:
		s.add(m, Release, Strong, "released %s %s", f.Service, f.Version)
	case event.Gate:
		s.gate(m, f)
	case event.Rehearsal:
		s.rehearsal(m, f)
	case event.Alert:
		s.add(m, Alert, Plain, "alert (%s)%s: %s", f.Severity, to(f.Provider), f.Message)
	case event.TrafficTotals:
		s.add(m, Frame, Faint, "traffic ended: %d of %d requests were answered", f.Answered, f.Planned)
	case event.RunEnded:
		s.add(m, Frame, Strong, "run ended: %s%s", f.Outcome, because(f.Reason))
	}
}

// gate tells an answer when it differs from the gate's last one: gates are asked at every tick.
func (s *storyteller) gate(m timeline.Mark, g event.Gate) {
	if last, asked := s.gates[g.Name]; asked && last == g.Passed {
		return
	}
	s.gates[g.Name] = g.Passed
	if g.Passed {
		s.add(m, Gate, Good, "gate %s passed%s", g.Name, because(g.Reason))
		return
	}
	s.add(m, Gate, Warn, "gate %s said no (%d)%s", g.Name, g.Status, because(g.Reason))
}

func (s *storyteller) rehearsal(m timeline.Mark, r event.Rehearsal) {
	t, what := Good, "passed"
	if !r.Passed {
		t, what = Warn, "failed"
	}
	s.add(m, Drill, t, "rollback drill %s: %d of %d probes went forward, %d came back%s", what, r.Forward, r.Probes, r.Back, because(r.Reason))
}

// harm tells when users were hurt, and when a guardrail noticed it.
func (s *storyteller) harm() {
	t := s.t
	if !t.FirstBad.Seen() {
		return
	}
	s.add(t.FirstBad, Harm, Bad, "first user hurt by the fault")
	if t.Abort.Seen() || t.End.Seen() {
		s.add(t.LastBad, Harm, Plain, "last user hurt by the fault")
	}
	if t.Detected.Seen() {
		s.add(t.Detected, Notice, Good, "noticed: the first sign, %.0f s after the first user was hurt", t.Detected.Since(t.FirstBad).Seconds())
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func to(provider string) string {
	if provider == "" {
		return ""
	}
	return " to " + provider
}

func from(source string) string {
	if source == "" {
		return ""
	}
	return " (" + source + ")"
}

// clean takes out what could steer a terminal or turn the direction of text: control and format characters, line breaks.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
}
