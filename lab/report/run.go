package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"coalmine/lab/event"
	"coalmine/lab/timeline"
)

func (p *page) runHead(t *timeline.Timeline) {
	r := t.Run
	role := ""
	if r.Role != "" {
		role = " (" + r.Role + ")"
	}
	guard := "with guardrails"
	if !r.Guarded {
		guard = "without guardrails"
	}
	title := cut(fmt.Sprintf("%s: %s %s%s over %s", r.Scenario, r.Service, r.Version, role, r.Baseline), p.width-20)
	p.line()
	p.spread(" "+p.in(bold, title), length(title)+1, fmt.Sprintf("seed %d", r.Seed), faint)
	p.line(" ", p.in(faint, strings.Repeat("─", p.width-2)))
	p.line(" ", p.in(faint, fmt.Sprintf("%s on cluster %s, mesh %s", guard, clean(r.Cluster), clean(r.Mesh))))
}

// entry is one line of the story, with what Flagger said about it.
type entry struct {
	timeline.Mark
	tone   tone
	text   string
	quotes []string
}

func (p *page) decisions(t *timeline.Timeline) {
	p.section("What happened", "time · event · in words")
	for _, e := range story(t) {
		head := fmt.Sprintf(" %6s %6s  ", clock(e.At), fmt.Sprintf("#%d", e.Seq))
		for i, l := range wrap(e.text, p.width-length(head)-1) {
			if i > 0 {
				head = strings.Repeat(" ", length(head))
			}
			p.line(p.in(faint, head), p.in(e.tone, l))
		}
		for _, q := range e.quotes {
			p.wrapped(17, faint, "Flagger: “"+q+"”")
		}
	}
}

// story puts the facts and the derived moments of a run in their order.
func story(t *timeline.Timeline) []entry {
	s := storyteller{t: t, gates: map[string]bool{}}
	for _, e := range t.Facts {
		s.tell(e)
	}
	for _, c := range t.Changes {
		s.change(c)
	}
	if t.FirstBad.Seen() {
		s.add(t.FirstBad, bad, "first user hurt by the fault")
		if t.Abort.Seen() || t.End.Seen() {
			s.add(t.LastBad, plain, "last user hurt by the fault")
		}
	}
	slices.SortStableFunc(s.entries, func(a, b entry) int { return a.Seq - b.Seq })
	return s.entries
}

type storyteller struct {
	t       *timeline.Timeline
	entries []entry
	gates   map[string]bool // what each gate said last
	quoted  string          // Flagger's last words
}

func (s *storyteller) add(m timeline.Mark, t tone, format string, args ...any) *entry {
	s.entries = append(s.entries, entry{Mark: m, tone: t, text: fmt.Sprintf(format, args...)})
	return &s.entries[len(s.entries)-1]
}

// tell takes one fact. Canary changes have their own way, see change.
func (s *storyteller) tell(e event.Event) {
	m := timeline.Mark{At: e.At, Seq: e.Seq}
	switch f := e.Fact.(type) {
	case event.Stage:
		s.add(m, faint, "stage %s%s", f.Name, because(f.Reason))
	case event.Applied:
		if f.Owner == event.OwnerLearner {
			s.add(m, faint, "applied %s %s%s", f.ObjectKind, f.Name, from(f.Source))
		}
	case event.Deleted:
		s.add(m, warn, "deleted %s %s", f.ObjectKind, f.Name)
	case event.Released:
		s.add(m, bold, "released %s %s", f.Service, f.Version)
	case event.Gate:
		s.gate(m, f)
	case event.Rehearsal:
		s.rehearsal(m, f)
	case event.Alert:
		s.add(m, plain, "alert (%s)%s: %s", f.Severity, to(f.Provider), f.Message)
	case event.RunEnded:
		s.add(m, bold, "run ended: %s%s", f.Outcome, because(f.Reason))
	}
}

// gate tells an answer when it differs from the gate's last one: gates are asked at every tick.
func (s *storyteller) gate(m timeline.Mark, g event.Gate) {
	if last, asked := s.gates[g.Name]; asked && last == g.Passed {
		return
	}
	s.gates[g.Name] = g.Passed
	if g.Passed {
		s.add(m, good, "gate %s passed%s", g.Name, because(g.Reason))
		return
	}
	s.add(m, warn, "gate %s said no (%d)%s", g.Name, g.Status, because(g.Reason))
}

func (s *storyteller) rehearsal(m timeline.Mark, r event.Rehearsal) {
	t, what := good, "passed"
	if !r.Passed {
		t, what = warn, "failed"
	}
	s.add(m, t, "rollback drill %s: %d of %d probes went forward, %d came back%s", what, r.Forward, r.Probes, r.Back, because(r.Reason))
}

// change tells what Flagger decided.
func (s *storyteller) change(c timeline.Change) {
	before, after := c.Before, c.After
	var e *entry
	switch {
	case after.Phase != before.Phase:
		e = s.phase(c)
	case c.Failed():
		e = s.add(c.Mark, warn, "held at %s: failed check %d of %d%s", s.exposure(after), after.FailedChecks, after.Threshold, s.cause(c))
	case after.Weight > before.Weight:
		e = s.add(c.Mark, plain, "advanced to %d %% of the traffic", after.Weight)
	case after.Iterations > before.Iterations:
		e = s.add(c.Mark, plain, "iteration %d of %d passed", after.Iterations, after.MaxIterations)
	case after.Weight < before.Weight && after.Phase == event.PhaseProgressing:
		e = s.add(c.Mark, warn, "back to %d %% of the traffic", after.Weight)
	default:
		return
	}
	e.quotes = s.quotes(c)
}

