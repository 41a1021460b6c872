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
	"coalmine/tui/pane"
	"coalmine/tui/theme"
)

// fact is one paragraph of an explanation.
type fact struct {
	style  theme.Style
	symbol string
	text   string
}

// explanation shows, for the run that shows most, who was hurt and which checks looked at it.
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
	if !ok || !found {
		return explanation{}
	}
	e := model.Explain(r)
	w := explanation{title: e.Title, run: e.Run}
	for _, f := range e.Facts {
		w.facts = append(w.facts, fact{pane.SeverityStyle(f.Severity), f.Sign(), f.Line()})
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
	return []fact{{theme.Good, "◆", text + "."}}
}

// fitting leaves out the last facts if there are so many that they would hide the points. Reports
// have all of them.
func (p *page) fitting(facts []fact) []fact {
	most := max(3, p.height/5)
	if len(facts) <= most+1 {
		return facts
	}
	more := fmt.Sprintf("%d more in the report", len(facts)-most)
	return append(slices.Clone(facts[:most]), fact{theme.Muted, "·", more})
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
