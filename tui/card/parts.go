package card

import (
	"fmt"
	"strings"

	"coalmine/lab/format"
	"coalmine/lab/report/model"
	"coalmine/lab/verdict/score"
	"coalmine/tui/canvas"
	"coalmine/tui/chart"
	"coalmine/tui/liverun"
	"coalmine/tui/theme"
)

// writeItems explains every point; the selected item in full.
func (c *Card) writeItems(p *page) {
	if len(c.trial.Card.Items) == 0 {
		return
	}
	p.section("Points", "")
	for i := range c.trial.Card.Items {
		from := len(p.lines)
		c.writeItem(p, &c.trial.Card.Items[i], i == c.selected)
		p.setTarget(from, i)
	}
}

func (c *Card) writeItem(p *page, item *score.Item, selected bool) {
	symbol, style := "✓", theme.Good
	switch {
	case item.Points == 0 && item.Max > 0:
		symbol, style = "✗", theme.Bad
	case item.Points < item.Max:
		symbol, style = "◐", theme.Warn
	}
	p.add(func(a canvas.Area, y int) {
		a.Text(3, y, style, symbol)
		a.Text(5, y, theme.Bold, fmt.Sprintf("%3d/%-3d", item.Points, item.Max))
		style := theme.Plain
		if selected {
			style = theme.Bold
		}
		a.Text(13, y, style, canvas.Truncate(model.ItemTitle(*item), a.Width()-14))
	})
	if !selected {
		return
	}
	p.wrapped(13, theme.Muted, item.Reason)
	if item.Hint != "" {
		p.wrapped(13, theme.Plain, "→ "+item.Hint)
	}
	c.writeEvents(p)
	if c.opts.Below != nil {
		for _, l := range c.opts.Below(*item) {
			p.wrapped(13, theme.Accent, l)
		}
	}
}

// writeEvents names the event that Enter shows.
func (c *Card) writeEvents(p *page) {
	events := c.events()
	if len(events) == 0 {
		return
	}
	at := min(c.event, len(events)-1)
	text := fmt.Sprintf("enter: event #%d of %s", events[at].Seq, events[at].Run)
	if r := c.runOf(events[at]); r != nil {
		if when, ok := r.Rec.Time(events[at].Seq); ok {
			text += " at " + format.Clock(when)
		}
	}
	if len(events) > 1 {
		text += fmt.Sprintf("  (%d of %d, ← →)", at+1, len(events))
	}
	p.text(13, theme.Accent, text)
}

func (c *Card) runOf(e score.EventRef) *liverun.Run {
	if i := c.trial.RunIndex(e.Run); i >= 0 && c.trial.Runs[i].Rec != nil {
		return c.trial.Runs[i]
	}
	return nil
}

// writeHarm compares the harm with that of the unguarded run, the reference and an ideal alarm.
func (c *Card) writeHarm(p *page) {
	h := c.trial.Card.Harm
	if c.trial.Card.Faulty.Of == 0 && h.Learner == 0 {
		return
	}
	p.section("Harm to users", "requests harmed, over all seeds")
	scale := max(1, h.Learner)
	if h.Unguarded != nil {
		scale = max(scale, *h.Unguarded)
	}
	bar := func(name string, n *int, style theme.Style) {
		if n == nil {
			return
		}
		p.add(func(a canvas.Area, y int) {
			a.Text(3, y, theme.Plain, name)
			chart.Bar(a, 17, y, a.Width()-17-20, float64(*n)/float64(scale), style)
			a.Right(a.Width()-10, y, theme.Plain, format.Number(*n))
			if h.Unguarded != nil && *h.Unguarded > 0 {
				a.Right(a.Width()-2, y, theme.Muted, format.Percent(float64(*n)/float64(*h.Unguarded)))
			}
		})
	}
	style := theme.Bad
	if h.Learner == 0 {
		style = theme.Good
	}
	bar("unguarded", h.Unguarded, theme.Unguarded)
	bar("yours", &h.Learner, style)
	bar("reference", h.Reference, theme.Reference)
	bar("ideal alarm", h.Bound, theme.Muted)
	for _, note := range model.HarmNotes(*c.trial.Card) {
		p.wrapped(3, theme.Muted, note)
	}
	p.wrapped(3, theme.Plain, model.CauseText(*c.trial.Card))
	p.wrapped(3, theme.Muted, harmWords(c.trial.Card))
}

func harmWords(c *score.Card) string {
	text := "users hurt " + format.Number(c.Harm.UsersHurt)
	if n := c.Harm.UsersHurtUnguarded; n != nil {
		text += fmt.Sprintf(" of %s without guardrails", format.Number(*n))
	}
	if c.Harm.Avoided != nil {
		text += " · harm avoided " + format.Percent(*c.Harm.Avoided)
	}
	if c.Skill != nil {
		text += fmt.Sprintf(" · skill %.2f", *c.Skill)
	}
	return text
}

// writeRuns writes the table of runs.
func (c *Card) writeRuns(p *page) {
	rows := c.trial.Card.Runs
	if len(rows) == 0 {
		return
	}
	p.section("Runs", "MTTD and MTTR from the first bad request")
	p.text(3, theme.Muted, " seed  release  verdict        first bad       MTTD       MTTR weight    harm")
	for i := range rows {
		r, from := &rows[i], len(p.lines)
		symbol, style := verdict(r.Verdict)
		p.add(func(a canvas.Area, y int) {
			a.Right(8, y, theme.Plain, fmt.Sprint(r.Seed))
			a.Text(10, y, theme.Plain, canvas.Truncate(r.Role, 8))
			a.Text(19, y, style, symbol+" "+strings.ReplaceAll(string(r.Verdict), "-", " "))
			a.Right(43, y, theme.Plain, format.OptionalClock(r.FirstBad))
			a.Right(54, y, theme.Plain, format.OptionalDuration(r.MTTD))
			a.Right(65, y, theme.Plain, format.OptionalDuration(r.MTTR))
			weight := ""
			if r.Weight != nil {
				weight = fmt.Sprintf("%d %%", *r.Weight)
			}
			a.Right(72, y, theme.Plain, weight)
			a.Right(80, y, theme.Plain, format.Number(r.Harm))
		})
		target := len(c.trial.Card.Items) + i
		if target == c.selected {
			p.wrapped(10, theme.Muted, r.Reason)
			c.writeEvents(p)
		}
		p.setTarget(from, target)
	}
}

func verdict(v score.Verdict) (string, theme.Style) {
	switch {
	case v.Good():
		return "✓", theme.Good
	case v == score.Inconclusive:
		return "?", theme.Warn
	}
	return "✗", theme.Bad
}