func (s *storyteller) phase(c timeline.Change) *entry {
	switch after := c.After; after.Phase {
	case event.PhaseFailed:
		return s.add(c.Mark, good, "rolled back: all traffic to the primary (the canary had %d %%)", s.t.WeightAtAbort)
	case event.PhasePromoting:
		return s.add(c.Mark, plain, "decided to promote: the primary gets %s", s.t.Run.Version)
	case event.PhaseSucceeded:
		return s.add(c.Mark, plain, "promoted: everyone is on %s", s.t.Run.Version)
	case event.PhaseProgressing:
		if after.Weight > 0 {
			return s.add(c.Mark, plain, "analysis began: canary gets %d %% of the traffic", after.Weight)
		}
		return s.add(c.Mark, plain, "new version noticed, analysis begins")
	case event.PhaseWaiting, event.PhaseWaitingPromotion:
		return s.add(c.Mark, warn, "waits for a gate (phase %s)", after.Phase)
	default:
		return s.add(c.Mark, faint, "canary is %s", after.Phase)
	}
}

func (s *storyteller) exposure(c event.Canary) string {
	if c.Weight == 0 && c.Iterations > 0 {
		return fmt.Sprintf("iteration %d", c.Iterations)
	}
	return fmt.Sprintf("%d %%", c.Weight)
}

// tick is how far apart facts of one control-loop tick may lie; in virtual time they are at one instant.
const tick = 3 * time.Second

// near calls f for the facts of the same tick.
func (s *storyteller) near(m timeline.Mark, f func(event.Fact)) {
	for _, e := range s.t.Facts {
		if d := e.At - m.At; d >= -tick && d <= tick/3 {
			f(e.Fact)
		}
	}
}

// cause names what failed: a gate that said no, or else the last query of the tick, since Flagger's analysis asks gates
// first and stops at the first metric that fails (pkg/controller/scheduler_metrics.go).
func (s *storyteller) cause(c timeline.Change) string {
	gate, query := "", ""
	s.near(c.Mark, func(f event.Fact) {
		switch f := f.(type) {
		case event.Gate:
			if !f.Passed {
				gate = ": gate " + f.Name + " said no"
			}
		case event.Query:
			if f.Metric != "" {
				query = ": " + f.Metric + " = " + answer(f)
			}
		}
	})
	if gate != "" {
		return gate
	}
	return query
}

func answer(q event.Query) string {
	switch {
	case q.Error != "":
		return "error (" + q.Error + ")"
	case q.Value == nil:
		return "no values"
	}
	return fmt.Sprintf("%.4g", *q.Value) + bound(q)
}

// bound tells the threshold that the value of a query is on the wrong side of.
func bound(q event.Query) string {
	switch {
	case q.Min != nil && *q.Value < *q.Min:
		return fmt.Sprintf(", at least %.4g is asked", *q.Min)
	case q.Max != nil && *q.Value > *q.Max:
		return fmt.Sprintf(", at most %.4g is asked", *q.Max)
	}
	return ""
}

// quotes are Flagger's own warnings of the same tick, word for word, unless it just said the same.
func (s *storyteller) quotes(c timeline.Change) []string {
	var qs []string
	if !c.Failed() && c.After.Phase != event.PhaseFailed {
		return nil
	}
	s.near(c.Mark, func(f event.Fact) {
		if f, ok := f.(event.Flagger); ok && f.Type == "Warning" && f.Canary == c.After.Name && f.Message != s.quoted {
			qs = append(qs, f.Message)
			s.quoted = f.Message
		}
	})
	return qs
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

// runSummary adds up what users got.
func (p *page) runSummary(t *timeline.Timeline) {
	all := t.Sum(nil)
	if all.N == 0 {
		return
	}
	p.section("What users got", "")
	p.line(p.in(faint, "   cohort                 requests       bad      harm   on the canary"))
	for _, name := range t.Cohorts() {
		s := t.Sum(timeline.Of(name))
		canary := t.Sum(timeline.And(timeline.Of(name), t.OnCanary()))
		p.line("   ", left(name, 20), right(number(s.N), 11), right(number(s.Bad), 10), right(number(s.Harm), 10), right(number(canary.N), 16))
	}
	p.line("   ", left("all", 20), right(number(all.N), 11), right(number(all.Bad), 10), right(number(all.Harm), 10),
		right(number(t.Sum(t.OnCanary()).N), 16))
	p.wrapped(3, plain, runWords(t))
}

func runWords(t *timeline.Timeline) string {
	var parts []string
	if t.FirstBad.Seen() && t.Detected.Seen() {
		parts = append(parts, "noticed "+span(t.Detected.Since(t.FirstBad))+" after the first bad request")
	}
	if t.FirstBad.Seen() && t.Abort.Seen() {
		parts = append(parts, "over after "+span(t.LastBad.Since(t.FirstBad)))
	}
	if t.CanaryRequests > 0 {
		parts = append(parts, fmt.Sprintf("the canary answered %s of the service's requests during the analysis", percent(t.ActualShare())))
	}
	return strings.Join(parts, " · ")
}
