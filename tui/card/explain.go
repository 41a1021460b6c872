package card

import (
	"cmp"
	"fmt"
	"slices"

	"coalmine/lab/format"
	"coalmine/lab/report/model"
	"coalmine/lab/verdict/score"
	"coalmine/lab/verdict/timeline"
	"coalmine/tui/liverun"
	"coalmine/tui/theme"
)

// fact is one paragraph of an explanation.
type fact struct {
	style  theme.Style
	symbol string
	text   string
}

// explanation shows, for the most telling run, who was hurt and which checks looked at it.
type explanation struct {
	title, run string
	facts      []fact
}

// explain explains a trial. It is computed once for a card, since a trial with a card does not
// change.
func explain(t *liverun.Trial) explanation {
	if t.Card == nil {
		return explanation{}
	}
	row, ok := model.Highlight(t.Card.Runs)
	r, found := modelRun(t, row)
	if !ok || !found || row.Verdict == score.Inconclusive {
		return explanation{}
	}
	w := explanation{run: row.Run}
	switch {
	case r.Faulty() && row.Verdict.Good():
		w.title = "What detected it"
		w.facts = noticed(r)
	case r.Faulty():
		w.title = "Why it was missed"
		w.facts = append(worstSegment(r), blindSpots(r)...)
	case row.Verdict.Good():
		return explanation{}
	default:
		w.title = "Why the healthy release was held"
		w.facts = alarms(r)
	}
	return w
}

// modelRun returns a row's run with the runs of its seed that it is compared with.
func modelRun(t *liverun.Trial, row score.Row) (model.Run, bool) {
	r := model.Run{Row: row}
	i := t.RunIndex(row.Run)
	if i < 0 || t.Runs[i].Rec == nil {
		return r, false
	}
	r.Timeline = t.Runs[i].Rec.Timeline()
	for role, to := range map[score.Role]**timeline.Timeline{score.RoleUnguarded: &r.Unguarded,
		score.RoleReference: &r.Reference} {
		if o := t.Counterpart(t.Runs[i], role); o != nil && o.Rec != nil {
			*to = o.Rec.Timeline()
		}
	}
	return r, true
}

// worstSegment describes the users who fared worst, if they fared worse than the average shows.
func worstSegment(r model.Run) []fact {
	average, all := model.Segments(r)
	if len(all) == 0 || !r.Timeline.FirstBad.Happened() {
		return nil
	}
	s := all[0]
	bad := func(c timeline.Counts) string { return format.Percent(float64(c.Bad) / float64(max(1, c.N))) }
	text := fmt.Sprintf("%s on %s: %s of their %s on the canary were bad", s.Cohort, s.Route, bad(s.Canary),
		format.Plural(s.Canary.N, "request"))
	if s.Primary.N > 0 {
		text += ", " + bad(s.Primary) + " on the primary"
	}
	text += "."
	if s.Canary.N < average.Canary.N {
		text += fmt.Sprintf(" They make up %s of the canary's requests, which were %s good overall.",
			format.Percent(float64(s.Canary.N)/float64(average.Canary.N)), model.SuccessText(average.Canary))
	}
	return []fact{{theme.Bad, "▲", text}}
}

// blindSpots lists what was queried while users were hurt. Metrics come first; gates that ask for
// something else say little.
func blindSpots(r model.Run) []fact {
	var facts []fact
	for _, w := range model.Checks(r) {
		switch {
		case w.Noticed():
			facts = append(facts, fact{theme.Good, "✓", w.Name + " " + w.Text(r.Timeline)})
		case w.Blind() && !w.Gate:
			facts = append(facts, fact{theme.Warn, "○", w.Name + " " + w.Text(r.Timeline)})
		}
	}
	if len(facts) == 0 && r.Timeline.FirstBad.Happened() {
		facts = append(facts, fact{theme.Warn, "○", "no check looked at the canary while users were hurt"})
	}
	return facts
}

func noticed(r model.Run) []fact {
	var facts []fact
	for _, w := range model.Checks(r) {
		if w.Noticed() {
			facts = append(facts, fact{theme.Good, "✓", w.Name + " " + w.Text(r.Timeline)})
		}
	}
	return facts
}

func alarms(r model.Run) []fact {
	var facts []fact
	for _, w := range model.Checks(r) {
		if w.Failed > 0 {
			facts = append(facts, fact{theme.Bad, "✗", w.Name + " " + w.Text(r.Timeline)})
		}
	}
	return facts
}

// referenceFacts describes what the reference guardrails detected in the same traffic and at what
// harm, and what an ideal alarm would have.
func referenceFacts(t *liverun.Trial) []fact {
	if t.Card == nil {
		return nil
	}
	var facts []fact
	for _, r := range t.Runs {
		if r.Role == score.RoleReference && r.Rec != nil && r.Rec.Complete() {
			facts = append(facts, referenceRunFacts(t, r)...)
		}
	}
	if len(facts) == 0 {
		facts = append(facts, fact{theme.Muted, "·", "the reference was not played"})
	}
	if b := t.Card.Harm.Bound; b != nil {
		facts = append(facts, fact{theme.Muted, "·",
			fmt.Sprintf("An ideal alarm that sees every request would have let %s bad requests through, over "+
				"all seeds.", format.Number(*b))})
	}
	return facts
}

// referenceRunFacts describes what detected the fault first in one reference run.
func referenceRunFacts(t *liverun.Trial, r *liverun.Run) []fact {
	tl := r.Rec.Timeline()
	if !tl.Detected.Happened() {
		return []fact{{theme.Warn, "○", fmt.Sprintf("seed %d: the reference did not detect it either", r.Seed)}}
	}
	by := slices.DeleteFunc(model.Checks(model.Run{Timeline: tl}), func(w model.Check) bool { return !w.Noticed() })
	slices.SortStableFunc(by, func(a, b model.Check) int { return cmp.Compare(a.First.At, b.First.At) })
	name := "the reference"
	if len(by) > 0 {
		name = by[0].Name
	}
	text := fmt.Sprintf("seed %d: %s detected it %s after the first user was hurt, after %s; %s by the end",
		r.Seed, name,
		format.Duration(tl.Detected.Since(tl.FirstBad)), format.Plural(r.Rec.At(tl.Detected.At).Harm, "bad request"),
		format.Number(r.Rec.At(r.Rec.End()).Harm))
	if o := t.Counterpart(r, score.RoleFaulty); o != nil && o.Rec != nil {
		text += fmt.Sprintf(", %s with yours", format.Number(o.Rec.At(o.Rec.End()).Harm))
	}
	return []fact{{theme.Good, "✓", text + "."}}
}

// writeFacts adds facts below a title.
func (p *page) writeFacts(title, remark string, facts []fact) {
	if len(facts) == 0 {
		return
	}
	p.section(title, remark)
	for _, f := range facts {
		from := len(p.lines)
		p.wrapped(5, theme.Plain, f.text)
		p.setSymbol(from, 3, f.style, f.symbol)
	}
}
