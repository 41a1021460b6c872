package report

import (
	"fmt"
	"strings"

	"coalmine/lab/format"
	"coalmine/lab/report/model"
	"coalmine/lab/verdict/score"
)

func (p *page) head(c score.Card) {
	points := ""
	if c.MaxPoints > 0 {
		points = fmt.Sprintf("%d of %d points", c.Points, c.MaxPoints)
	}
	title := cut(c.Title, p.width-length(points)-4)
	p.line()
	p.spread(" "+p.in(bold, title), length(title)+1, points, bold)
	p.line(" ", p.in(faint, strings.Repeat("─", p.width-2)))
	p.outcome(c)
}

// outcome is the verdict and its reason.
func (p *page) outcome(c score.Card) {
	sign, severity := model.Symbol(c.Exit)
	p.line(" ", p.in(styleOf(severity), sign+" "+strings.ToUpper(c.Outcome)), "  ", p.in(faint, cut(c.Scenario, 30)))
	p.wrapped(3, plain, c.Reason)
	for _, r := range c.Remarks {
		p.wrapped(3, warn, r)
	}
	p.wrapped(3, warn, model.LimitText(c))
}

// explanation says of the run that shows most why it was missed, or what detected it.
func (p *page) explanation(e model.Explanation) {
	if len(e.Facts) == 0 {
		return
	}
	p.section(e.Title, e.Run)
	for _, f := range e.Facts {
		for i, l := range wrap(f.Line(), p.width-6) {
			sign := " "
			if i == 0 {
				sign = f.Sign()
			}
			p.line("   ", p.in(styleOf(f.Severity), sign), " ", l)
		}
	}
}

// harm compares the users' harm with that of the other runs, by bars of one scale.
func (p *page) harm(c score.Card) {
	if c.Faulty.Of == 0 && c.Harm.Learner == 0 {
		return
	}
	h := c.Harm
	seeds := 0
	for _, r := range c.Runs {
		if r.Role == string(score.RoleFaulty) {
			seeds++
		}
	}
	p.section("Harm to users", "bad requests beyond the baseline, "+format.Plural(seeds, "faulty run"))
	scale := max(1, h.Learner)
	if h.Unguarded != nil {
		scale = max(scale, *h.Unguarded)
	}
	p.harmBar("unguarded", h.Unguarded, scale, h.Unguarded, plain)
	p.harmBar("yours", &h.Learner, scale, h.Unguarded, harmStyle(h))
	p.harmBar("reference", h.Reference, scale, h.Unguarded, reference)
	p.harmBar("ideal alarm", h.Bound, scale, h.Unguarded, faint)
	for _, note := range model.HarmNotes(c) {
		p.wrapped(3, faint, note)
	}
	p.wrapped(3, plain, model.CauseText(c))
	p.wrapped(3, plain, model.AvoidedText(c))
	p.wrapped(3, plain, model.UsersHurtText(c))
}

func harmStyle(h score.Harm) style {
	if h.Learner == 0 {
		return good
	}
	return bad
}

func (p *page) harmBar(name string, n *int, scale int, unguarded *int, t style) {
	if n == nil {
		return
	}
	room := p.width - 3 - 14 - 10 - 8 - 1
	b := bar(float64(*n)/float64(scale), room)
	share := ""
	if unguarded != nil && unguarded != n && *unguarded > 0 {
		share = format.Percent(float64(*n) / float64(*unguarded))
	}
	p.line("   ", left(name, 14), p.in(t, b), strings.Repeat(" ", room-length(b)), right(format.Number(*n), 10),
		right(share, 8))
}

// runs is the table of seeds.
func (p *page) runs(c score.Card) {
	if len(c.Runs) == 0 {
		return
	}
	p.section("Runs", "MTTD and MTTR from the first bad request")
	p.line(p.in(faint, "    seed  release verdict        first bad       MTTD       MTTR weight    harm"))
	for _, r := range c.Runs {
		sign, t := model.Symbol(r.Verdict.Exit())
		weight := ""
		if r.Weight != nil {
			weight = fmt.Sprintf("%d %%", *r.Weight)
		}
		p.line("   ", right(fmt.Sprint(r.Seed), 5), "  ", left(r.Role, 8),
			p.in(styleOf(t), sign+" "+left(r.Verdict.Text(), 13)), right(format.OptionalClock(r.FirstBad), 9),
			right(format.OptionalDuration(r.MTTD), 11), right(format.OptionalDuration(r.MTTR), 11), right(weight, 7),
			right(format.Number(r.Harm), 8))
	}
}

// cohorts shows who was hurt: an average hides it.
func (p *page) cohorts(c score.Card) {
	cs := model.HarmedCohorts(c)
	if len(cs) == 0 {
		return
	}
	p.section("Who was hurt", "")
	p.line(p.in(faint, "   cohort             requests      harm     unguarded  got through  users hurt"))
	for _, h := range cs {
		unguarded, through, users := model.CohortText(h)
		p.line("   ", left(h.Cohort, 16), right(format.Number(h.Requests), 11), right(format.Number(h.Harm), 10),
			right(unguarded, 14),
			right(through, 13), right(users, 12))
	}
}

// meshOf says what the mesh did in the run that shows most.
func (p *page) meshOf(c score.Card) {
	r, _ := model.Highlight(c.Runs)
	rows := model.MeshTable(r)
	if len(rows) == 0 {
		return
	}
	p.section("Mesh", r.Run)
	p.wrapped(3, faint, model.MeshText(r))
	for i, row := range append([][]string{model.MeshColumns()}, rows...) {
		line := "   " + left(row[0], 6) + right(row[1], 6) + "  " + left(cut(row[2], 20), 20)
		for n, width := range []int{9, 14, 10, 8, 8, 7} {
			line += right(row[3+n], width)
		}
		if i == 0 {
			line = p.in(faint, line)
		}
		p.line(line)
	}
}

// items explains every point: what was asked, what was seen, the events behind it, and what to
// change.
func (p *page) items(c score.Card) {
	if len(c.Items) == 0 {
		return
	}
	p.section("Points", "")
	for _, i := range c.Items {
		sign, t := model.ItemSymbol(i)
		points := fmt.Sprintf("%3d/%-3d", i.Points, i.Max)
		p.line("   ", p.in(styleOf(t), sign), " ", p.in(bold, points), " ", cut(model.ItemTitle(i), p.width-15))
		p.reason(13, i.Reason, refs(i.Events))
		if i.Hint != "" {
			p.hint(13, i.Hint)
		}
	}
}

// reason writes a reason and its events, on one line if they fit.
func (p *page) reason(indent int, reason, events string) {
	lines := wrap(reason, p.width-indent-1)
	for i, l := range lines {
		if i == len(lines)-1 && events != "" && length(l)+2+length(format.Clean(events)) < p.width-indent {
			p.line(strings.Repeat(" ", indent), l, "  ", p.in(faint, format.Clean(events)))
			return
		}
		p.line(strings.Repeat(" ", indent), l)
	}
	p.wrapped(indent, faint, events)
}

func (p *page) hint(indent int, text string) {
	for n, l := range wrap(text, p.width-indent-3) {
		arrow := "  "
		if n == 0 {
			arrow = p.in(accent, "→ ")
		}
		p.line(strings.Repeat(" ", indent), arrow, p.in(accent, l))
	}
}

// maxRefs is how many runs are named under an item; the JSON card has all of them.
const maxRefs = 2

// refs formats event references run by run: events faulty-1 #12 #31, faulty-2 #11 …
func refs(events []score.EventRef) string {
	var b strings.Builder
	runs := 0
	last := ""
	for _, e := range events {
		if e.Run != last {
			if runs++; runs > maxRefs {
				b.WriteString(" …")
				break
			}
			if last != "" {
				b.WriteString(",")
			}
			b.WriteString(" " + e.Run)
			last = e.Run
		}
		fmt.Fprintf(&b, " #%d", e.Seq)
	}
	if b.Len() == 0 {
		return ""
	}
	return "events" + b.String()
}

// foot says in one line what was real and what was a model.
func (p *page) foot(s score.Players) {
	if s.Cluster == "" {
		return
	}
	p.line()
	p.wrapped(1, faint, model.Provenance(s))
}
